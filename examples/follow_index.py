"""Follow an image index: look at what it offers, and pull what is for one platform.

Run it with the address of a registry: `python examples/follow_index.py localhost:5000`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import oras.client
import oras.defaults
import oras.oci
import oras.utils

PLATFORMS = ("linux/amd64", "linux/arm64")


def push_index(client: oras.client.OrasClient, package: str) -> None:
    """Push a program for each platform, and an index of them."""
    manifests = []
    for platform in PLATFORMS:
        system, architecture = platform.split("/")
        Path("program").write_text(f"I run on {platform}.\n")
        target = f"{package}-{system}-{architecture}"
        client.push(target, files=["program"], quiet=True)
        # Media type, digest and size, as an index wants them too.
        described = oras.oci.Subject.from_manifest(client.get_manifest(target))
        runs_on = {"os": system, "architecture": architecture}
        manifests.append({**asdict(described), "platform": runs_on})
    index = {
        "schemaVersion": 2,
        "mediaType": oras.defaults.default_index_media_type,
        "manifests": manifests,
    }
    client.upload_manifest(index, client.get_container(package)).raise_for_status()


def choose(index: dict[str, Any], platform: str) -> str:
    """Return the digest of the manifest for a platform."""
    for entry in index["manifests"]:
        if f"{entry['platform']['os']}/{entry['platform']['architecture']}" == platform:
            return str(entry["digest"])
    raise SystemExit(f"There is nothing for {platform}.")


def main(argv: Sequence[str]) -> None:
    """Push an index to the registry `argv[0]`, and follow it to files."""
    repository = f"{argv[0]}/examples/program"
    client = oras.client.OrasClient(insecure=True)
    with tempfile.TemporaryDirectory() as folder, oras.utils.workdir(folder):
        push_index(client, f"{repository}:v1")

        index = client.get_manifest(f"{repository}:v1")
        print(f"the index offers {len(index['manifests'])} platforms")
        digest = choose(index, "linux/arm64")
        (path,) = client.pull(f"{repository}@{digest}", outdir="by-hand")
        print(f"by hand: {Path(path).read_text().strip()}")

        # The same in one step.
        (path,) = client.pull(f"{repository}:v1", outdir="by-pull", platform="linux/amd64")
        print(f"by pull: {Path(path).read_text().strip()}")


if __name__ == "__main__":
    main(sys.argv[1:])
