"""Threads and processes give the same records; workers get no secret, and their share."""

from __future__ import annotations

import pickle

import pytest

from oras_adapters.mirroring.executors import open_executor
from oras_adapters.mirroring.rules import Rules, RunRules, read_rules
from oras_adapters.mirroring.runs import run_rules, verify_rules
from oras_adapters.mirroring.workers import (
    ComposedRegistries,
    opened,
    process_registries,
    work,
    worker_setup,
)
from oras_adapters.registry_server import RegistryServer
from oras_core.errors import UnsupportedError
from oras_core.mirroring.job import Job
from oras_core.mirroring.limits import HostLimits
from oras_core.mirroring.plan import plan_mirror
from oras_core.mirroring.records import Examined, Task
from oras_core.registry.transports.throttle import Rate
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.mirror_material import fill, records, write_rules


@pytest.fixture(scope="module")
def addresses():
    with (
        RegistryServer(EmbeddedRegistry()) as source,
        RegistryServer(EmbeddedRegistry()) as destination,
    ):
        fill(source.address, 9, threads=2)
        yield source.address, destination.address


@pytest.mark.slow
def test_threads_and_processes_give_the_same_records(addresses, tmp_path):
    for executor in ("threads", "processes"):
        path = write_rules(
            tmp_path, *addresses, executor=executor, workers=2, jobs=1, prefix=executor
        )
        rules = read_rules(path)
        assert run_rules(rules).is_complete
    first, second = (
        records(tmp_path / f"{executor}.sqlite") for executor in ("threads", "processes")
    )
    assert len(first) == 9
    assert first == second
    assert list(verify_rules(rules, deep=True, executor=None)) == []


def test_a_job_runs_in_a_worker_that_has_its_own_settings(addresses, tmp_path):
    """What crosses to a worker survives a pickle: the setup, the task and the outcome."""
    path = write_rules(tmp_path, *addresses, executor="threads", workers=1, jobs=1, prefix="one")
    rules = read_rules(path)
    setup = pickle.loads(pickle.dumps(worker_setup(rules)))
    registries = ComposedRegistries(setup)
    job = next(e for e in plan_mirror(rules.mirrors[0], registries) if isinstance(e, Job))
    examined = pickle.loads(pickle.dumps(work(setup, pickle.loads(pickle.dumps(Task(job))))))
    assert isinstance(examined, Examined)
    record = pickle.loads(pickle.dumps(work(setup, Task(job, examined))))
    assert (record.failure, record.tags) == (None, 1)
    registries.close()


def test_the_plan_and_the_jobs_of_one_process_share_registries(addresses, tmp_path):
    """Otherwise each of them would have the whole limit. Another run begins with new ones."""
    path = write_rules(tmp_path, *addresses, executor="threads", workers=1, jobs=1, prefix="two")
    setup = worker_setup(read_rules(path))
    with opened(setup) as registries:
        assert process_registries(setup) is registries
    assert process_registries(setup) is not registries
    process_registries(setup).close()
    process_registries.cache_clear()


@pytest.mark.parametrize(
    ("run", "shares", "jobs", "concurrency"),
    [
        (RunRules("threads", workers=1, jobs=4), 1, 5, 4),
        (RunRules("threads", workers=3, jobs=4), 1, 13, 1),
        (RunRules("processes", workers=3, jobs=4), 4, 1, 6),
        (RunRules("dask", workers=3, jobs=4), 4, 4, 1),
        (RunRules("dask", workers=100, jobs=4), 101, 4, 1),
    ],
)
def test_limits_are_shared_between_workers(run, shares, jobs, concurrency):
    limits = {"Quay.io": HostLimits(requests=40.0, bytes=4e6, connections=24)}
    setup = worker_setup(Rules((), run, limits=limits))
    assert (setup.shares, setup.jobs) == (shares, jobs)
    assert setup.rate("quay.io") == Rate(40.0 / shares, 4e6 / shares)
    assert setup.rate("other.example") == Rate()
    assert setup.concurrency("other.example", "quay.io:443") == concurrency
    assert setup.concurrency("other.example") == 16


def test_dask_is_an_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with (
        pytest.raises(UnsupportedError, match=r"install oras-sdk\[dask\]"),
        open_executor(RunRules("dask")),
    ):
        pass
