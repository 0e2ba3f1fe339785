"""Compare the costs of `oras.Client` and `OrasClient`: their start, and the first operation.

Runs both in fresh processes, in pairs and in turns, so that changes of the machine's load meet
both, against the embedded registry. Prints the medians of CPU time and of wall time, and the
median of the ratios of the pairs.

    python benchmarks/client_cost.py [--pairs N]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from attrs import frozen

ROOT = Path(__file__).resolve().parents[1]
# Installed packages precede the checkout, which is for a run without an installation.
sys.path.append(str(ROOT))

import oras  # noqa: E402 - found by the line above
from oras_adapters import RegistryServer  # noqa: E402
from oras_core.testing import EmbeddedRegistry  # noqa: E402

FACADE = "import oras.client; client = oras.client.OrasClient(insecure=True); "
CLIENT = "import oras; client = oras.Client(); "

OPERATIONS: Mapping[str, tuple[str, str]] = {
    "start": ("client.connections.composition", "client"),
    "push": (
        "client.push(target=place, files=[file], disable_path_validation=True, quiet=True)",
        "client.push(place, [file])",
    ),
    "pull": ("client.pull(target=place, outdir='out')", "client.pull(place, 'out')"),
    "tags": (
        "client.get_tags(place)",
        "list(client.tags(place.rpartition(':')[0]))",
    ),
}
"""The first operation of a process, by `OrasClient` and by `Client`."""

MILLISECONDS = 1000


@frozen
class Cost:
    """Seconds of a process.

    Attributes:
        cpu: CPU time, of user and system.
        wall: wall time.
    """

    cpu: float
    wall: float


@frozen
class Pairs:
    """The costs of an operation by both clients, pair by pair."""

    facade: list[Cost]
    client: list[Cost]

    def ratio(self) -> float:
        """Return the median of the ratios of CPU time."""
        return median(c.cpu / f.cpu for c, f in zip(self.client, self.facade, strict=True))


def cost(program: str, place: str, file: Path) -> Cost:
    """Run a program in a new process, in an empty folder."""
    preamble = f"import sys; sys.path.append({str(ROOT)!r}); _, place, file = sys.argv; "
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", preamble + program, place, file],
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"ended with {process.returncode}: {program}")
    return Cost(usage.ru_utime + usage.ru_stime, wall)


def measured(operation: str, place: str, file: Path, pairs: int) -> Pairs:
    """Run an operation by both clients in turns; every other pair begins with `Client`."""
    by_facade, by_client = OPERATIONS[operation]
    costs = Pairs([], [])
    programs = [(FACADE + by_facade, costs.facade), (CLIENT + by_client, costs.client)]
    for number in range(pairs):
        for program, found in programs if number % 2 else programs[::-1]:
            found.append(cost(program, place, file))
    return costs


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=31)
    pairs = parser.parse_args().pairs
    with RegistryServer(EmbeddedRegistry()) as server, tempfile.TemporaryDirectory() as folder:
        place, file = f"{server.address}/benchmark/cost:v1", Path(folder, "small.bin")
        file.write_bytes(bytes(16 * 1024))
        with oras.Client() as client:
            client.push(place, file)
        print("| first operation | OrasClient CPU (wall), ms | Client CPU (wall), ms | ratio |")
        print("| --- | --- | --- | --- |")
        for operation in OPERATIONS:
            found = measured(operation, place, file, pairs)
            cells = " | ".join(_milliseconds(costs) for costs in (found.facade, found.client))
            print(f"| {operation} | {cells} | {found.ratio():.2f} |")


def _milliseconds(costs: list[Cost]) -> str:
    cpu = median(one.cpu for one in costs) * MILLISECONDS
    wall = median(one.wall for one in costs) * MILLISECONDS
    return f"{cpu:.0f} ({wall:.0f})"


if __name__ == "__main__":
    main()
