"""A client that brings its own bearer token, which a pipeline for instance has been given.

Run it with the address of a registry and a repository; the token is in REGISTRY_TOKEN:
`REGISTRY_TOKEN=… python examples/own_token.py registry.example.org team/report`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import oras.client
import oras.utils


class PipelineClient(oras.client.OrasClient):
    """Knows no user and no password, only a token; no other registry ever sees it."""

    def __init__(self, hostname: str, token: str) -> None:
        """Speak to the registry `hostname`."""
        super().__init__(hostname=hostname, auth_backend="token")
        self.auth.set_token_auth(token)


def main(argv: Sequence[str]) -> None:
    """Push to the repository `argv[1]` of the registry `argv[0]`, and list its tags."""
    hostname, repository = argv
    client = PipelineClient(hostname, os.environ["REGISTRY_TOKEN"])
    with tempfile.TemporaryDirectory() as folder, oras.utils.workdir(folder):
        Path("report.txt").write_text("All tests have passed.\n")
        # Names without a registry mean the client's own.
        client.push(f"{repository}:v1", files=["report.txt"])
        print(f"tags of {repository}: {client.get_tags(repository)}")


if __name__ == "__main__":
    main(sys.argv[1:])
