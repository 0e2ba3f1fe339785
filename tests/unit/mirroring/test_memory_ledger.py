"""The ledger in memory keeps the contract of its port."""

from __future__ import annotations

import pytest

from oras_core.mirroring.ledger import MemoryLedger
from oras_core.testing.contracts.ledgers import LedgerContract


class TestMemoryLedger(LedgerContract):
    @pytest.fixture
    def ledger(self):
        return MemoryLedger()
