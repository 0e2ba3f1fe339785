"""Python programs in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys


def run_python(*arguments: str, **environment: str) -> str:
    """Run this interpreter with `arguments`, on this process' path; return what it prints.

    Raises:
        AssertionError: with what it said, if it fails.
    """
    # An empty entry means the working directory, which a program may change.
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    run = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )
    if run.returncode:
        raise AssertionError(f"exit status {run.returncode}\n{run.stdout}{run.stderr}")
    return run.stdout
