"""Modules, names, files and extras that documents and examples cite exist."""

from __future__ import annotations

import configparser
import importlib
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOTTED = re.compile(r"(?<![\w./@-])oras(?:_core|_adapters)?(?:\.[A-Za-z_]\w*)+(?![\w/@-])")
PATH = re.compile(
    r"(?<![\w./-])"
    r"(?:oras|oras_core|oras_adapters|tests|docs|examples|benchmarks|packaging|\.ci)/[\w./-]*\w"
)
EXTRA = re.compile(r"oras-sdk\[([\w,-]+)\]")
OTHER = {
    "oras.credential_stores": "a group of entry points",
    "oras.land": "the host of the documentation of ORAS",
    "oras.tests": "a package of oras-py that oras-sdk does not have",
    "oras/config.toml": "the settings file, below a folder of the user",
    "docs/readme.md": "the title of a file in an example",
    "docs/_build": "written by Sphinx",
    "docs/reference": "written by Sphinx",
}


def cited_files() -> list[Path]:
    names = (
        *("*.md", "docs/**/*.md", "packaging/**/*.md", "packaging/**/*.cfg"),
        *("examples/**/*.md", "examples/**/*.py", "benchmarks/**/*.md", ".ci/*"),
        *("tox.ini", "setup.cfg", "MANIFEST.in", "ruff.toml"),
    )
    files = (file for name in names for file in ROOT.glob(name) if file.is_file())
    return sorted(file for file in files if file.parent != ROOT / "docs" / "reference")


def exists(name: str) -> bool:
    """Return whether a dotted name is a module, or an attribute of one or of its classes."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return inspect.isclass(found) and part in inspect.get_annotations(found)
            found = getattr(found, part)
        return True
    return False


def missing(text: str) -> list[str]:
    names = {name for name in DOTTED.findall(text) if not exists(name)}
    paths = {path for path in PATH.findall(text) if not (ROOT / path).exists()}
    return sorted((names | paths) - OTHER.keys())


@pytest.mark.parametrize("file", cited_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_cited_names_and_files_exist(file):
    assert missing(file.read_text("utf-8")) == []


def test_cited_extras_exist():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    texts = [file.read_text("utf-8") for file in cited_files()]
    cited = {extra for text in texts for group in EXTRA.findall(text) for extra in group.split(",")}
    assert cited
    assert cited <= set(setup["options.extras_require"])


@pytest.mark.parametrize(
    "text",
    [
        "`oras_core.content.archive`",
        "import oras_adapters.urllib3_transport",
        "`oras.client.OrasClient.pul`",
        "see oras_core/copy_plan.py.",
        "`tests/unit/test_absent.py::test_it`",
    ],
)
def test_citation_of_a_missing_name_is_reported(text):
    assert len(missing(text)) == 1


def test_every_exception_is_cited():
    text = "\n".join(file.read_text("utf-8") for file in cited_files())
    assert {name for name in OTHER if name in text} == set(OTHER)
