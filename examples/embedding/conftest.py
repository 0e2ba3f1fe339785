"""The registry of these tests requires a login, as most registries do."""

from __future__ import annotations

import pytest

from oras_adapters.pytest_plugin import RegistryOptions


@pytest.fixture
def oras_registry_options() -> RegistryOptions:
    """Demand bearer tokens; `oras_client` logs in."""
    return RegistryOptions(auth="token", users={"releases": "secret"})
