"""Layouts, archives and lists of referrers take work in proportion to their entries.

The default counts at 100 and 1,000 entries. `ORAS_GROWTH_SIZES` names others; `tox -e growth`
counts at 10,000, too. `benchmarks/growth.py` measures the seconds of the same tasks.
"""

from __future__ import annotations

import os
import sys
from collections import Counter

import pytest
from growth import TASKS, World

from oras_core.copying.options import CopyOptions
from oras_core.testing.memory_files import MemoryFileTree

SIZES = [int(size) for size in os.environ.get("ORAS_GROWTH_SIZES", "100,1000").split(",")]

PROFILED = [30, 300]
"""Function calls are counted for fewer entries: the profiler takes most of the time."""

TOLERANCE = 2.5
"""An index that is written whenever it has doubled takes between one and two times its size."""


class CountingTree(MemoryFileTree):
    """Counts what is done in the folder."""

    def __init__(self, counts):
        super().__init__()
        self.counts = counts

    def open(self, path):
        self.counts["files opened"] += 1
        return super().open(path)

    def entry(self, path):
        self.counts["entries examined"] += 1
        return super().entry(path)

    def entries(self, path=None):
        self.counts["folders listed"] += 1
        return super().entries(path)

    def _put_file(self, path, content, *, executable):
        self.counts["bytes written"] += len(content.open().read())
        super()._put_file(path, content, executable=executable)


def prepared(task, count, counts):
    # One worker: the profiler sees the calls of this thread.
    world = World(lambda: CountingTree(counts), CopyOptions(concurrency=1))
    action = task(count, world)
    counts.clear()
    return world, action


def operations(task, count):
    """Return what a task does in folders and in the registry, with so many entries."""
    counts = Counter()
    world, action = prepared(task, count, counts)
    before = sum(len(server.requests) for server in world.servers)
    action()
    requests = sum(len(server.requests) for server in world.servers) - before
    return {**counts, "requests": requests}


def function_calls(task, count):
    """Return how many functions a task calls, those in C included."""
    _, action = prepared(task, count, Counter())
    calls = 0

    def count_call(_frame, event, _argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    outer = sys.getprofile()
    sys.setprofile(count_call)
    try:
        action()
    finally:
        sys.setprofile(outer)
    return {"calls": calls}


def check_proportion(measure, name, sizes):
    found = {size: measure(TASKS[name], size) for size in sizes}
    smallest = min(sizes)
    for size, counted in found.items():
        for what, number in counted.items():
            allowed = TOLERANCE * size / smallest * max(found[smallest].get(what, 0), 10)
            assert number <= allowed, (what, {s: c.get(what) for s, c in found.items()})


@pytest.mark.long
@pytest.mark.timeout(max(SIZES) + 60)
@pytest.mark.parametrize("name", TASKS)
def test_operations_grow_in_proportion_to_the_entries(name):
    check_proportion(operations, name, SIZES)


@pytest.mark.long
@pytest.mark.parametrize("name", TASKS)
def test_function_calls_grow_in_proportion_to_the_entries(name):
    check_proportion(function_calls, name, PROFILED)
