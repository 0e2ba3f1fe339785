"""One process, measured as a whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from attrs import evolve, frozen

from side_by_side.clients.client import Command

_LAUNCH = Path(__file__).with_name("launch.py")
_LIMIT_SECONDS = 180.0
_SHOWN = 300
"""Number of characters that an error quotes from the end of a program's output."""


class ClientError(Exception):
    """A client failed, or did not do its step."""


@frozen
class Measure:
    """The costs of one process.

    `wall`, `cpu` and `inside` are seconds, `peak` is bytes; `inside` is the time of the operation
    itself, without start and import, of clients that tell it. `requests` are those that the
    registry has answered.
    """

    wall: float
    cpu: float
    peak: int
    inside: float | None = None
    requests: int | None = None
    listed: int | None = None


def measure(command: Command, scratch: Path) -> Measure:
    """Run a client; `scratch` is its home and may be filled.

    Raises:
        ClientError: it failed, or took too long; the message holds what it said at last.
    """
    outcome, said, report = (scratch / name for name in ("outcome", "said", "report"))
    report.unlink(missing_ok=True)
    with said.open("wb") as output:
        launcher = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LAUNCH), str(outcome), *command.arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=command.cwd or scratch,
            env=_environment(scratch, command),
            start_new_session=True,
        )
        try:
            launcher.wait(_LIMIT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise ClientError(f"took longer than {_LIMIT_SECONDS:.0f} s") from error
        finally:
            if launcher.returncode is None:
                os.killpg(launcher.pid, signal.SIGKILL)
                launcher.wait()
    if launcher.returncode != 0:
        raise ClientError(f"could not be started: {_tail(said)}")
    status, wall, cpu, peak = outcome.read_text(encoding="ascii").split()
    if status != "0":
        raise ClientError(f"ended with {status}: {_tail(said)}")
    measured = Measure(float(wall), float(cpu), int(peak))
    if not report.exists():
        return measured
    told = json.loads(report.read_bytes())
    return evolve(measured, inside=told["seconds"], listed=told.get("listed"))


def _environment(scratch: Path, command: Command) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "XDG_RUNTIME_DIR": str(scratch),
        "LANG": "C.UTF-8",
        "NO_PROXY": "*",
        "REPORT": str(scratch / "report"),
        **command.environment,
    }


def _tail(said: Path) -> str:
    return " ".join(said.read_text(errors="replace").split())[-_SHOWN:]
