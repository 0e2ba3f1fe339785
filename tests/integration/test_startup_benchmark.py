"""The first operation of a process loads what it needs: the benchmark, as a test."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from oras_adapters import RegistryServer
from oras_core.testing import EmbeddedRegistry

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "startup.py"

MOST = {"get_tags": 83, "pull": 155, "push again": 158, "Client.tags": 68, "Client.pull": 135}
"""Modules of ours that the first operation may load."""

ABSENT = {
    "get_tags": (
        "cattrs",
        "ssl",
        "urllib3",
        "tarfile",
        "oras.auth.ecr",
        "oras_core.verbs",
        "oras_core.registry.blobs",
    ),
    "pull": (
        "ssl",
        "tarfile",
        "urllib3",
        "oras_core.verbs.push",
        "oras_core.registry.blobs.upload",
    ),
    "push again": (
        "ssl",
        "tarfile",
        "tempfile",
        "urllib3",
        "oras_core.registry.auth.authorizer",
        "oras_core.registry.blobs.upload",
        "oras_core.registry.referrers",
    ),
    "Client.tags": (
        "ssl",
        "tarfile",
        "urllib3",
        "oras_core.registry.blobs",
        "oras_core.registry.auth.authorizer",
    ),
    "Client.pull": ("ssl", "tarfile", "urllib3", "oras_core.registry.blobs.upload"),
}
"""Modules that the first operation does not need: the registry is one without TLS."""


@pytest.fixture(scope="module")
def startup():
    spec = importlib.util.spec_from_file_location("startup", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def target(startup, tmp_path_factory):
    with RegistryServer(EmbeddedRegistry()) as server:
        named = f"{server.address}/benchmark/start:v1"
        startup.push_small_file(named, tmp_path_factory.mktemp("small"))
        startup.start("push again", named)
        yield named


@pytest.mark.parametrize("operation", MOST)
def test_the_first_operation_loads_few_modules(startup, target, operation):
    start = startup.start(operation, target)
    assert len(start.ours) <= MOST[operation], sorted(start.ours)
    loaded = {*start.ours, *start.others}
    assert not loaded.intersection(ABSENT[operation])
