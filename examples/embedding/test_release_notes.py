"""Test the release notes with the fixtures of oras-sdk: `pytest examples/embedding`."""

from __future__ import annotations

from pathlib import Path

import pytest
from release_notes import ReleaseNotes

from oras_adapters import Client, RegistryServer
from oras_core.errors import NotFoundError
from oras_core.testing import EmbeddedRegistry


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Write the notes of a release."""
    file = tmp_path / "notes.md"
    file.write_text("# 1.0\n\nThe first release.\n")
    return file


def test_published_notes_can_be_read(oras_client: Client, notes: Path) -> None:
    """Publish and read through a registry in this process."""
    releases = ReleaseNotes(oras_client, "registry.example/team/notes")
    releases.publish("1.0", notes)
    assert releases.read("1.0") == notes.read_text()
    assert releases.versions() == ["1.0"]


def test_a_version_without_notes_is_an_error(oras_client: Client) -> None:
    """Each test starts with an empty registry."""
    with pytest.raises(NotFoundError):
        ReleaseNotes(oras_client, "registry.example/team/notes").read("2.0")


def test_notes_are_sent_once(
    oras_client: Client, oras_registry: EmbeddedRegistry, notes: Path
) -> None:
    """The registry records its requests: a blob that it has is not uploaded again."""
    releases = ReleaseNotes(oras_client, "registry.example/team/notes")
    releases.publish("1.0", notes)
    sent = len([request for request in oras_registry.requests if request.method == "POST"])
    releases.publish("1.0.1", notes)
    posts = [request for request in oras_registry.requests if request.method == "POST"]
    assert len(posts) == sent


def test_other_programs_reach_the_registry_by_its_address(
    oras_client: Client, oras_registry_server: RegistryServer, notes: Path
) -> None:
    """The server has the same content, for programs that need a socket."""
    releases = ReleaseNotes(oras_client, f"{oras_registry_server.address}/team/notes")
    releases.publish("1.0", notes)
    assert releases.versions() == ["1.0"]
