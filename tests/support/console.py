"""Run pieces of code in one Python console, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import frozen

TIMEOUT_SECONDS = 60.0

_CONSOLE = """
import ast, json, sys

names = {"__name__": "__main__"}
for title, code in json.load(sys.stdin):
    for statement in ast.parse(code, title).body:
        # As typed at a prompt: the value of an expression is shown.
        exec(compile(ast.Interactive([statement]), title, "single"), names)
"""


@frozen
class Ran:
    """What a process has written, and how it ended."""

    output: str
    errors: str
    status: int


def run_console(
    parts: Iterable[tuple[str, str]], folder: Path, environment: Mapping[str, str]
) -> Ran:
    """Run pieces of code, each with a title, one after the other in one new Python console.

    Args:
        parts: title and code.
        folder: the working directory and the home.
        environment: variables besides.
    """
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    run = subprocess.run(
        [sys.executable, "-c", _CONSOLE],
        input=json.dumps(list(parts)),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
        cwd=folder,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": path,
            "PYTHONWARNINGS": "error",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            **environment,
        },
    )
    return Ran(run.stdout, run.stderr, run.returncode)
