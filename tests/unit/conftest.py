"""Settings of tests without sockets."""

from __future__ import annotations

import pytest

from oras_core.registry import referrers


@pytest.fixture(autouse=True)
def _lists_settle_at_once(monkeypatch):
    """Nobody but the test writes to an embedded registry: nobody needs to be waited for."""
    monkeypatch.setattr(referrers, "SETTLING", 0.0)
    monkeypatch.setattr(referrers, "SLOWNESS", 0.0)
    monkeypatch.setattr(referrers, "BACKOFF", 0.0)
