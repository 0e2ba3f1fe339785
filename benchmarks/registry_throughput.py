"""How many small blobs do 8 processes push and pull in a second, beside docker-registry?

Each process pushes 300 blobs of 1 KiB (a POST and a PUT), and pulls them. The two registries run
one after the other, on their storages on disk, a few times. Prints the median of each, and the
most memory that the embedded registry took:

    python benchmarks/registry_throughput.py [--rounds N] [--at-least RATIO]

Fails if a request fails, if the ratio is smaller than RATIO, or if the memory exceeds `MEMORY`.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.docker_registry import DockerRegistry, RegistryConfig

PROCESSES = 8
BLOBS = 300
MEMORY = 64
"""MiB, of which the interpreter and its modules take half."""

CLIENT = """
import hashlib, http.client, os, sys
address, number, blobs = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = http.client.HTTPConnection(address, timeout=60)
base = f"/v2/throughput/{number}"
contents = [os.urandom(1024) for _ in range(blobs)]
digests = ["sha256:" + hashlib.sha256(content).hexdigest() for content in contents]

def ask(status, method, url, body=None):
    connection.request(method, url, body)
    response = connection.getresponse()
    content = response.read()
    assert response.status == status, (method, url, response.status, content)
    return response.headers, content

ask(200, "GET", "/v2/")
print("ready", flush=True)
sys.stdin.readline()
for content, digest in zip(contents, digests):
    headers, _ = ask(202, "POST", f"{base}/blobs/uploads/", b"")
    location = headers["Location"].partition(address)[2] or headers["Location"]
    ask(201, "PUT", f"{location}&digest={digest}", content)
for content, digest in zip(contents, digests):
    assert ask(200, "GET", f"{base}/blobs/{digest}")[1] == content
"""


@contextmanager
def embedded_registry(folder: Path) -> Iterator[tuple[str, int]]:
    """Run our registry, and yield its address and process."""
    command = [sys.executable, "-m", "oras_adapters.registry_server", "--quiet"]
    command += ["--storage", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("the output is a pipe")
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()


def seconds_of(address: str) -> float:
    """Run the clients, and return the seconds from their start to the end of the last."""
    clients = [
        subprocess.Popen(
            [sys.executable, "-I", "-c", CLIENT, address, str(number), str(BLOBS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(PROCESSES)
    ]
    for client in clients:
        if client.stdout is None or client.stdout.readline() != b"ready\n":
            raise RuntimeError("a client has failed at its start")
    start = time.monotonic()
    for client in clients:
        if client.stdin is not None:
            client.stdin.close()
    failed = [client.wait() for client in clients]
    if any(failed):
        raise RuntimeError(f"clients have failed: {failed}")
    return time.monotonic() - start


def peak_mib(pid: int) -> int:
    """Return the most memory that a process has had; 0 without /proc."""
    status = Path(f"/proc/{pid}/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) // 1024 if found else 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-least", type=float, default=0.0)
    options = parser.parse_args()
    rounds = options.rounds
    theirs, ours, memory = [], [], 0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            with DockerRegistry(RegistryConfig(directory=Path(folder))) as registry:
                theirs.append(seconds_of(registry.address))
            with embedded_registry(Path(folder, "content")) as (address, pid):
                ours.append(seconds_of(address))
                memory = max(memory, peak_mib(pid))
    moved = 2 * PROCESSES * BLOBS
    rates = [moved / statistics.median(seconds) for seconds in (theirs, ours)]
    print(f"docker-registry: {rates[0]:.0f} blobs a second")
    print(f"embedded registry: {rates[1]:.0f} blobs a second, {memory} MiB of memory")
    ratio = rates[1] / rates[0]
    print(f"ratio: {ratio:.2f}")
    if ratio < options.at_least or memory > MEMORY:
        raise SystemExit("the embedded registry is too slow, or takes too much memory")


if __name__ == "__main__":
    main()
