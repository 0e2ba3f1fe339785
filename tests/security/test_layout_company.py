"""Processes that copy into one OCI layout, collect its garbage, and are killed.

The default is short. `ORAS_LAYOUT_SECONDS=60` runs it for a minute (`tox -e company`).
"""

from __future__ import annotations

import os
import random
import time

import pytest

from oras_adapters.files.local_files import LocalFileTree
from oras_core.copying.copy import copy
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.stores.memory import MemoryStore
from oras_core.verbs.verify import verify
from support.processes import python_running

SECONDS = float(os.environ.get("ORAS_LAYOUT_SECONDS", "4"))

WORKER = """
import random, sys
from oras_adapters.files.local_files import LocalFileTree
from oras_core.copying.copy import copy
from oras_core.errors import UnsupportedError
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_artifact
name, chance = sys.argv[2], random.Random(sys.argv[2])
for number in range(1_000_000):
    if chance.random() < 0.3:
        try:
            OciLayoutStore(LocalFileTree(sys.argv[1])).collect_garbage()
        except UnsupportedError:
            pass
        continue
    source = MemoryStore()
    layers = [b"shared %d" % chance.randrange(5), b"%d" % number]
    source.tag(push_artifact(source, *layers).descriptor, "v1")
    copy(source, "v1", OciLayoutStore(LocalFileTree(sys.argv[1])), f"{name}-{number}")
    print(f"{name}-{number}", flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(int(SECONDS) + 100)
def test_reported_tags_are_complete_after_processes_are_killed(tmp_path):
    reported, end, run = [], time.monotonic() + SECONDS, 0
    chance = random.Random(1)
    while time.monotonic() < end:
        names = [f"a{run}", f"b{run}"]
        run += 1
        with (
            python_running("-c", WORKER, str(tmp_path), names[0]) as one,
            python_running("-c", WORKER, str(tmp_path), names[1]) as two,
        ):
            reported += [one.stdout.readline().strip() for _ in range(chance.randrange(5, 40))]
            one.kill()
            reported += [two.stdout.readline().strip() for _ in range(5)]
            two.kill()
            for process in (one, two):
                reported += [line.strip() for line in process.stdout if line.endswith("\n")]
    store = OciLayoutStore(LocalFileTree(tmp_path))
    assert "" not in reported
    assert set(reported) <= set(store.tags())
    for tag in reported:
        copy(store, tag, MemoryStore())
    store.collect_garbage()
    found = verify(store)
    assert not found.damaged
    assert not found.missing
    # At most the copies that were running when their process was killed left something behind.
    assert store.collect_garbage().digests == ()
