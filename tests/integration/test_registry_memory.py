"""Memory of the registry program while a large blob is pushed and pulled.

ORAS_LARGE_BLOBS=1 makes the blob 300 MiB.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

MIB = 1024 * 1024
SIZE = (300 if os.environ.get("ORAS_LARGE_BLOBS") else 48) * MIB
PIECE = bytes(MIB)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc"),
]


@contextmanager
def running(*arguments):
    process = subprocess.Popen(
        [sys.executable, "-m", "oras_adapters.registry_server", "--quiet", *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        # Pieces are mapped one by one. Without it, glibc keeps freed ones between those in use.
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": str(64 * 1024)},
    )
    with process:
        try:
            connection = HTTPConnection(process.stdout.readline().strip(), timeout=100)
            yield process.pid, connection
            connection.close()
        finally:
            process.terminate()


def peak(pid):
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


def ask(connection, method, path, pieces=0):
    headers = {"Content-Length": str(pieces * MIB)} if method != "GET" else {}
    connection.request(method, path, (PIECE for _ in range(pieces)) if pieces else None, headers)
    response = connection.getresponse()
    while response.read(MIB):
        pass
    assert response.status < 300
    return response.headers.get("Location", "")


def transfer(connection, size, *, chunks):
    """Push zeros, in a number of chunks or whole, and pull them."""
    pieces = size // MIB
    hasher = hashlib.sha256()
    for _ in range(pieces):
        hasher.update(PIECE)
    digest = f"sha256:{hasher.hexdigest()}"
    location = ask(connection, "POST", "/v2/app/blobs/uploads/")
    for _ in range(chunks):
        location = ask(connection, "PATCH", location, pieces // chunks)
    ask(connection, "PUT", f"{location}&digest={digest}", 0 if chunks else pieces)
    ask(connection, "GET", f"/v2/app/blobs/{digest}")


@pytest.mark.parametrize(
    "chunks", [pytest.param(0, marks=pytest.mark.long, id="whole"), pytest.param(4, id="chunks")]
)
@pytest.mark.parametrize(
    ("place", "limit"), [("--memory", 1.2 * SIZE), ("--storage", 8 * MIB)], ids=["memory", "disk"]
)
def test_a_large_blob_is_in_memory_once_or_not_at_all(place, limit, chunks, tmp_path):
    with running(place, *([tmp_path] if place == "--storage" else [])) as (pid, connection):
        transfer(connection, 4 * MIB, chunks=chunks)
        before = peak(pid)
        transfer(connection, SIZE, chunks=chunks)
        taken = peak(pid) - before
    assert taken <= limit
