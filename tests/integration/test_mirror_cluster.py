"""A mirror on a Dask cluster of three processes, of which one is killed, in a run that is cut off.

`tox -e cluster` runs it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from oras_adapters.mirroring.rules import read_rules
from oras_adapters.mirroring.runs import run_rules, verify_rules
from oras_adapters.mirroring.sqlite_ledger import SqliteLedger
from support import docker_registry
from support.mirror_material import fill, records, write_rules

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        os.environ.get("ORAS_CLUSTER") != "1", reason="needs Dask: run tox -e cluster"
    ),
]

REPOSITORIES = 300
WORKERS, JOBS = 3, 2
SHARED = [bytes([number]) * 40_000 for number in range(5)]


@pytest.fixture
def registries(tmp_path):
    with (
        docker_registry.open_registry(tmp_path) as source,
        docker_registry.open_registry(tmp_path) as destination,
    ):
        yield source, destination


def mirrored(registry):
    """Return how many repositories the registry has begun to receive."""
    folder = registry.storage / "docker/registry/v2/repositories/copies/app"
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def wait_for(registry, count, process):
    """Wait until a run has come as far."""
    deadline = time.monotonic() + 300
    while mirrored(registry) < count:
        assert process.poll() is None, "the run ended too early"
        assert time.monotonic() < deadline, f"{mirrored(registry)} repositories after five minutes"
        time.sleep(0.1)


@contextmanager
def running(rules, tmp_path):
    """Run the command beside the block; end it and all its workers afterwards."""
    with (
        (tmp_path / "progress").open("w") as progress,
        subprocess.Popen(
            [sys.executable, "-m", "oras_adapters.mirroring", str(rules), "--json"],
            stdout=subprocess.PIPE,
            stderr=progress,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def workers_of(process):
    """Return the processes of the Dask workers, by Linux's list of processes."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            command = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended
        if int(fields[1]) == process.pid and b"spawn_main" in command:
            found.append(int(status.parent.name))
    return found


def uploads(registry):
    """Return how often each blob was uploaded."""
    return Counter(
        request.query.partition("digest=")[2]
        for request in registry.access_log()
        if request.method == "PUT" and "/blobs/uploads/" in request.path and request.status == 201
    )


def test_a_mirror_survives_the_loss_of_a_worker_and_an_interruption(registries, tmp_path):
    source, destination = registries
    fill(source.address, REPOSITORIES, shared=SHARED)
    addresses = source.address, destination.address
    rules = write_rules(tmp_path, *addresses, executor="dask", workers=WORKERS, jobs=JOBS)
    path = tmp_path / "dask.sqlite"

    # The first run is interrupted.
    with running(rules, tmp_path) as process:
        wait_for(destination, REPOSITORIES // 3, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
    assert REPOSITORIES // 3 <= mirrored(destination) < REPOSITORIES
    with SqliteLedger(path) as ledger:
        done = ledger.totals().done_jobs
    assert 0 < done < REPOSITORIES

    # The second run continues, and loses a worker.
    with running(rules, tmp_path) as process:
        wait_for(destination, REPOSITORIES * 2 // 3, process)
        victim = workers_of(process)[0]
        os.kill(victim, signal.SIGKILL)
        output, _ = process.communicate(timeout=400)
        assert process.returncode == 0, output
    report = json.loads(output)
    assert report["complete"]

    # Nothing is missing.
    with ThreadPoolExecutor(4) as threads:
        assert list(verify_rules(read_rules(rules), deep=True, executor=threads)) == []

    # Nothing moved twice but what was under way at one of the two losses.
    counts = uploads(destination)
    twice = {digest: count for digest, count in counts.items() if count > 1 and not _tiny(digest)}
    assert len(twice) <= 2 * WORKERS * JOBS
    assert sum(twice.values()) - len(twice) <= 2 * WORKERS * JOBS
    assert len(counts) >= REPOSITORIES + len(SHARED)

    # The ledger is right: every job is done, once.
    with SqliteLedger(path) as ledger:
        totals = ledger.totals()
        assert list(ledger.open_jobs()) == []
    assert totals.is_planned
    assert (totals.repositories, totals.done_jobs, totals.done_tags) == (REPOSITORIES,) * 3
    assert (totals.failed_jobs, totals.left_out, totals.changed) == (0, 0, 0)
    assert report["totals"]["done_tags"] == REPOSITORIES


def test_dask_and_threads_give_the_same_records(registries, tmp_path):
    source, destination = registries
    fill(source.address, 30)
    found = []
    for executor in ("threads", "dask"):
        rules = write_rules(
            tmp_path,
            source.address,
            destination.address,
            executor=executor,
            workers=2,
            jobs=2,
            prefix=executor,
        )
        assert run_rules(read_rules(rules)).is_complete
        found.append(records(tmp_path / f"{executor}.sqlite"))
    assert len(found[0]) == 30
    assert found[0] == found[1]


def _tiny(digest):
    """Tell whether this is the empty config, which is too small to be worth a mount."""
    return "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" in digest
