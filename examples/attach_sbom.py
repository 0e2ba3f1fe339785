"""Attach a bill of materials and a signature of it to an artifact, and find both again.

Run it with the address of a registry: `python examples/attach_sbom.py localhost:5000`. It
works the same whether the registry knows referrers or not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from oras_adapters import compose, scratch_directory
from oras_core import AnnotationSet, BytesSource, File, attach, discover, push

SBOM = "application/vnd.example.sbom+json"
SIGNATURE = "application/vnd.example.signature"


def main(argv: Sequence[str]) -> None:
    """Push a program to the registry `argv[0]`, and attach to it."""
    with compose() as composition, scratch_directory() as scratch:
        repository = composition.repository(f"{argv[0]}/examples/program")
        program = File("hello.sh", BytesSource(b"#!/bin/sh\necho hello\n"))
        image = push(repository, "v1", [program], scratch=scratch)
        print(f"pushed {image.digest}")

        document = json.dumps({"components": ["sh"]}).encode()
        sbom = attach(
            repository,
            "v1",
            [File("sbom.json", BytesSource(document), "application/json")],
            artifact_type=SBOM,
            annotations=AnnotationSet({"$manifest": {"org.example.tool": "by hand"}}),
            scratch=scratch,
        )
        # What is attached can itself have something attached to it.
        attach(
            repository,
            str(sbom.digest),
            [File("signature", BytesSource(b"signed by nobody"))],
            artifact_type=SIGNATURE,
            scratch=scratch,
        )

        print("all that is attached:")
        for depth, found in discover(repository, "v1", depth=None).walk():
            if depth:
                print(f"{'  ' * depth}{found.artifact_type} {found.digest}")
        (only,) = discover(repository, "v1", artifact_type=SBOM).referrers
        print(f"made {only.descriptor.annotations['org.example.tool']}")


if __name__ == "__main__":
    main(sys.argv[1:])
