"""Every name and parameter of oras-py 0.2.43 that user code may rely on is here too.

`oras_py_surface.json` was taken from the live package: a parameter with a trailing `=`
has a default there. Ours may take more, behind those, as long as it is optional.
"""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path

import pytest

SURFACE = json.loads(Path(__file__).with_name("oras_py_surface.json").read_text(encoding="utf-8"))

NAMES = [(module, name) for module in SURFACE for name in SURFACE[module]]
MEMBERS = [
    (module, name, member)
    for module, name in NAMES
    for member in SURFACE[module][name].get("members", {})
]


def load(module, name):
    return getattr(importlib.import_module(module), name)


def accepts(function, expected, *, bound=True):
    """Say what `function` lacks of the parameters `expected`; an empty string if nothing."""
    parameters = list(inspect.signature(function).parameters.values())[0 if bound else 1 :]
    named = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    kinds = {"*": inspect.Parameter.VAR_POSITIONAL, "**": inspect.Parameter.VAR_KEYWORD}
    for at, text in enumerate(expected):
        name = text.strip("*=")
        if text.startswith("*"):
            if all(p.kind != kinds[text.removesuffix(name)] for p in parameters):
                return f"takes no {text}"
        elif at >= len(named) or named[at].name != name:
            return f"parameter {at} is not {name}"
        elif text.endswith("=") and named[at].default is inspect.Parameter.empty:
            return f"{name} has no default"
    known = {text.strip("*=") for text in expected}
    for parameter in parameters:
        demanded = parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        )
        if demanded and parameter.name not in known:
            return f"demands {parameter.name}, which oras-py does not know"
    return ""


@pytest.mark.parametrize(("module", "name"), NAMES, ids=lambda part: part)
def test_functions_and_classes_accept_oras_py_s_parameters(module, name):
    expected = SURFACE[module][name]
    found = load(module, name)
    if expected["kind"] == "function":
        assert accepts(found, expected["parameters"]) == ""
    elif expected["kind"] == "class":
        assert inspect.isclass(found)
        if expected["init"] != ["*args", "**kwargs"]:
            assert accepts(found, expected["init"]) == ""


@pytest.mark.parametrize(("module", "name", "member"), MEMBERS, ids=lambda part: part)
def test_methods_accept_oras_py_s_parameters(module, name, member):
    expected = SURFACE[module][name]["members"][member]
    cls = load(module, name)
    if expected == "attribute":
        assert hasattr(cls, member)
    elif expected == "property":
        assert isinstance(inspect.getattr_static(cls, member), property)
    else:
        static = isinstance(inspect.getattr_static(cls, member), (staticmethod, classmethod))
        assert accepts(getattr(cls, member), expected, bound=static) == ""


def test_comparison_reports_missing_parameters():
    def ours(self, first, second): ...

    assert accepts(ours, ["first", "second"], bound=False) == ""
    assert "no default" in accepts(ours, ["first", "second="], bound=False)
    assert "demands second" in accepts(ours, ["first"], bound=False)
    assert "parameter 0" in accepts(ours, ["second", "first"], bound=False)
    assert "takes no" in accepts(ours, ["first", "second", "**kwargs"], bound=False)
