"""What the tests of the verbs work on: targets of each kind, and folders in memory."""

from __future__ import annotations

import pytest

from oras_core.stores.layout.store import OciLayoutStore
from oras_core.stores.memory import MemoryStore
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.artifacts import repository
from support.targets import StrictStore

TARGETS = {
    "minimal": StrictStore,
    "memory": MemoryStore,
    "layout": lambda: OciLayoutStore(MemoryFileTree()),
    "registry": repository,
    "registry without referrers": lambda: repository(EmbeddedRegistry(referrers=False)),
}


def pytest_generate_tests(metafunc):
    """Run a test for each of the `KINDS` of targets that its module names."""
    if "target" in metafunc.fixturenames:
        kinds = getattr(metafunc.module, "KINDS", ("minimal", "registry"))
        metafunc.parametrize("target", kinds, indirect=True)


@pytest.fixture
def target(request):
    return TARGETS[request.param]()


@pytest.fixture
def scratch():
    return MemoryFileTree()


@pytest.fixture
def folder():
    return MemoryFileTree()
