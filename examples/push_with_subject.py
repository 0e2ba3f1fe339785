"""Attach an artifact to another one, as signatures and bills of materials are.

Run it with the address of a registry: `python examples/push_with_subject.py localhost:5000`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import oras.client
import oras.oci
import oras.utils


def main(argv: Sequence[str]) -> None:
    """Push a file to the registry `argv[0]`, attach a bill of materials, and find it again."""
    package = f"{argv[0]}/examples/attached:v1"
    client = oras.client.OrasClient(insecure=True)
    with tempfile.TemporaryDirectory() as folder, oras.utils.workdir(folder):
        Path("program").write_text("#!/bin/sh\necho hello\n")
        client.push(package, files=["program"])

        Path("sbom.json").write_text(json.dumps({"components": ["sh"]}))
        subject = oras.oci.Subject.from_manifest(client.get_manifest(package))
        client.push(
            f"{argv[0]}/examples/attached:v1-sbom",
            files=["sbom.json:application/vnd.example.sbom+json"],
            manifest_annotations={"org.example.kind": "sbom"},
            subject=subject,
        )
        print(f"attached to {subject.digest}")

        # What refers to an artifact is a question to the core's repository.
        container = client.get_container(package)
        repository = client.connections.repository(container)
        for referrer in repository.referrers(repository.resolve("v1")):
            manifest = client.get_manifest(f"{argv[0]}/examples/attached@{referrer.digest}")
            kind = manifest["annotations"]["org.example.kind"]
            print(f"{kind} {referrer.digest} refers to {manifest['subject']['digest']}")


if __name__ == "__main__":
    main(sys.argv[1:])
