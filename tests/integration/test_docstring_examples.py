"""The docstring of every verb has an example, which runs against the embedded registry."""

from __future__ import annotations

import doctest
import inspect
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

import oras
import oras_core
from oras_adapters import ComposedRegistries, RegistryServer, WorkerSetup, compose
from oras_core.mirroring.working import perform
from oras_core.ports import Credential
from oras_core.testing import EmbeddedRegistry, MemoryFileTree

VERBS = {
    name: value
    for name, value in inspect.getmembers(oras.Client, inspect.isfunction)
    if not name.startswith("_") and name not in ("close", "compose")
}
CORE_VERBS = """
    attach backup backup_to_archive copy copy_graph create_index describe_entry discover
    extended_copy fetch_config fetch_manifest find_manifest login logout mirror pack_manifest
    plan_mirror pull push read_index restore restore_from_archive run_job run_mirrors update_index
    verify verify_job verify_mirror
"""
CORE = {name: getattr(oras_core, name) for name in CORE_VERBS.split()}


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A client of a registry with the artifacts of the examples, and a working directory."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "layer0.bin").write_bytes(b"weights")
    (tmp_path / "card.md").write_text("# A model\n")
    (tmp_path / "sbom.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with RegistryServer(EmbeddedRegistry()) as server, oras.Client() as client:
        place = f"{server.address}/team/model"
        client.push(f"{place}:v1", ["weights", "card.md:text/markdown"])
        client.push(f"{place}:v2", "card.md:text/markdown")
        client.attach(f"{place}:v1", "sbom.json", artifact_type="application/spdx+json")
        client.index(f"{place}:multi", ["v1", "v2"])
        yield client, server.address


def run(verb, names, address):
    """Run the examples of a docstring; fail with the report of doctest."""
    (test,) = doctest.DocTestFinder(recurse=False).find(verb, verb.__name__, globs=names)
    assert test.examples, f"the docstring of {verb.__qualname__} has no example"
    for example in test.examples:
        example.source = example.source.replace("localhost:5001", address)
    report: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_example_of_the_client_runs(verb, world):
    client, address = world
    run(verb, {"client": client}, address)


@pytest.mark.parametrize("verb", CORE.values(), ids=CORE)
def test_example_of_the_core_runs(verb, world):
    _, address = world
    composition = compose()
    registry = composition.registry(address)
    public = {name: getattr(oras_core, name) for name in oras_core.__all__}
    names = {
        **public,
        "Credential": Credential,
        "MemoryFileTree": MemoryFileTree,
        "ThreadPoolExecutor": ThreadPoolExecutor,
        "partial": partial,
        "perform": perform,
        "registries": ComposedRegistries(WorkerSetup(), composition),
        "registry": registry,
        "repository": registry.repository("team/model"),
        "tree": MemoryFileTree(),
        "vault": composition.credentials,
    }
    run(verb, names, address)
