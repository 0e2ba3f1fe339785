"""A client in a process of its own, to be interrupted, killed, or kept from writing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["SETTINGS", "environment_of", "start", "tidy_tree"]

SETTINGS = """
[network]
connect_timeout = 5.0
read_timeout = 5.0
attempts = 2
"""

_PROGRAM = """
import contextlib, importlib, os, pkgutil, resource, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent may have it ignored
root, action, target, *names = sys.argv[1:]
import oras.client, oras_adapters.files.local_files, oras_adapters.http.urllib3_transport, oras_core
client = oras.client.OrasClient(insecure=True)
if os.environ.get("VICTIM_USER"):
    # Modules and settings are loaded on first use, and the other user may be unable to read them.
    client.connections.composition
    for package in (oras, oras_core, oras_adapters):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    os.setgid(int(os.environ["VICTIM_USER"]))
    os.setuid(int(os.environ["VICTIM_USER"]))
if limit := int(os.environ.get("VICTIM_LIMIT", "0")):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
if action == "pull":
    client.pull(target, outdir=".")
elif action == "login":
    client.login("alice", "a-password", hostname=target)
else:
    client.push(target, files=names)
"""

NOBODY = 65534


def environment_of(home: Path) -> dict[str, str]:
    """Return the variables of a process whose home is `home`, with settings that wait little."""
    settings = home / "settings.toml"
    settings.write_text(SETTINGS)
    # An empty entry means the working directory, which is another one there.
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "ORAS_CONFIG": str(settings),
        # A limit of the size of files would cut compiled modules short, for all later processes.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": path,
    }


def start(
    folder: Path,
    home: Path,
    action: str,
    target: str,
    *names: str,
    file_limit: int | None = None,
    unprivileged: bool = False,
) -> subprocess.Popen[str]:
    """Start a pull into `folder`, or a push from it.

    Args:
        folder: the working directory.
        home: the home folder of the process.
        action: `pull`, `push` or `login`.
        target: the artifact to pull or to push, or the registry.
        names: the files to push.
        file_limit: the size in bytes at which the kernel refuses to extend a file.
        unprivileged: whether root changes to another user first, as root may write everywhere.
    """

    environment = environment_of(home)
    if file_limit is not None:
        environment["VICTIM_LIMIT"] = str(file_limit)
    if unprivileged and os.getuid() == 0:
        environment["VICTIM_USER"] = str(NOBODY)
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(folder), action, target, *names],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tidy_tree(root: Path) -> dict[str, bytes]:
    """Return all files below `root` but unfinished ones, which bear their own name."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
        and not any(part.endswith(".oras-partial") for part in path.relative_to(root).parts)
    }
