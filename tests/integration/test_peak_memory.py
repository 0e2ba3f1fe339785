"""No blob is ever held whole: the benchmark, as a test."""

from __future__ import annotations

import re
from pathlib import Path

from support.processes import run_python

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "peak_memory.py"


def test_a_file_of_256_mib_takes_less_than_80():
    printed = run_python(str(BENCHMARK), "256")
    peaks = [int(number) for number in re.findall(r"memory (\d+) MiB", printed)]
    assert len(peaks) == 2, printed
    assert max(peaks) < 80, printed
