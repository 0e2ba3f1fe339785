"""The reference documents every public name. Sphinx is not needed to write its pages."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import inspect
import json
import re
import runpy
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FunctionType

import pytest

ROOT = Path(__file__).parents[3]
PUBLIC = json.loads(Path(__file__).with_name("public_names.json").read_text("utf-8"))
PUBLIC["oras"] = import_module("oras").__all__


@pytest.fixture(scope="module")
def reference():
    """The module that writes the pages."""
    file = ROOT / "docs" / "extensions" / "public_names.py"
    spec = importlib.util.spec_from_file_location("public_names", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["public_names"] = module
    try:
        spec.loader.exec_module(module)
        return module
    finally:
        del sys.modules["public_names"]


@pytest.fixture(scope="module")
def pages(reference):
    return reference.pages()


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


def functions_of(value: object) -> Iterator[FunctionType]:
    """Yield the functions whose signatures the entry of a public value shows."""
    members = [value]
    if inspect.isclass(value):
        own = vars(value).items()
        members = [each for name, each in own if name == "__init__" or not name.startswith("_")]
    for member in members:
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        function = inspect.unwrap(function) if callable(function) else function
        if isinstance(function, FunctionType) and function.__module__.startswith("oras"):
            yield function


@cache
def imports_of(module: str) -> dict[str, str]:
    """Return the full names of what a module imports, by the names that the module uses."""
    tree = ast.parse(Path(sys.modules[module].__file__).read_text("utf-8"))
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            found |= {each.asname or each.name: prefix + each.name for each in node.names}
    return found


def names_in_annotations(function: FunctionType) -> set[str]:
    """Return the full names of the types in the signature of a function."""
    annotations = [each for each in function.__annotations__.values() if isinstance(each, str)]
    names = {
        node.id
        for annotation in annotations
        for node in ast.walk(ast.parse(annotation))
        if isinstance(node, ast.Name) and not hasattr(builtins, node.id)
    }
    module = function.__module__
    return {imports_of(module).get(name, f"{module}.{name}") for name in names}


def test_every_type_in_a_public_signature_is_documented(reference, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    settings = runpy.run_path(str(ROOT / "docs" / "conf.py"))
    ignored = [re.compile(pattern) for _, pattern in settings["nitpick_ignore_regex"]]
    documented = reference.documented()
    missing = set()
    for public in documented.values():
        module, _, name = public.rpartition(".")
        for function in functions_of(getattr(import_module(module), name)):
            for used in names_in_annotations(function):
                if used.rpartition(".")[2] in documented:
                    continue
                if not any(pattern.fullmatch(used) for pattern in ignored):
                    missing.add(f"{used}, in the signature of {public}")
    assert not missing, "add the types to docs/extensions/other-types.txt"
