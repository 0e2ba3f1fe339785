"""Log in to a registry, use it, and log out.

The password is read from standard input, so that neither the history of the shell nor the
list of processes has it. Run it with the address of a registry and a user name:
`python examples/login_logout.py registry.example.org ada < password.txt`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import oras
from oras_core import BytesSource, File
from oras_core.errors import AuthenticationError


def main(argv: Sequence[str]) -> None:
    """Log in to the registry `argv[0]` as the user `argv[1]`."""
    registry, username = argv
    repository = f"{registry}/examples/private"
    with oras.Client() as client:
        try:
            # The registry checks the password; the store gets it only if it is right.
            client.login(registry, username, sys.stdin.readline().rstrip("\n"))
        except AuthenticationError as error:
            raise SystemExit(f"{registry} rejects {username}: {error}") from error
        client.push(f"{repository}:v1", File("diary.txt", BytesSource(b"Dear diary.\n")))

    # Another client finds the stored credential.
    with oras.Client() as client:
        print(f"tags: {', '.join(client.tags(repository))}")
        client.logout(registry)
        try:
            list(client.tags(repository))
        except AuthenticationError:
            print("Logged out: the registry asks for a credential.")


if __name__ == "__main__":
    main(sys.argv[1:])
