"""A program that imports only public packages works, with the client and with the core."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "typing" / "newcomer.py"
PUBLIC = {"oras", "oras_adapters", "oras_core", "oras_core.ports", "oras_core.testing"}


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return runpy.run_path(str(PROGRAM))


def test_client_pushes_attaches_copies_mirrors_and_pulls(program, tmp_path):
    assert program["with_client"](tmp_path) == ["# A model\n", "v1"]


def test_core_pushes_attaches_discovers_copies_mirrors_and_pulls(program, tmp_path):
    assert program["with_core"](tmp_path) == ["# A model\n", "application/spdx+json"]


def test_program_imports_public_packages_only():
    nodes = list(ast.walk(ast.parse(PROGRAM.read_text("utf-8"))))
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    assert {module for module in modules if module.startswith("oras")} == PUBLIC
