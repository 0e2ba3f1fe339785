"""Push a file and a folder to a registry, and pull them back.

The registry runs inside this program: nothing else is needed, no Docker and no network.
Run it with `python examples/quickstart.py`.
"""

from __future__ import annotations

import filecmp
import os
import tempfile
from pathlib import Path

import oras.client
import oras.utils
from oras_adapters import RegistryServer
from oras_core.testing import EmbeddedRegistry


def write_something_to_push(folder: Path) -> None:
    """Make a file, and a folder with a folder in it."""
    (folder / "report.txt").write_text("All measurements are within their limits.\n")
    (folder / "model" / "weights").mkdir(parents=True)
    (folder / "model" / "README.md").write_text("# A very small model\n")
    (folder / "model" / "weights" / "layer0.bin").write_bytes(os.urandom(100_000))


def files_below(folder: Path) -> list[str]:
    """List the files in a folder and its sub-folders, by relative path."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def main() -> None:
    """Walk through push, tags and pull."""
    with tempfile.TemporaryDirectory() as temporary, RegistryServer(EmbeddedRegistry()) as server:
        source, copy = Path(temporary, "source"), Path(temporary, "copy")
        source.mkdir()
        write_something_to_push(source)

        print(f"1. A registry listens at {server.address}, and ends with this program.")
        target = f"{server.address}/demo/report:v1"
        client = oras.client.OrasClient(insecure=True)

        print(f"2. Push the file report.txt and the folder model/ to {target}:")
        with oras.utils.workdir(source):
            response = client.push(
                target=target,
                files=["report.txt", "model"],
                manifest_annotations={"org.opencontainers.image.description": "a first artifact"},
            )
        print(f"   its digest is {response.headers['Docker-Content-Digest']}")

        print(f"3. The registry lists the tags of demo/report: {client.get_tags(target)}")

        annotations = client.get_manifest(target)["annotations"]
        description = annotations["org.opencontainers.image.description"]
        print(f"4. The manifest carries the annotation: {description!r}")

        client.pull(target=target, outdir=copy)
        names = files_below(copy)
        print(f"5. Pulled into another folder: {', '.join(names)}")

        equal, differing, missing = filecmp.cmpfiles(source, copy, names, shallow=False)
        if differing or missing or files_below(source) != equal:
            raise SystemExit(f"   NOT the same: {differing + missing}")
        print("6. Every file came back byte for byte.")


if __name__ == "__main__":
    main()
