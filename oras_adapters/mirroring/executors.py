"""The executors that rules name: threads, processes on this machine, Dask."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

from oras_adapters.mirroring.rules import RunRules
from oras_core.errors import UnsupportedError

__all__ = ["dask_executor", "open_executor"]


@contextmanager
def open_executor(run: RunRules) -> Iterator[Executor]:
    """Open the executor that `run` names, for a block.

    Raises:
        UnsupportedError: if it is Dask, which is not installed.
    """
    if run.executor == "threads":
        with _ending(ThreadPoolExecutor(run.workers * run.jobs, "oras-mirror")) as executor:
            yield executor
    elif run.executor == "processes":
        # By spawn: a fork would copy threads and connections of this process.
        context = multiprocessing.get_context("spawn")
        with _ending(ProcessPoolExecutor(run.workers, mp_context=context)) as executor:
            yield executor
    else:
        with _dask(run) as executor:
            yield executor


@contextmanager
def _ending(executor: Executor) -> Iterator[Executor]:
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _dask(run: RunRules) -> Iterator[Executor]:
    try:
        dask = import_module("distributed")  # an extra, and without types
    except ImportError:
        raise UnsupportedError(
            "run a mirror on Dask", "it is not installed; install oras-sdk[dask]"
        ) from None
    with ExitStack() as stack:
        address: object = run.scheduler
        if not run.scheduler:
            # Without a dashboard: nothing but the scheduler listens, and on this machine only.
            address = stack.enter_context(
                dask.LocalCluster(
                    n_workers=run.workers,
                    threads_per_worker=run.jobs,
                    processes=True,
                    dashboard_address=None,
                )
            )
        client = stack.enter_context(dask.Client(address))
        yield dask_executor(client)


def dask_executor(client: Any) -> Executor:  # noqa: ANN401 - of an extra
    """Return the executor of a Dask client.

    A job that is repeated is a new call: Dask must not answer it with an earlier result.
    """
    executor: Executor = client.get_executor(pure=False)
    return executor
