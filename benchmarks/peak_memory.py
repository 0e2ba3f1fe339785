"""How much memory does a client need to push and to pull one big file?

Pushes a file of zeros, which takes no room on most disks, in every way that there is, and pulls
it; each in a fresh process. Prints the peak resident memory of each:

    python benchmarks/peak_memory.py [--registry ADDRESS] [MIB]

By default the embedded registry serves, in a process of its own.
"""

from __future__ import annotations

import argparse
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
if verb == "pull":
    client.pull(target=target, outdir=path)
else:
    chunked = {"do_chunked": True, "chunk_size": 16 * 2**20} if verb == "push in chunks" else {}
    client.push(target=target, files=[path], disable_path_validation=True, quiet=True, **chunked)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
"""The facade: it sends a large file while hashing it, or in chunks."""

CORE = """
import resource, sys
from attrs import evolve
from oras_adapters.factory import compose
from oras_adapters.files.local_files import LocalFileTree
from oras_core.content.sources import FileSource
from oras_core.content.verify import describe_source
from oras_core.model.paths import sanitize_path
from oras_core.model.reference import Reference

class Demanding:
    # A registry that takes no chunks below 64 MiB.
    def __init__(self, transport):
        self.transport = transport

    def send(self, request):
        response = self.transport.send(request)
        if request.method != "POST":
            return response
        fields = {"OCI-Chunk-Min-Length": str(64 * 2**20)}
        return evolve(response, headers=response.headers.with_fields(fields))

verb, target, path = sys.argv[1:]
folder, _, name = path.rpartition("/")
source = FileSource(LocalFileTree(folder), sanitize_path(name))
descriptor = describe_source(source, "application/octet-stream")
reference = Reference.parse(target)
with compose() as composition:
    transport = composition.transport(reference.registry)
    if verb == "push in chunks of 64 MiB":
        transport = Demanding(transport)
    registry = composition.registry_over(transport, reference.registry)
    size = None if verb == "push whole" else 2**20
    registry.repository(reference.repository).push(descriptor, source, chunk_size=size)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
"""The core: it sends a blob that is described already, whole or as the registry demands."""

WAYS = {
    "push": CLIENT,
    "push in chunks": CLIENT,
    "push whole": CORE,
    "push in chunks of 64 MiB": CORE,
}


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


def peak(program: str, verb: str, target: str, path: Path) -> int:
    """Return the peak resident memory of one push or pull, in MiB."""
    command = [sys.executable, "-c", program, verb, target, str(path)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def measure(size: int, address: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Give the peaks of pushing a file of `size` MiB, and of pulling it, in MiB."""
    for number, (verb, program) in enumerate(WAYS.items()):
        file = folder / "big.bin"
        with file.open("wb") as output:
            output.truncate(size * 2**20 + number)  # none of them is there before
        target = f"{address}/benchmarks/memory-{size}:v{number}"
        yield verb, peak(program, verb, target, file)
    yield "pull", peak(CLIENT, "pull", f"{address}/benchmarks/memory-{size}:v0", folder / "out")


def main() -> None:
    """Measure, and print one line for each way."""
    parser = argparse.ArgumentParser(description="How much memory does a big file take?")
    parser.add_argument("--registry", metavar="ADDRESS", help="one that is running already")
    parser.add_argument("size", metavar="MIB", type=int, nargs="?", default=256)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if arguments.registry:
            report(arguments.size, arguments.registry, folder)
            return
        with registry(folder / "storage") as address:
            report(arguments.size, address, folder)


def report(size: int, address: str, folder: Path) -> None:
    """Measure, and print each result at once."""
    for verb, mebibytes in measure(size, address, folder):
        print(f"{verb}, {size} MiB: peak resident memory {mebibytes} MiB", flush=True)


if __name__ == "__main__":
    main()
