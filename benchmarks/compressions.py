"""Measure how the compression libraries pack a folder: CPU time and size of the archive.

    python benchmarks/compressions.py [--files N] [--rounds N]

Packs the same folder of text files with each installed library at its default level, in turn,
and prints the least CPU seconds of all threads as a table in Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from attrs import frozen

ROOT = Path(__file__).resolve().parents[1]
# Installed packages precede the checkout, which is for a run without an installation.
sys.path.append(str(ROOT))

from side_by_side.material import Material  # noqa: E402

from oras_adapters.compression.compressions import (  # noqa: E402 - found by the line above
    find_compression,
)
from oras_adapters.files.local_files import LocalFileTree  # noqa: E402
from oras_core.archives.archive import pack_directory  # noqa: E402
from oras_core.errors import UnsupportedError  # noqa: E402
from oras_core.ports.compression import Compression  # noqa: E402

FORMATS = {"zlib": "gzip", "zlib-ng": "gzip", "isal": "gzip", "zstd": "zstd"}
"""The format of each implementation."""

MEGABYTE = 1_000_000


@frozen
class Packed:
    """The result of one implementation.

    Attributes:
        seconds: CPU time of the process, of all threads.
        size: size of the archive, in bytes.
    """

    seconds: float
    size: int


def measure(folder: Path, implementation: str) -> Packed | None:
    """Pack a folder once; return None if the library is not installed."""
    try:
        chosen = find_compression(FORMATS[implementation], implementation, None)
    except UnsupportedError:
        return None
    compression = cast("Compression", chosen)
    begun = time.process_time()
    packed = pack_directory(LocalFileTree(folder), len, prefix="texts", compression=compression)
    return Packed(time.process_time() - begun, packed.size)


def table(files: int, rounds: int) -> str:
    """Measure all implementations, and return a table in Markdown."""
    found: dict[str, list[Packed]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        (folder,) = Material(Path(scratch)).folder(files).paths
        total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        for _ in range(rounds):
            for implementation in FORMATS:
                if packed := measure(folder, implementation):
                    found.setdefault(implementation, []).append(packed)
    lines = [
        "| `implementation` | format | processor time | archive |",
        "| --- | --- | --- | --- |",
    ]
    for implementation, results in found.items():
        seconds = min(each.seconds for each in results)
        size = f"{results[0].size / MEGABYTE:.1f} MB"
        cells = [f"`{implementation}`", FORMATS[implementation], f"{seconds:.2f} s", size]
        lines.append(f"| {' | '.join(cells)} |")
    where = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    text = f"{files:,} text files of {total / MEGABYTE:.0f} MB in total"
    return f"{where}; {text}; the least of {rounds} rounds.\n\n" + "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=2000, help="number of text files")
    parser.add_argument("--rounds", type=int, default=5, help="number of measurements of each")
    options = parser.parse_args(arguments)
    sys.stdout.write(table(options.files, options.rounds) + "\n")


if __name__ == "__main__":
    main()
