"""The PyPI package `oras`, the other Python client, in an interpreter of its own.

It has the same import name as the facade under test, so that the two cannot live together.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from support.programs import skip_or_fail

PEER_REQUIREMENT = "oras==0.2.43"
PEER_VARIABLE = "ORAS_PEER_PYTHON"
_TIMEOUT_SECONDS = 300.0


def run_peer(python: Path, home: Path, script: str, *arguments: str | os.PathLike[str]) -> str:
    """Run `script` (Python source) with the peer's interpreter and return its standard output.

    `home` is the working directory and the home, where it may leave what it likes.

    Raises:
        RuntimeError: the script failed; the message holds its standard error.
    """
    # -I keeps the checkout and the environment out of the module search path.
    done = subprocess.run(
        [str(python), "-I", "-c", script, *(os.fspath(argument) for argument in arguments)],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        cwd=home,
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "TMPDIR": str(home)},
    )
    if done.returncode != 0:
        raise RuntimeError(f"the peer's script ended with {done.returncode}: {done.stderr}")
    return done.stdout


def peer_python(cache: Path) -> Path:
    """Return an interpreter that has the peer installed.

    The variable ORAS_PEER_PYTHON names either that interpreter or a folder to keep it in; without
    it the folder is `cache`. Where the peer cannot be installed the test is skipped, or fails in
    CI.
    """
    named = os.environ.get(PEER_VARIABLE)
    if named is not None:
        if Path(named).is_file():
            return Path(named)
        cache = Path(named)
    home = cache / PEER_REQUIREMENT.replace("==", "-")
    if not home.exists():
        try:
            _install(home)
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or str(error)
            skip_or_fail(f"{PEER_REQUIREMENT} cannot be installed into {home}: {said}")
    return home / "bin" / "python"


def _install(home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    # Built aside and renamed: another worker sees a complete environment or none.
    with tempfile.TemporaryDirectory(prefix="building-", dir=home.parent) as name:
        building = Path(name) / "environment"
        for command in (
            [sys.executable, "-m", "venv", str(building)],
            [str(building / "bin" / "python"), "-m", "pip", "install", "-q", PEER_REQUIREMENT],
        ):
            subprocess.run(
                command,
                check=True,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_SECONDS,
            )
        try:
            building.rename(home)
        except OSError:
            if not home.exists():  # else another worker was quicker
                raise
