"""The user guide is the specification: every block of its code runs, as it is written.

Only addresses and the fixed paths of its examples are replaced. What a block takes for
granted, and what must come of it, stands in `support.guide_rows`.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import bcrypt
import pytest

from support.guide import Block, read_blocks, run_console
from support.guide_rows import ROWS, Instead, Row
from support.programs import require_program

GUIDE = Path(__file__).parents[2] / "docs" / "user-guide.md"
BLOCKS = read_blocks(GUIDE.read_text(encoding="utf-8"))
RUNNABLE = [name for name, row in ROWS.items() if isinstance(row, Row)]

SHOW = """
import json
print("# conf")
print(json.dumps(conf, indent=4))
print()
print("# config_file")
print(config_file)
"""


class Reader:
    """Runs blocks where a reader would, with a registry of ours."""

    def __init__(self, folder: Path, registry: str) -> None:
        self.folder = folder
        self._replaced = {
            "localhost:5000": registry,
            "ghcr.io": registry,
            "/tmp/config.json": str(folder / "config.json"),
            "/tmp/pakages-tmp.q6amnrkq": str(folder),
        }

    def run(self, block: Block, row: Row) -> None:
        """Run `block`, and hold it to its row."""
        parts, files, environment = [], dict(row.files), dict(row.environment)
        for name in row.after:
            earlier = ROWS[name]
            assert isinstance(earlier, Row)
            files.update(earlier.files)
            parts += [(f"before {name}", earlier.before), (name, BLOCKS[name].code)]
        parts += [
            (f"before {block.name}", row.before),
            (block.name, block.code),
            (f"after {block.name}", row.then + (SHOW if row.shown else "")),
        ]
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        ran = run_console(
            [(title, self._ours(code)) for title, code in parts], self.folder, environment
        )
        assert ran.status == 0, ran.errors
        if row.errors:
            assert row.errors in ran.errors
        else:
            assert ran.errors == ""
        output = self._theirs(ran.output).splitlines()
        if block.output:
            assert output == block.output
        if row.shown:
            assert output == self._described(BLOCKS[row.shown].text).splitlines()

    def _ours(self, code: str) -> str:
        for theirs, ours in self._replaced.items():
            code = code.replace(theirs, ours)
        return code

    def _theirs(self, output: str) -> str:
        folder = re.escape(str(self.folder))
        output = re.sub(rf"{folder}/oras-tmp\.\w+", "/tmp/oras-tmp.e5itvzfi", output)
        output = output.replace(f"{self.folder}/", "/tmp/")
        return output.replace(self._replaced["localhost:5000"], "localhost:5000")

    def _described(self, shown: str) -> str:
        """Put the digest of our file where the guide has that of its author's."""
        theirs = "1192142acbf7ac7578906407f5a28820c4ff69937000558613c2d9ec56db370a"
        if theirs not in shown:
            return shown
        content = (self.folder / "config.json").read_bytes()
        return shown.replace(theirs, hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("name", RUNNABLE)
def test_block_holds(name, tmp_path, request):
    row = ROWS[name]
    registry = request.getfixturevalue(f"{row.registry}_registry")
    Reader(tmp_path, registry).run(BLOCKS[name], row)


def test_the_guide_is_the_one_that_was_agreed_on():
    digest = hashlib.sha256(GUIDE.read_bytes()).hexdigest()
    assert digest == "ae504fd1a615ced11ba29f3453abd574e34e7d3a4ca39da4a22c55fe27f14850"


def test_every_block_has_a_row_and_every_row_a_block():
    assert list(ROWS) == list(BLOCKS)


def test_every_python_block_is_run():
    python = [name for name, block in BLOCKS.items() if block.language in ("python", "")]
    assert python == RUNNABLE
    assert not [row for row in ROWS.values() if isinstance(row, Instead) and not row.what]


def test_three_lines_of_python_blocks_are_output():
    output = [line for name in RUNNABLE for line in BLOCKS[name].output]
    assert output == [
        "Successfully pushed localhost:5000/dinosaur/artifact:v1",
        "<Response [201]>",
        "['/tmp/oras-tmp.e5itvzfi/artifact.txt']",
    ]


def test_the_command_of_the_password_file_gives_one_that_a_registry_takes(tmp_path):
    require_program("htpasswd")
    text = BLOCKS["Local Development Registry: bash 2"].text
    subprocess.run(["sh", "-c", text], cwd=tmp_path, check=True, capture_output=True)
    name, _, hashed = (tmp_path / "auth.htpasswd").read_text().strip().partition(":")
    assert name == "myuser"
    assert bcrypt.checkpw(b"mypass", hashed.encode())
