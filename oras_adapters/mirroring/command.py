"""The command `python -m oras_adapters.mirroring`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from oras_adapters.mirroring.rules import Rules, read_rules
from oras_adapters.mirroring.runs import run_rules, verify_rules
from oras_core.errors import OrasError, WorkerError
from oras_core.mirroring.report import Progress, unreported

__all__ = ["main"]

INTERRUPTED: Final = 130
"""The exit status after Ctrl-C, as shells have it."""

PROGRESS_SECONDS: Final = 1.0
"""Seconds between two lines of progress."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run or verify a mirror.

    Returns:
        0 if the mirror is complete; 1 if jobs failed or are open, workers were lost, or both
        sides differ; 2 if the rules or settings cannot be used; 130 after an interrupt.
    """
    parser = argparse.ArgumentParser(
        prog="python -m oras_adapters.mirroring",
        description="Mirror registries by rules, or continue a run that was interrupted.",
    )
    parser.add_argument("rules", type=Path, help="the rules, such as mirror.toml")
    parser.add_argument(
        "--retry-failed", action="store_true", help="repeat only the failed jobs of the last run"
    )
    parser.add_argument("--verify", action="store_true", help="compare both sides; copy nothing")
    parser.add_argument(
        "--deep", action="store_true", help="with --verify: look for every blob as well"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the report, or each difference, as JSON"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    options = parser.parse_args(arguments)
    if options.deep and not options.verify:
        parser.error("--deep needs --verify")
    if options.verify and options.retry_failed:
        parser.error("--verify copies nothing, so that --retry-failed has no use")
    try:
        rules = read_rules(options.rules)
        if options.verify:
            return _verify(rules, deep=options.deep, as_json=options.json)
        listener = unreported if options.quiet else _Lines()
        report = run_rules(rules, listener=listener, only_failed=options.retry_failed)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the next run continues\n")
        return INTERRUPTED
    except WorkerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OrasError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{report.json() if options.json else report.text()}\n")
    return 0 if report.is_complete else 1


def _verify(rules: Rules, *, deep: bool, as_json: bool) -> int:
    count = 0
    for count, difference in enumerate(verify_rules(rules, deep=deep), start=1):  # noqa: B007
        sys.stdout.write(f"{difference.json() if as_json else difference}\n")
    if not as_json:
        sys.stdout.write(f"{count} differences\n" if count else "no difference\n")
    return 1 if count else 0


class _Lines:
    """Writes a line of progress, at most one in `PROGRESS_SECONDS`."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PROGRESS_SECONDS
            sys.stderr.write(f"{progress.text()}\n")
            sys.stderr.flush()
