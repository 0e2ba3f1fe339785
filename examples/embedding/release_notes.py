"""Publish the notes of a release as an artifact, and read them back."""

from __future__ import annotations

from pathlib import Path

from oras_adapters import Client


class ReleaseNotes:
    """The release notes of a program: one repository, one tag for each version."""

    def __init__(self, client: Client, repository: str) -> None:
        """Use `client`, which the caller closes, and `repository`, as `HOST/NAME`."""
        self._client = client
        self._repository = repository

    def publish(self, version: str, notes: Path) -> None:
        """Push the file `notes` and tag it with `version`."""
        place = f"{self._repository}:{version}"
        self._client.push(place, {"notes.md": f"{notes}:text/markdown"})

    def read(self, version: str) -> str:
        """Return the notes of `version`."""
        return self._client.read(f"{self._repository}:{version}", "notes.md").decode()

    def versions(self) -> list[str]:
        """Return the versions that have notes."""
        return list(self._client.tags(self._repository))
