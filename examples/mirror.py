"""Mirror a repository with all tags and referrers, to another registry or within one.

Run it with the addresses of two registries, which may be the same one:
`python examples/mirror.py localhost:5001 localhost:5002`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import oras
from oras_core import BytesSource, File

COMMON = File("common.bin", BytesSource(bytes(1_000_000)))


def push_version(client: oras.Client, repository: str, version: str, notes: str) -> None:
    """Push a version, which shares a file with all others."""
    changes = File("notes.txt", BytesSource(notes.encode()))
    client.push(f"{repository}:{version}", [COMMON, changes])


def main(argv: Sequence[str]) -> None:
    """Fill a repository of the registry `argv[0]`, and mirror it to `argv[1]` three times."""
    source, destination = f"{argv[0]}/examples/versions", f"{argv[1]}/examples/mirrored"
    with oras.Client() as client:
        for version in ("v1", "v2", "v3"):
            push_version(client, source, version, f"This is {version}.\n")
        client.attach(f"{source}:v3", artifact_type="application/vnd.example.signature")
        print(f"first run: {client.mirror(source, destination)}")
        print(f"second run: {client.mirror(source, destination)}")
        push_version(client, source, "v3", "This is v3, corrected.\n")
        third = client.mirror(source, destination)
        print(f"third run: {third}")
        print(f"tags that changed: {', '.join(third.created)}")


if __name__ == "__main__":
    main(sys.argv[1:])
