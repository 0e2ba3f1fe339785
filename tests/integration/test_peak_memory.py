"""No blob is ever held whole: the benchmark, as a test."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "peak_memory.py"


def test_a_file_of_256_mib_takes_less_than_80():
    run = subprocess.run(
        [sys.executable, str(BENCHMARK), "256"], check=True, capture_output=True, text=True
    )
    peaks = [int(number) for number in re.findall(r"memory (\d+) MiB", run.stdout)]
    assert len(peaks) == 2, run.stdout
    assert max(peaks) < 80, run.stdout
