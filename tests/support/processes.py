"""Python programs in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def run_python(*arguments: str, **environment: str) -> str:
    """Run this interpreter with `arguments`, on this process' path; return what it prints.

    Raises:
        AssertionError: with what it said, if it fails.
    """
    run = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(environment),
    )
    if run.returncode:
        raise AssertionError(f"exit status {run.returncode}\n{run.stdout}{run.stderr}")
    return run.stdout


@contextmanager
def python_running(*arguments: str, **environment: str) -> Iterator[subprocess.Popen]:
    """Run this interpreter beside the block, with pipes of text; kill it afterwards."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(environment),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _environment(others: dict[str, str]) -> dict[str, str]:
    # An empty entry means the working directory, which a program may change.
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return {**os.environ, "PYTHONPATH": path, **others}
