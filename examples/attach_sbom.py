"""Attach an SBOM and a signature of it to an artifact, and find and read both.

It works with and without the referrers API. Run it with the address of a registry:
`python examples/attach_sbom.py localhost:5001`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import oras
from oras_core import BytesSource, File

SBOM = "application/vnd.example.sbom+json"
SIGNATURE = "application/vnd.example.signature"


def main(argv: Sequence[str]) -> None:
    """Push a program to the registry `argv[0]`, and attach to it."""
    repository = f"{argv[0]}/examples/program"
    with oras.Client() as client:
        client.push(f"{repository}:v1", File("hello.sh", BytesSource(b"#!/bin/sh\necho hello\n")))
        document = BytesSource(json.dumps({"components": ["sh"]}).encode())
        sbom = client.attach(
            f"{repository}:v1",
            File("sbom.json", document, "application/json"),
            artifact_type=SBOM,
            annotations={"org.example.tool": "by hand"},
        )
        # An attached artifact may have a referrer, too.
        signature = File("signature", BytesSource(b"signed by nobody"))
        client.attach(f"{repository}@{sbom.digest}", signature, artifact_type=SIGNATURE)

        for referrer in client.referrers(f"{repository}:v1", recursive=True):
            print(f"{referrer.artifact_type} {referrer.digest}")
        (found,) = client.referrers(f"{repository}:v1", artifact_type=SBOM)
        content = client.read(f"{repository}@{found.digest}", "sbom.json")
        print(f"made {found.annotations['org.example.tool']}: {json.loads(content)['components']}")


if __name__ == "__main__":
    main(sys.argv[1:])
