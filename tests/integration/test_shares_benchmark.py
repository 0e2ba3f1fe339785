"""The profile of small files works: the benchmark, as a test."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from support.processes import run_python
from support.programs import require_program

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "shares.py"


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python 3.12 profiles one thread only")
def test_the_shares_of_all_parts_are_the_whole():
    require_program("docker-registry")
    printed = run_python(str(BENCHMARK), "--files", "5")
    rows = re.findall(r"^\| ([^|]+) \| (\d+)% \| (\d+)% \|$", printed, re.MULTILINE)
    assert "HTTP connections" in {part for part, _, _ in rows}
    for column in (1, 2):
        assert 95 <= sum(int(row[column]) for row in rows) <= 105, printed
