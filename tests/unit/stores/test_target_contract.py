from __future__ import annotations

import pytest

from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content import TargetContract
from oras_core.testing.contracts.content_abilities import (
    DeleterContract,
    PredecessorFinderContract,
    ReferenceFetcherContract,
    ReferencePusherContract,
    ReferrerListerContract,
    TagListerContract,
    UntaggerContract,
)
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.artifacts import repository


class TestMemoryStore(
    TargetContract,
    TagListerContract,
    UntaggerContract,
    DeleterContract,
    PredecessorFinderContract,
    ReferrerListerContract,
):
    @pytest.fixture
    def target(self):
        return MemoryStore()


class TestRemoteRepository(
    TagListerContract,
    UntaggerContract,
    DeleterContract,
    ReferenceFetcherContract,
    ReferencePusherContract,
    ReferrerListerContract,
):
    """What it does besides what every target does."""

    @pytest.fixture
    def target(self):
        return repository()


class TestRemoteRepositoryWithoutReferrers(TestRemoteRepository, TargetContract):
    """The same where the registry has no referrers API (R31)."""

    @pytest.fixture
    def target(self):
        return repository(EmbeddedRegistry(referrers=False))
