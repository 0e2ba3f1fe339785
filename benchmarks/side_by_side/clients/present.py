"""Which clients this machine has, and how to get the others."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import oras
from side_by_side.clients.client import Client
from side_by_side.clients.curl import Curl
from side_by_side.clients.go_oras import GoOras
from side_by_side.clients.python import Dxf, OrasLibrary, PythonAlone
from side_by_side.clients.skopeo import Skopeo
from support.peer_oras import PEER_REQUIREMENT, PEER_VARIABLE

OURS = "oras-sdk"
CURL = "curl"
PYTHON_ALONE = "Python alone"
REFERENCES = (CURL, PYTHON_ALONE)
"""The references. In each row, the first of them that can do the work."""

HOW_TO_GET = {
    CURL: "curl 7.84 or newer, and bash (Debian: apt-get install curl)",
    PYTHON_ALONE: "it runs this",
    OURS: "it is here",
    "oras-py": f"{PEER_VARIABLE} has to name a Python with it (pip install {PEER_REQUIREMENT})",
    "python-dxf": f"the Python of {PEER_VARIABLE} has to have it too (pip install python-dxf)",
    "skopeo": "Debian: apt-get install skopeo",
    "oras (Go)": "Debian 14: apt-get install oras",
}
"""Every client, and how to get it."""


def present() -> list[Client]:
    """Return the clients of this machine, in the order of `HOW_TO_GET`."""
    return sorted(_found(), key=lambda client: list(HOW_TO_GET).index(client.name))


def _found() -> Iterator[Client]:
    here = Path(sys.executable)
    yield PythonAlone(platform.python_version(), here)
    yield OrasLibrary(OURS, oras.__version__, here, Path(oras.__file__).parents[1])
    if peer := _peer_python():
        if version := _distribution(peer, "oras"):
            yield OrasLibrary("oras-py", version, peer)
        if version := _distribution(peer, "python-dxf"):
            yield Dxf(version, peer)
    shell, curl = shutil.which("bash"), shutil.which("curl")
    if shell and curl:
        yield Curl(_said_version(curl, "--version"), shell)
    if skopeo := shutil.which("skopeo"):
        yield Skopeo(_said_version(skopeo, "--version"), skopeo)
    # A Python environment may have a program of this name, which has no such verb.
    if (program := shutil.which("oras")) and (version := _said_version(program, "version")):
        yield GoOras(version, program)


def _peer_python() -> Path | None:
    """Return the interpreter that the variable names, or that tests have put where it points."""
    named = Path(os.environ.get(PEER_VARIABLE, ""))
    kept = named / PEER_REQUIREMENT.replace("==", "-") / "bin" / "python"
    return next((path for path in (named, kept) if path.is_file()), None)


def _distribution(python: Path, name: str) -> str:
    """Return the version of an installed distribution; empty if there is none."""
    program = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
    return _said_version(str(python), "-I", "-c", program, name)


def _said_version(*command: str) -> str:
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return found[0] if found and done.returncode == 0 else ""
