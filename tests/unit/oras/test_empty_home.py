"""The tests' own surroundings: see conftest.py."""

from __future__ import annotations

from pathlib import Path

from oras_adapters.settings.settings import load_settings


def test_settings_are_those_of_a_fresh_home():
    docker_config = load_settings().credentials.docker_config
    assert docker_config == str(Path.home() / ".docker" / "config.json")
