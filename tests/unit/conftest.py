"""Settings of tests without sockets."""

from __future__ import annotations

import pytest

from oras_core.registry import referrers_update


@pytest.fixture(autouse=True)
def _lists_settle_at_once(monkeypatch):
    """Only the test writes to an embedded registry, so no pause for other clients is needed."""
    monkeypatch.setattr(referrers_update, "SETTLING", 0.0)
    monkeypatch.setattr(referrers_update, "SLOWNESS", 0.0)
    monkeypatch.setattr(referrers_update, "BACKOFF", 0.0)
