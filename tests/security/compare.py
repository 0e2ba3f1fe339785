"""Count how many rows of the security tables hold: with this library, oras-py and Go's `oras`.

    python tests/security/compare.py [--rows PATTERN] [--jobs N] [--seconds S] [--why] [--peer|--go]

Each row runs in a separate process: this library's in this interpreter, and oras-py's in one that
has oras-py installed (see `support.peer_oras`). Go's `oras` does the steps by its command line.
Any error of another client counts. A row holds if the client fails where it must, writes nothing
outside its folder, and shows secrets to their own host only. A row that takes longer than the limit
does not hold. Rows about features that only this library has, such as resuming, are not run with
other clients, and neither are rows with a step that the command line lacks.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

from rows import ROWS  # noqa: E402 - found by the line above

from support import client_steps, go_steps  # noqa: E402
from support.certificates import CertificateFiles  # noqa: E402
from support.hostile_certificates import write_hostile_certificates  # noqa: E402
from support.peer_oras import PEER_REQUIREMENT, peer_python  # noqa: E402
from support.threat_cases import Case  # noqa: E402
from support.threat_judge import Report, objections, observed  # noqa: E402
from support.threat_stage import Stage, staged  # noqa: E402

SETTINGS = """
[network]
connect_timeout = 2.0
read_timeout = 1.0
attempts = 3
max_pause = 2.0
"""

GROSS_MEMORY = 48 * 1024 * 1024
"""Bytes that a process grows by whatever it does: modules are loaded late."""


class Program:
    """A client in a process of its own."""

    steps_source = Path(client_steps.__file__)

    def __init__(self, name: str, command: list[str], *, foreign: bool, seconds: float) -> None:
        self.name = name
        self.foreign = foreign
        self._command = command
        self._seconds = seconds

    def tries(self, case: Case) -> bool:
        """Tell whether a row can be run with the client."""
        return not (self.foreign and case.own)

    def client_arguments(self, stage: Stage) -> dict[str, object]:
        """Return how the client is made."""
        return stage.client_arguments(foreign=self.foreign)

    def report(self, stage: Stage, settings: Path) -> Report:
        """Let the row happen to it."""
        given = {"steps": stage.steps(), "client": self.client_arguments(stage)}
        environment = {
            **stage.folders.environment(),
            "LANG": "C.UTF-8",
            "ORAS_CONFIG": str(settings),
            "PYTHONPATH": str(HERE.parents[1]),
        }
        try:
            done = subprocess.run(
                [*self._command, "-c", self.steps_source.read_text("utf-8"), json.dumps(given)],
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self._seconds,
                cwd=stage.folders.source,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            reason = f"it was ended after {self._seconds:g} seconds"
            return Report("did not end", (), "", reason, self._seconds, 0)
        try:
            told = json.loads(done.stdout.rpartition("\n")[2])
        except ValueError:
            return Report("died", (), done.stderr, done.stderr[-200:], 0.0, 0)
        return Report(
            told["outcome"],
            tuple(told["kinds"]),
            told["text"] + done.stderr + done.stdout.rpartition("\n")[0],
            told.get("message", ""),
            told["seconds"],
            max(told["memory"] - GROSS_MEMORY, 0),
        )


class GoProgram(Program):
    """Go's `oras`, by its command line."""

    steps_source = Path(go_steps.__file__)

    def __init__(self, program: str, *, seconds: float) -> None:
        # The process of the steps ends the program, and only then is ended itself.
        super().__init__("oras (Go)", [sys.executable], foreign=True, seconds=seconds + 10)
        self._program, self._step_seconds = program, seconds

    def tries(self, case: Case) -> bool:
        return super().tries(case) and all(go_steps.can_do(step) for step in case.steps)

    def client_arguments(self, stage: Stage) -> dict[str, object]:
        own = {"program": self._program, "seconds": self._step_seconds}
        return {**super().client_arguments(stage), **own}


def judged(
    program: Program,
    case: Case,
    scheme: str,
    certificates: Mapping[str, CertificateFiles],
    settings: Path,
) -> list[str]:
    """Return what does not hold of a row with a client."""
    with tempfile.TemporaryDirectory(prefix="oras-row-") as folder:
        root = Path(folder) / "row"
        root.mkdir()
        try:
            with staged(case, scheme, root, certificates) as stage:
                report = program.report(stage, settings)
                return objections(stage, observed(stage, report), foreign=program.foreign)
        except (OSError, ValueError, LookupError) as error:
            return [f"{type(error).__name__}: {error}"]


def programs(options: argparse.Namespace) -> list[Program]:
    """Return the clients: this library and oras-py, unless a single other one is chosen."""
    seconds = options.seconds
    if options.go:
        program = shutil.which("oras")
        if program is None:
            raise SystemExit("Go's oras is not installed (Debian 14: apt-get install oras)")
        return [GoProgram(program, seconds=seconds)]
    cache = HERE.parents[1] / ".pytest_cache" / "d" / "oras-peer"
    own = Program("this library", [sys.executable], foreign=False, seconds=seconds + 10)
    peer = [str(peer_python(cache)), "-I"]
    contestants = [own, Program(PEER_REQUIREMENT, peer, foreign=True, seconds=seconds)]
    return contestants[int(options.peer) :]


def main() -> int:
    """Print how many rows hold; the status is 1 if one does not with this library."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", default="", help="a pattern that the rows' names must have")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="given to another client for a row"
    )
    parser.add_argument("--why", action="store_true", help="say what does not hold")
    parser.add_argument("--peer", action="store_true", help="run oras-py alone")
    parser.add_argument("--go", action="store_true", help="run Go's oras alone")
    options = parser.parse_args()
    rows = [
        (case, scheme)
        for case in ROWS
        if re.search(options.rows, case.id)
        for scheme in case.schemes
    ]
    contestants = programs(options)
    numbers = Counter(case.id.partition("-")[0] for case, _ in rows)
    held: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix="oras-compare-") as folder:
        certificates = write_hostile_certificates(Path(folder))
        settings = Path(folder) / "settings.toml"
        settings.write_text(SETTINGS)
        for program in contestants:
            tried = [row for row in rows if program.tries(row[0])]
            kinds = [case.id.partition("-")[0] for case, _ in tried]
            with ThreadPoolExecutor(options.jobs) as pool:
                found = list(
                    pool.map(lambda row: judged(program, *row, certificates, settings), tried)  # noqa: B023
                )
            held[program.name] = Counter(dict.fromkeys(kinds, 0))
            held[program.name].update(
                kind for kind, wrong in zip(kinds, found, strict=True) if not wrong
            )
            if options.why:
                for (case, scheme), wrong in zip(tried, found, strict=True):
                    if wrong:
                        print(f"{program.name}: {case.id} over {scheme}: {'; '.join(wrong)}")
    _print_table(numbers, held)
    return int(held[contestants[0].name].total() < len(rows))


def _print_table(rows: Counter[str], held: Mapping[str, Counter[str]]) -> None:
    print(f"{'rows':14}{'number':>8}" + "".join(f"{name:>16}" for name in held))
    for kind, count in rows.items():
        print(
            f"{kind:14}{count:8}"
            + "".join(f"{counts.get(kind, '-'):>16}" for counts in held.values())
        )
    totals = "".join(f"{counts.total():16}" for counts in held.values())
    print(f"{'all':14}{rows.total():8}{totals}")


if __name__ == "__main__":
    sys.exit(main())
