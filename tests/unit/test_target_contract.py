from __future__ import annotations

import pytest

from oras_core.stores.memory import MemoryStore
from oras_core.testing.content import TargetContract
from oras_core.testing.content_abilities import (
    DeleterContract,
    PredecessorFinderContract,
    TagListerContract,
    UntaggerContract,
)


class TestMemoryStore(
    TargetContract, TagListerContract, UntaggerContract, DeleterContract, PredecessorFinderContract
):
    @pytest.fixture
    def target(self):
        return MemoryStore()
