"""Which part of the library takes the processor time of a transfer of small files?

    python benchmarks/shares.py [--files N] [--size BYTES]

Pushes and pulls files at a docker-registry under the profiler of the standard library, and prints
the share of each part. The profiler makes calls dearer than they are, so that parts with many
small calls look larger; the shares tell where to look.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT), str(ROOT / "tests")]

from oras_adapters import Client, Settings, TransferSettings  # noqa: E402 - found by the line above
from support.docker_registry import DockerRegistry, RegistryConfig  # noqa: E402

THREADS = 4
"""Few, so that threads wait for the registry and not for one another."""

PARTS = {
    "oras_adapters/http": "HTTP connections",
    "socket": "the system: sockets, files, hashing",
    "oras_core/registry": "rules of registries",
    "oras_core/ports/http": "rules of registries",
    "oras_core/copying": "copy engine",
    "oras_core/content": "hashing and verification",
    "oras_adapters/files": "files",
    "oras_core/stores": "files",
    "oras_core": "values and the rest of the core",
    "attrs generated": "values and the rest of the core",
    "~": "the system: sockets, files, hashing",
}
"""The part of a file in the profile, by the first text that its name contains. `~` is C code."""

REST = "the standard library and the rest"


@contextmanager
def profiled() -> Iterator[list[cProfile.Profile]]:
    """Profile this thread and those that it starts, by the processor time of each."""
    profiles: list[cProfile.Profile] = []
    run = threading.Thread.run

    def profiled_run(thread: threading.Thread) -> None:
        profile = cProfile.Profile(time.thread_time)
        profiles.append(profile)
        profile.runcall(run, thread)

    threading.Thread.run = profiled_run  # type: ignore[assignment, method-assign]
    own = cProfile.Profile(time.thread_time)
    profiles.append(own)
    own.enable()
    try:
        yield profiles
    finally:
        own.disable()
        threading.Thread.run = run  # type: ignore[method-assign]


def shares(profiles: list[cProfile.Profile]) -> dict[str, float]:
    """Return the part of the processor time that each part of the library takes, largest first."""
    stats = pstats.Stats(profiles[0])
    for profile in profiles[1:]:
        stats.add(profile)
    seconds: Counter[str] = Counter()
    for (file, _, name), (_, _, own, _, _) in stats.stats.items():  # type: ignore[attr-defined]
        place = f"{file}:{name}" if file == "~" else file
        part = next((part for key, part in PARTS.items() if key in place), REST)
        seconds[part] += own
    total = seconds.total()
    return {part: count / total for part, count in seconds.most_common()}


def main() -> None:
    """Profile a push and a pull, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--size", type=int, default=16 * 1024)
    options = parser.parse_args()
    if sys.version_info >= (3, 12):
        sys.exit("Python 3.12 and later profile one thread at a time: use Python 3.11")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.files, options.size)
    print("| part | push | pull |")
    print("| --- | --- | --- |")
    push, pull = found
    for part in push:
        print(f"| {part} | {push[part]:.0%} | {pull.get(part, 0):.0%} |")


def measure(folder: Path, count: int, size: int) -> list[dict[str, float]]:
    """Return the shares of a push and of a pull."""
    files = [folder / f"file-{number:04}.bin" for number in range(count)]
    for file in files:
        file.write_bytes(os.urandom(size))
    settings = Settings(transfer=TransferSettings(concurrency=THREADS))
    with DockerRegistry(RegistryConfig(folder)) as registry, Client(settings) as client:
        place = f"{registry.address}/benchmarks/files"
        # The first transfers import their modules.
        client.push(f"{place}:first", files[:1])
        client.pull(f"{place}:first", folder / "first")
        steps: tuple[Callable[[], object], ...] = (
            lambda: client.push(f"{place}:v1", files),
            lambda: client.pull(f"{place}:v1", folder / "output"),
        )
        found = []
        for step in steps:
            with profiled() as profiles:
                step()
            found.append(shares(profiles))
        return found


if __name__ == "__main__":
    main()
