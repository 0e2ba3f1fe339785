"""Push a file and a folder to a registry, and pull them again.

The registry runs inside this program: it needs neither Docker nor a network. Run it with
`python examples/quickstart.py`.
"""

from __future__ import annotations

import filecmp
import os
import tempfile
from pathlib import Path

import oras
from oras_adapters import RegistryServer
from oras_core.testing import EmbeddedRegistry


def write_artifact(folder: Path) -> None:
    """Write a file, and a folder with a folder in it."""
    (folder / "model" / "weights").mkdir(parents=True)
    (folder / "report.txt").write_text("All measurements are within their limits.\n")
    (folder / "model" / "README.md").write_text("# A very small model\n")
    (folder / "model" / "weights" / "layer0.bin").write_bytes(os.urandom(100_000))


def files_below(folder: Path) -> list[str]:
    """List the files in a folder and its sub-folders, by relative path."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def main() -> None:
    """Push, list, look at the manifest, pull, compare."""
    with (
        tempfile.TemporaryDirectory() as temporary,
        RegistryServer(EmbeddedRegistry()) as server,
        oras.Client() as client,
    ):
        source, copy = Path(temporary, "source"), Path(temporary, "copy")
        write_artifact(source)

        repository = f"{server.address}/demo/report"
        print(f"1. A registry listens at {server.address}, until this program ends.")

        root = client.push(
            f"{repository}:v1",
            [source / "report.txt", source / "model"],
            annotations={"org.opencontainers.image.description": "a first artifact"},
        )
        print(f"2. Pushed report.txt and the folder model as {repository}:v1, {root.digest}")

        print(f"3. The tags of demo/report: {', '.join(client.tags(repository))}")

        annotations = client.manifest(f"{repository}:v1").annotations
        print(f"4. The annotations of the manifest: {dict(annotations)}")

        pulled = client.pull(f"{repository}:v1", copy)
        print(f"5. Pulled {', '.join(path.name for path in pulled.files)} into another folder.")

        names = files_below(source)
        _, differing, missing = filecmp.cmpfiles(source, copy, names, shallow=False)
        if differing or missing or files_below(copy) != names:
            raise SystemExit(f"   They are NOT equal: {differing + missing}")
        print("6. All files are equal, byte for byte.")


if __name__ == "__main__":
    main()
