"""The reference documents every public name. Sphinx is not needed to write its pages."""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PUBLIC = json.loads(Path(__file__).with_name("public_names.json").read_text("utf-8"))
PUBLIC["oras"] = import_module("oras").__all__


@pytest.fixture(scope="module")
def pages():
    file = ROOT / "docs" / "extensions" / "public_names.py"
    spec = importlib.util.spec_from_file_location("public_names", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["public_names"] = module
    try:
        spec.loader.exec_module(module)
        return module.pages()
    finally:
        del sys.modules["public_names"]


@pytest.mark.parametrize("package", PUBLIC)
def test_every_public_name_has_an_entry(pages, package):
    names = {
        name
        for name in PUBLIC[package]
        if not inspect.ismodule(getattr(import_module(package), name))
    }
    entries = {
        line.rpartition(".")[2]
        for page in pages.values()
        for line in page.splitlines()
        if line.startswith(".. auto")
    }
    assert names - entries == set()


@pytest.mark.parametrize("name", ["Client", "AsyncClient"])
def test_the_verbs_of_the_clients_are_documented_with_them(pages, name):
    entry = pages["oras"].partition(f".. autoclass:: oras.{name}\n")[2].partition("```")[0]
    assert ":inherited-members:" in entry


def test_every_page_of_the_reference_is_in_the_index(pages):
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    assert all(f"reference/{page}\n" in index for page in pages)
