"""How much memory does a client need to push and to pull one big file?

Starts the embedded registry in a process of its own, then pushes and pulls in a fresh
process each, and prints the peak resident memory of both:

    python benchmarks/peak_memory.py [MIB]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLIENT = """
import resource, sys
import oras.client
client, verb, target, path = oras.client.OrasClient(), *sys.argv[1:]
if verb == "push":
    client.push(target=target, files=[path], disable_path_validation=True, quiet=True)
else:
    client.pull(target=target, outdir=path)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@contextmanager
def registry(storage: Path) -> Iterator[str]:
    """Run the embedded registry in another process, and give its address."""
    command = [sys.executable, "-m", "oras_adapters.registry_server", "--storage", str(storage)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[-1]
        finally:
            server.terminate()


def peak(verb: str, target: str, path: Path) -> int:
    """Return the peak resident memory of one push or pull, in MiB."""
    command = [sys.executable, "-c", CLIENT, verb, target, str(path)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def measure(size: int) -> dict[str, int]:
    """Return the peaks of pushing and of pulling a file of `size` MiB, in MiB."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        file = folder / "big.bin"
        with file.open("wb") as output:
            for _ in range(size):
                output.write(os.urandom(1024 * 1024))
        with registry(folder / "storage") as address:
            target = f"{address}/benchmarks/memory:v1"
            return {
                "push": peak("push", target, file),
                "pull": peak("pull", target, folder / "out"),
            }


def main() -> None:
    """Measure, and print one line for each verb."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    for verb, mebibytes in measure(size).items():
        print(f"{verb} of {size} MiB: peak resident memory {mebibytes} MiB")


if __name__ == "__main__":
    main()
