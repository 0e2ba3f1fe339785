"""Programs of other projects that some tests run against: a registry, a client, a password tool."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

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
