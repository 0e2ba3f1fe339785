"""The tests' own surroundings: see conftest.py."""

from __future__ import annotations

from pathlib import Path

from oras_adapters.settings.settings import load_settings


def test_settings_without_a_docker_config_are_the_defaults():
    docker_config = load_settings().credentials.docker_config
    assert docker_config == str(Path.home() / ".docker" / "config.json")
