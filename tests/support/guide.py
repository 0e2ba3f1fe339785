"""The user guide's code blocks, and running them word for word in a process of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import frozen

TIMEOUT_SECONDS = 60.0

_FENCE = re.compile(r"^```(?P<language>\w*)$")
_HEADING = re.compile(r"^#+ (.+)$")
_SUMMARY = re.compile(r"^<summary>(.+?)(?: \(click to expand\))?</summary>$")

_OUTPUT = re.compile(r"(?:Successfully \w+ed |Out\[\d+\]: |\[').*")
"""A line of a Python block that is no Python but what a console shows there."""


@frozen
class Block:
    """A block of code.

    Attributes:
        name: the heading or summary above it, its language, and a number where the two do
            not tell it from others.
        language: as after the fence; may be empty.
        text: every line, as it stands in the guide.
    """

    name: str
    language: str
    text: str

    @property
    def code(self) -> str:
        """The text without console output."""
        return "".join(line for line in self._lines() if not _OUTPUT.fullmatch(line.rstrip("\n")))

    @property
    def output(self) -> list[str]:
        """The lines of console output, without the number of the prompt."""
        lines = (line.rstrip("\n") for line in self._lines())
        return [re.sub(r"^Out\[\d+\]: ", "", line) for line in lines if _OUTPUT.fullmatch(line)]

    def _lines(self) -> list[str]:
        return self.text.splitlines(keepends=True)


def read_blocks(text: str) -> dict[str, Block]:
    """Return the blocks of a guide by name, in their order."""
    found: list[tuple[str, str, str]] = []
    heading = title = ""
    language: str | None = None
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        fence = _FENCE.match(line.rstrip())
        if language is not None:
            if fence:
                found.append((title, language, "".join(lines)))
                language, lines = None, []
            else:
                lines.append(line)
        elif fence:
            language = fence["language"]
        elif match := _HEADING.match(line):
            heading = title = match[1].strip()
        elif match := _SUMMARY.match(line.strip()):
            title = match[1]
        elif line.strip() == "</details>":
            title = heading
    return {block.name: block for block in _named(found)}


def _named(found: list[tuple[str, str, str]]) -> Iterable[Block]:
    total = Counter((title, language) for title, language, _ in found)
    seen: Counter[tuple[str, str]] = Counter()
    for title, language, text in found:
        key = title, language
        seen[key] += 1
        number = f" {seen[key]}" if total[key] > 1 else ""
        yield Block(f"{title}: {language or 'code'}{number}", language, text)


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
