"""No blob is ever held whole, nor a chunk: the benchmark, as a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.docker_registry import DockerRegistry
from support.processes import run_python

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "peak_memory.py"
LIMIT = 44
"""MiB, of which the interpreter and its modules take most: less than these and one chunk."""


@pytest.mark.long
def test_transfer_of_128_mib_takes_a_few_mib_of_memory(open_registry: DockerRegistry):
    with open_registry.recording() as requests:
        printed = run_python(str(BENCHMARK), "--registry", open_registry.address, "128")
    peaks = {way: int(number) for way, number in re.findall(r"(.+), 128 .* (\d+) MiB", printed)}
    assert set(peaks) == {
        "push",
        "push in chunks",
        "push whole",
        "push in chunks of 64 MiB",
        "pull",
    }, printed
    assert max(peaks.values()) < LIMIT, printed
    # While it was hashed; in chunks of 16 MiB, the last of one byte; of 64, the last of three.
    assert sum(request.method == "PATCH" for request in requests) == 1 + 9 + 3
