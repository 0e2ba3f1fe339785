"""Processes that copy into one OCI layout, collect its garbage, and are killed.

The default is short. `ORAS_LAYOUT_SECONDS=60` runs it for a minute (`tox -e company`).
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import time

import pytest

from oras_adapters.files.local_files import LocalFileTree
from oras_core.copying.copy import copy
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.stores.memory import MemoryStore
from oras_core.verbs.verify import verify
from support.layout_worker import Journal, artifact
from support.processes import python_running

SECONDS = float(os.environ.get("ORAS_LAYOUT_SECONDS", "4"))
_log = logging.getLogger(__name__)

SIGNALS = [signal.SIGKILL] * 3 + [signal.SIGINT, signal.SIGTERM]


def run_and_kill(folder, run, chance):
    """Let two processes work, kill one, let the other one go on, kill that, too."""
    journal = Journal()
    with (
        python_running("-m", "support.layout_worker", str(folder), f"a{run}") as one,
        python_running("-m", "support.layout_worker", str(folder), f"b{run}") as two,
    ):
        for process, most in ((one, 60), (two, 30)):
            for _ in range(chance.randrange(2, most)):
                line = process.stdout.readline()
                assert line, "a process ended by itself"
                journal.read(line)
            time.sleep(chance.uniform(0, 0.01))  # at any moment of a step
            process.send_signal(chance.choice(SIGNALS))
        for process in (one, two):
            for line in process.stdout:
                journal.read(line)
            assert process.wait() != 0
    return journal


def reachable(folder):
    """Return the digests that the index reaches, present or not, read without the library."""
    listed = json.loads((folder / "index.json").read_bytes())
    found, todo = set(), [listed]
    while todo:
        document = todo.pop()
        named = [*document.get("manifests", ()), *document.get("layers", ())]
        named += [document[key] for key in ("config", "subject") if document.get(key)]
        for descriptor in named:
            digest = descriptor["digest"]
            if digest in found:
                continue
            found.add(digest)
            is_document = descriptor["mediaType"].endswith(("manifest.v1+json", "index.v1+json"))
            if is_document and blob(folder, digest).exists():
                todo.append(json.loads(blob(folder, digest).read_bytes()))
    return found


def blob(folder, digest):
    return folder / "blobs" / digest.replace(":", "/")


def files(folder):
    return {path.name for path in (folder / "blobs" / "sha256").iterdir()}


@pytest.mark.slow
@pytest.mark.timeout(int(SECONDS) + 100)
def test_layout_survives_processes_that_copy_collect_and_are_killed(tmp_path):
    reported, deleted, collections, removed = set(), set(), 0, 0
    chance, end, run = random.Random(os.urandom(8)), time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        journal = run_and_kill(tmp_path, run, chance)
        run += 1
        collections += len(journal.collections)
        store = OciLayoutStore(LocalFileTree(tmp_path))
        for tag in journal.complete:
            copy(store, tag, MemoryStore())

        # A referrer stays, listed by itself, when its subject is deleted.
        deleted |= {str(artifact(tag).resolve(tag).digest) for tag in journal.deleted}
        missing = {digest for digest in reachable(tmp_path) if not blob(tmp_path, digest).exists()}
        assert missing <= deleted
        reached = {digest.partition(":")[2] for digest in reachable(tmp_path) - missing}
        present = files(tmp_path)
        partial = {name for name in present if name.endswith(".oras-partial")}
        unfinished = {digest.partition(":")[2] for digest in journal.unfinished()}
        assert present - partial - reached <= unfinished
        assert len(partial) <= len(unfinished)

        # The processes hold no lock any more, and what they left is removed.
        found = store.collect_garbage()
        assert {digest.encoded for digest in found.digests} == present - partial - reached
        assert files(tmp_path) == reached
        assert not list(tmp_path.glob("*.oras-partial"))
        removed += len(present) - len(reached)
        reported |= journal.complete
    assert reported <= set(store.tags())
    for tag in reported:
        copy(store, tag, MemoryStore())
    found = verify(store)
    assert not found.damaged
    assert {str(descriptor.digest) for descriptor in found.missing} <= deleted
    _log.info(
        "%d runs, %d tags, %d collections by the processes, %d files removed",
        run, len(reported), collections, removed,
    )  # fmt: skip
    if SECONDS >= 60:
        assert collections > 0, "the processes did not collect beside each other"
