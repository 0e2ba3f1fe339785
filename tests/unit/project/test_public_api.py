"""The public names: a change of them is a change of `public_names.json`, and is seen in review."""

from __future__ import annotations

import ast
import importlib
import json
from pathlib import Path

import pytest

from support.processes import run_python

ROOT = Path(__file__).parents[3]
LIST = Path(__file__).with_name("public_names.json")
LAZY = ["oras_core", "oras_core.errors", "oras_core.ports", "oras_core.testing", "oras_adapters"]
PUBLIC = {name: importlib.import_module(name) for name in LAZY}


def typed_names(package: str) -> dict[str, str]:
    """Return the names that type checkers see, each with its module relative to the package."""
    source = ROOT.joinpath(*package.split("."), "__init__.py").read_text("utf-8")
    blocks = [node for node in ast.parse(source).body if isinstance(node, ast.If)]
    imports = [node for node in blocks[0].body if isinstance(node, ast.ImportFrom)]
    return {
        alias.name: str(node.module).removeprefix(f"{package}.")
        for node in imports
        for alias in node.names
    }


def test_public_names_equal_the_checked_in_list():
    assert {name: sorted(module.__all__) for name, module in PUBLIC.items()} == json.loads(
        LIST.read_text("utf-8")
    )


@pytest.mark.parametrize("package", LAZY)
def test_type_checkers_see_the_public_names(package):
    module = PUBLIC[package]
    assert typed_names(package) == module._MODULE_OF
    assert set(module.__all__) == set(module._MODULE_OF)


@pytest.mark.parametrize("package", LAZY)
def test_every_public_name_resolves_and_is_listed(package):
    module = PUBLIC[package]
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("package", LAZY)
def test_a_misspelt_name_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'no_such'"):
        _ = PUBLIC[package].no_such


def test_importing_the_core_loads_none_of_its_modules():
    run_python(
        "-c",
        """if True:
        import sys
        import oras_core
        assert [name for name in sys.modules if name.startswith("oras_core.")] == []
        from oras_core import Digest
        assert "oras_core.model.digest" in sys.modules
        assert "oras_core.registry" not in sys.modules
    """,
    )


@pytest.mark.parametrize("package", ["oras_core.errors", "oras_core.ports", "oras_adapters"])
def test_importing_a_package_loads_none_of_its_modules(package):
    run_python(
        "-c",
        f"""if True:
        import sys
        import {package}
        loaded = [name for name in sys.modules if name.startswith("{package}.")]
        assert loaded == [], loaded
    """,
    )
