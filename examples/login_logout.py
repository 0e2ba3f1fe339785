"""Log in to a registry, use it, and log out.

Run it with the address of a registry and a user's name; the password is read from
standard input, so that it is in no history and no list of processes:
`python examples/login_logout.py registry.example.org ada < password.txt`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import oras.client
import oras.utils
from oras_core.errors import AuthenticationError


def main(argv: Sequence[str]) -> None:
    """Log in to the registry `argv[0]` as the user `argv[1]`."""
    registry, username = argv
    target = f"{registry}/examples/private:v1"
    client = oras.client.OrasClient()
    try:
        # The registry is asked at once; what it refuses is not kept.
        result = client.login(
            username=username, password="", password_stdin=True, hostname=registry
        )
    except AuthenticationError as error:
        raise SystemExit(f"{registry} does not let {username} in: {error}") from error
    print(result["Status"])

    with tempfile.TemporaryDirectory() as folder, oras.utils.workdir(folder):
        Path("diary.txt").write_text("Dear diary.\n")
        client.push(target, files=["diary.txt"])

    # Another client finds what the login has stored.
    print(f"tags: {oras.client.OrasClient().get_tags(target)}")

    client.logout(registry)
    try:
        oras.client.OrasClient().get_tags(target)
    except AuthenticationError:
        print("Logged out: the registry asks who is there.")


if __name__ == "__main__":
    main(sys.argv[1:])
