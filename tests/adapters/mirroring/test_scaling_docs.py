"""docs/scaling.md keeps its word: its rules are read, its examples run, its files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oras_adapters.mirroring.rules import read_rules
from oras_adapters.registry_server import RegistryServer
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.mirror_material import fill, write_rules

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")


def fenced(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_rules_of_the_page_are_read(tmp_path):
    [text] = fenced("toml")
    path = tmp_path / "mirror.toml"
    path.write_text(text)
    rules = read_rules(path)
    assert rules.mirrors[0].selection.newest == 10
    assert rules.limits["quay.io"].connections == 48


@pytest.fixture
def address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with RegistryServer(EmbeddedRegistry()) as server:
        fill(server.address, 2, threads=1)
        yield server.address


def test_the_examples_of_the_page_run(tmp_path, address):
    rules = write_rules(tmp_path, address, address, executor="threads", workers=1, jobs=1)
    rules.rename("mirror.toml")
    first, second = fenced("python")
    # Processes take seconds to start; tests/adapters/mirroring/test_mirror_executors.py has them.
    names = {}
    exec(first.replace("ProcessPoolExecutor(8)", "ThreadPoolExecutor(2)")
         .replace("ProcessPoolExecutor", "ThreadPoolExecutor"), names)  # fmt: skip
    assert names["report"].is_complete
    assert names["differences"] == []
    names = {}
    exec(second.replace("localhost:5001", address).replace("example/*", "app/*"), names)
    assert len(names["records"]) == 2
    assert all(record.failure is None for record in names["records"])
    names["registries"].close()


def test_the_files_that_the_page_names_exist():
    named = set(re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)", PAGE))
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []
