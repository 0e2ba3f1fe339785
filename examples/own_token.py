"""Use a bearer token of your own, for instance one that a pipeline was given.

The token is in REGISTRY_TOKEN. Run it with the address of a registry and a repository:
`REGISTRY_TOKEN=… python examples/own_token.py registry.example.org team/report`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import oras
from oras_core import BytesSource, File
from oras_core.ports import Credential


def main(argv: Sequence[str]) -> None:
    """Push to the repository `argv[1]` of the registry `argv[0]`, and list its tags."""
    registry, repository = argv
    # No other registry gets the token.
    token = Credential(registry_token=os.environ["REGISTRY_TOKEN"])
    with oras.Client(credentials={registry: token}) as client:
        report = File("report.txt", BytesSource(b"All tests have passed.\n"))
        client.push(f"{registry}/{repository}:v1", report)
        print(f"tags of {repository}: {', '.join(client.tags(f'{registry}/{repository}'))}")


if __name__ == "__main__":
    main(sys.argv[1:])
