"""Measure this library beside other clients: time, memory and requests of the same work.

    python benchmarks/performance.py [--quick] [--only NAMES] [--clients NAMES] [--write DOCS]

Starts a docker-registry on the loopback interface, and prints a table. With --write the table goes
into DOCS/performance.md, between its two markers, and pictures of how cost grows beside it.
docs/performance.md says how to read both. `tox -e benchmarks` brings what is needed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from attrs import evolve

ROOT = Path(__file__).resolve().parents[1]
# Installed packages precede the checkout, which is for a run without an installation.
sys.path += [str(ROOT), str(ROOT / "tests")]

from side_by_side.clients.client import Client  # noqa: E402 - found by the line above
from side_by_side.clients.present import HOW_TO_GET, PYTHON_ALONE, present  # noqa: E402
from side_by_side.results import Results, Row  # noqa: E402
from side_by_side.table import markdown, replace_measured  # noqa: E402
from side_by_side.tournament import Tournament  # noqa: E402
from side_by_side.workloads import (  # noqa: E402
    FULL,
    MEBIBYTE,
    QUICK,
    Curve,
    Sizes,
    Step,
    Workload,
    curves_of,
    table_of,
)

MEMORY = Path("/dev/shm")  # noqa: S108 - private folders are made in it
"""A folder in memory, so that no disk hides the times of the clients."""

COPIES = 5
"""The biggest file is pushed, kept by the registry, and pulled; clients may need as much again."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print or write."""
    options = _parser().parse_args(arguments)
    if shutil.which("docker-registry") is None:
        sys.exit("docker-registry is not installed (Debian: apt-get install docker-registry)")
    if options.write is not None and importlib.util.find_spec("matplotlib") is None:
        sys.exit("matplotlib, which draws the pictures, is not installed (pip install matplotlib)")
    # A terminated run ends its processes and removes its files, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    sizes = _sizes(options)
    wanted = table_of(sizes)
    clients = [client for client in present() if client.name in options.clients]
    curves = curves_of(sizes) if options.write else {}
    results, rows = _measure(
        clients,
        [wanted[name] for name in options.only],
        [curve for name, curve in curves.items() if name in options.only],
        sizes,
    )
    versions = {client.name: client.version for client in clients}
    missing = [name for name in options.clients if name not in versions]
    results.notes += [f"{name} ({HOW_TO_GET[name]})" for name in missing]
    measured = f"{_conditions(versions, sizes)}\n\n{markdown(results, rows, list(versions))}"
    if options.write is None:
        print(measured)
        return
    listings = [curve for curve in curves.values() if Step.LIST in curve.steps]
    measured += "".join(
        f"\n\n{_picture(curve)}" for curve in listings if curve.name in options.only
    )
    page = options.write / "performance.md"
    page.write_text(replace_measured(page.read_text("utf-8"), measured), encoding="utf-8")
    from side_by_side.plots import write_plot  # noqa: PLC0415 - matplotlib draws, and no more

    for name, curve in curves.items():
        if name in options.only:
            write_plot(curve, results, options.write / f"performance-{curve.name}.svg")


def _picture(curve: Curve) -> str:
    return f"![Seconds over the {curve.axis}, for each client](performance-{curve.name}.svg)"


def _measure(
    clients: list[Client], workloads: Iterable[Workload], curves: Iterable[Curve], sizes: Sizes
) -> tuple[Results, list[Row]]:
    """Return all that was measured, and the rows of the table in it."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=_place(sizes)) as folder:
        tournament = Tournament(clients, Path(folder), sizes.repetitions, _tell)
        for workload in workloads:
            tournament.run(workload)
        rows = list(tournament.results.rows())
        measured = {row.workload for row in rows}
        for curve in curves:
            for _, workload in curve.points:
                if workload not in measured:
                    tournament.run(workload)
    return tournament.results, rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="little of everything, once")
    parser.add_argument("--write", type=Path, metavar="DOCS", help="the folder of performance.md")
    choices = list(table_of(FULL))
    parser.add_argument("--only", type=_names(choices), default=choices, help=", ".join(choices))
    everyone = list(HOW_TO_GET)
    parser.add_argument(
        "--clients", type=_names(everyone), default=everyone, help=", ".join(everyone)
    )
    parser.add_argument("--repetitions", type=int)
    parser.add_argument("--big", type=int, metavar="MIB", help="size of the one file")
    parser.add_argument("--files", type=int, help="number of small files")
    parser.add_argument("--folder", type=int, help="number of text files in the folder")
    parser.add_argument("--tags", type=int)
    parser.add_argument("--delay", type=float, metavar="MS", help="of the line, each way")
    parser.add_argument("--limited", type=int, metavar="MIB", help="size of the file on that line")
    parser.add_argument("--delayed-files", type=int, help="number of files over that line")
    return parser


def _names(known: Sequence[str]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        chosen = text.split(",")
        if not set(chosen) <= set(known):
            raise argparse.ArgumentTypeError(f"only {', '.join(known)} are known")
        return [name for name in known if name in chosen]

    return names


def _sizes(options: argparse.Namespace) -> Sizes:
    sizes = QUICK if options.quick else FULL
    given = {
        "repetitions": options.repetitions,
        "big": options.big and options.big * MEBIBYTE,
        "files": options.files,
        "folder": options.folder,
        "tags": options.tags,
        "delay": options.delay and options.delay / 1000,
        "delayed_files": options.delayed_files,
        "limited": options.limited and options.limited * MEBIBYTE,
    }
    return evolve(sizes, **{name: value for name, value in given.items() if value is not None})


def _place(sizes: Sizes) -> Path | None:
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > COPIES * sizes.big:
        return MEMORY
    return None


def _conditions(versions: Mapping[str, str], sizes: Sizes) -> str:
    others = ", ".join(
        f"{name} {version}" for name, version in versions.items() if name != PYTHON_ALONE
    )
    where = "in memory" if _place(sizes) == MEMORY else "on disk"
    return (
        f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}; "
        f"all files {where}; repetitions: {sizes.repetitions}. {others}."
    )


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
