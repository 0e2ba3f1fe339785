"""Push a program for several platforms under one tag, and pull it for one of them.

Run it with the address of a registry: `python examples/platforms.py localhost:5001`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence

import oras
from oras_core import BytesSource, Config, File

PLATFORMS = ("linux/amd64", "linux/arm64")


def push_for(client: oras.Client, repository: str, platform: str) -> str:
    """Push the program for a platform, which its config names; return its tag."""
    system, architecture = platform.split("/")
    described = json.dumps({"os": system, "architecture": architecture}).encode()
    tag = f"v1-{system}-{architecture}"
    client.push(
        f"{repository}:{tag}",
        File("program", BytesSource(f"I run on {platform}.\n".encode())),
        config=Config(BytesSource(described), "application/vnd.oci.image.config.v1+json"),
    )
    return tag


def main(argv: Sequence[str]) -> None:
    """Push an index to the registry `argv[0]`, and pull from it."""
    repository = f"{argv[0]}/examples/platforms"
    with oras.Client() as client, tempfile.TemporaryDirectory() as folder:
        tags = [push_for(client, repository, platform) for platform in PLATFORMS]
        index = client.index(f"{repository}:v1", tags)
        print(f"{index.digest} offers {', '.join(PLATFORMS)}")
        (program,) = client.pull(f"{repository}:v1", folder, platform="linux/arm64").files
        print(program.read_text().strip())


if __name__ == "__main__":
    main(sys.argv[1:])
