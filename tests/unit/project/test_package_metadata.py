"""The package's page on an index, the classifiers, and what they say of platforms."""

from __future__ import annotations

import configparser
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETUP_CFG = (ROOT / "setup.cfg").read_text(encoding="utf-8")
LINK = re.compile(r"(!?)\[([^\]]+)\]\(([^)]+)\)")
SOURCE = "https://git.example/team/oras-sdk"


@pytest.fixture(scope="module")
def setup_py():
    return runpy.run_path(str(ROOT / "setup.py"))


@pytest.fixture(scope="module")
def index_page(setup_py):
    return setup_py["index_page"]


@pytest.fixture(scope="module")
def classifiers():
    setup = configparser.ConfigParser()
    setup.read_string(SETUP_CFG)
    lines = setup["metadata"]["classifiers"].strip().splitlines()
    return {line for line in lines if not line.startswith("#")}


def links(page: str) -> list[str]:
    return [target for _, _, target in LINK.findall(page)]


def test_page_without_an_address_has_the_words_but_no_relative_link(index_page):
    page = index_page(README, None)
    assert links(page) == [target for target in links(README) if "://" in target]
    assert page == LINK.sub(lambda m: m[0] if "://" in m[3] else m[2], README)


def test_page_with_an_address_links_each_file_by_it(index_page):
    page = index_page(README, SOURCE)
    pictures = {picture for mark, _, picture in LINK.findall(page) if mark}
    assert pictures == {f"{SOURCE}/raw/HEAD/docs/pictures/targets.svg"}
    ours = [target for target in links(page) if target.startswith(SOURCE)]
    assert len(ours) == sum("://" not in target for target in links(README))
    for target in set(ours) - pictures:
        assert (ROOT / target.removeprefix(f"{SOURCE}/blob/HEAD/")).is_file(), target
    assert all("://" in target for target in links(page))


@pytest.mark.parametrize(
    "text", ["[a](https://other.example/x)", "[a](#part)", "[a](mailto:a@b.example)", "`a[0](b c)`"]
)
@pytest.mark.parametrize("source", [None, SOURCE])
def test_page_keeps_links_to_other_places(index_page, text, source):
    assert index_page(text, source) == text


@pytest.mark.parametrize(
    ("setup_cfg", "address"),
    [
        ("[metadata]\nname = x\n", None),
        ("[metadata]\nproject_urls =\n    Changelog = https://git.example/c\n", None),
        (f"[metadata]\nproject_urls =\n    A = b\n    Source = {SOURCE}\n", SOURCE),
    ],
)
def test_address_is_that_of_the_source_in_setup_cfg(setup_py, setup_cfg, address):
    assert setup_py["source_address"](setup_cfg) == address


def test_classifiers_of_pythons_are_those_of_the_page_of_platforms(classifiers):
    rows = (ROOT / "docs/platforms.md").read_text(encoding="utf-8").partition("\n\n## ")[0]
    tried = re.findall(r"^\| Linux, CPython ([^|]*) \| the whole test suite", rows, re.MULTILINE)
    pythons = {".".join(v.split(".")[:2]) for row in tried for v in re.findall(r"3\.[\d.]+", row)}
    prefix = "Programming Language :: Python :: "
    named = {line.removeprefix(prefix) for line in classifiers if line.startswith(prefix + "3.")}
    assert named == pythons
    assert any("Free Threading" in line for line in classifiers) == any(
        "without the global interpreter lock" in row for row in tried
    )


def test_examples_leave_the_port_that_macos_occupies():
    named = ("*.md", "docs/**/*.md", "examples/**/*.py", "oras/**/*.py", "oras_adapters/**/*.py")
    pages = [path for pattern in named for path in ROOT.glob(pattern)]
    assert len(pages) > 100
    assert not [str(path) for path in pages if "localhost:5000" in path.read_text("utf-8")]
