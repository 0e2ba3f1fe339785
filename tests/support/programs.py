"""Programs of other projects that some tests run against: a registry, a client, a password tool."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import pytest

TIMEOUT_SECONDS: Final = 60.0

DEBIAN_PACKAGES = {
    "docker-registry": "docker-registry",
    "skopeo": "skopeo",
    "umoci": "umoci",
    "zstd": "zstd",
    "htpasswd": "apache2-utils",
    "curl": "curl",
    "mkfs.btrfs": "btrfs-progs",
    "mkfs.xfs": "xfsprogs",
}


def require_program(name: str) -> str:
    """The program's path; where it is missing the test is skipped, and with CI=true it fails."""
    found = shutil.which(name)
    if found is None:
        skip_or_fail(f"{name} is not installed (Debian: apt-get install {DEBIAN_PACKAGES[name]})")
    return found


def skip_or_fail(message: str) -> NoReturn:
    """End a test that lacks something from outside: a skip on a desk, with CI=true a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def output_of(
    command: Sequence[str | os.PathLike[str]],
    home: Path,
    *,
    cwd: Path | None = None,
    stdin: str = "",
    **variables: str,
) -> str:
    """Run a program with a home folder and without the configuration of the machine.

    Returns:
        Its standard output.

    Raises:
        RuntimeError: if it fails; the message has its standard error.
    """
    arguments = [os.fspath(argument) for argument in command]
    done = subprocess.run(
        arguments,
        check=False,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        cwd=cwd or home,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "TMPDIR": str(home),
            **variables,
        },
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return done.stdout
