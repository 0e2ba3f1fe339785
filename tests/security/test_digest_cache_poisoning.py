"""A digest cache is believed only about files that cannot have changed, and by its owner only."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest
from attrs import evolve

from oras_adapters import Client, Settings, TransferSettings
from oras_core.content.known_digests import SETTLED
from oras_core.errors import OrasError
from oras_core.model.digest import Digest
from oras_core.testing import EmbeddedRegistry

PLACE = "127.0.0.1:5000/team/model:v1"
OLD = time.time_ns() - 10 * SETTLED


class Desk:
    """A folder with a file, a registry in memory, and clients with a digest cache."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.database = self.cache / "digests.db"
        self.registry = EmbeddedRegistry()
        self.file = folder / "weights.bin"
        self.file.write_bytes(b"the right bytes")
        self.reads = 0
        self._monkeypatch = monkeypatch

    def client(self) -> Client:
        transfer = TransferSettings(digest_cache=True, cache_directory=str(self.cache))
        return Client(Settings(transfer=transfer), transport=self.registry, credentials={})

    def push(self) -> Digest:
        with self.client() as client:
            root = client.push(PLACE, [self.file])
            return client.manifest(f"{PLACE.rpartition(':')[0]}@{root.digest}").layers[0].digest

    def later(self) -> None:
        """Let files that were changed until now count as settled."""
        now = time.time_ns() + 10 * SETTLED
        self._monkeypatch.setattr("oras_core.content.known_digests.time.time_ns", lambda: now)

    def entries(self) -> list[str]:
        if not self.database.exists():
            return []
        database = sqlite3.connect(self.database)
        found = [row[0] for row in database.execute("SELECT encoded FROM digests ORDER BY id")]
        database.close()
        return found


@pytest.fixture
def desk(tmp_path, monkeypatch):
    return Desk(tmp_path, monkeypatch)


def forge(database: Path, encoded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change the only entry as somebody would who can write to the database."""
    from oras_adapters import digest_cache

    monkeypatch.setattr(digest_cache, "_seal", lambda *_: "forged")
    other = sqlite3.connect(database)
    other.execute("UPDATE digests SET encoded = ?, seal = 'forged'", (encoded,))
    other.commit()
    other.close()


def test_a_file_that_changed_a_moment_ago_is_not_remembered(desk):
    desk.push()
    assert desk.entries() == []


def test_a_file_that_changes_within_the_same_moment_is_hashed_again(desk):
    desk.push()
    status = desk.file.stat()
    desk.file.write_bytes(b"the wrong bytes")
    os.utime(desk.file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert desk.push() == Digest.of(b"the wrong bytes")


def test_a_settled_file_is_remembered_until_it_changes(desk):
    desk.later()
    assert desk.push() == Digest.of(b"the right bytes")
    assert desk.entries() == [Digest.of(b"the right bytes").encoded]
    status = desk.file.stat()
    desk.file.write_bytes(b"the wrong bytes")
    # The size and the modification time are those of before. Only the change time differs.
    os.utime(desk.file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert desk.push() == Digest.of(b"the wrong bytes")


def test_the_registry_refuses_a_blob_with_a_forged_digest(desk, monkeypatch):
    desk.later()
    desk.push()
    forge(desk.database, Digest.of(b"something else!").encoded, monkeypatch)
    desk.registry = EmbeddedRegistry()
    with pytest.raises(OrasError):
        desk.push()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs POSIX owners")
def test_a_database_of_another_user_is_ignored(desk, monkeypatch):
    desk.later()
    desk.push()
    forge(desk.database, Digest.of(b"something else!").encoded, monkeypatch)
    monkeypatch.setattr(os, "getuid", lambda: os.stat(desk.database).st_uid + 1)
    assert desk.push() == Digest.of(b"the right bytes")


@pytest.mark.parametrize("what", ["database", "cache"])
@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs POSIX permissions")
def test_a_database_that_others_can_write_to_is_ignored(desk, monkeypatch, what):
    desk.later()
    desk.push()
    forge(desk.database, Digest.of(b"something else!").encoded, monkeypatch)
    place = getattr(desk, what)
    place.chmod(place.stat().st_mode | 0o002)
    assert desk.push() == Digest.of(b"the right bytes")


def test_a_link_in_the_place_of_the_database_is_ignored(desk, tmp_path):
    desk.cache.mkdir(mode=0o700)
    target = tmp_path / "precious"
    target.write_bytes(b"not ours")
    desk.database.symlink_to(target)
    desk.later()
    assert desk.push() == Digest.of(b"the right bytes")
    assert target.read_bytes() == b"not ours"


def test_a_damaged_digest_cache_costs_one_hashing(desk):
    desk.later()
    desk.push()
    desk.database.write_bytes(b"not a database" * 1000)
    assert desk.push() == Digest.of(b"the right bytes")
    assert desk.entries() == [Digest.of(b"the right bytes").encoded]


def test_an_unchanged_file_is_not_read_again(desk, monkeypatch):
    desk.later()
    desk.push()
    forge(desk.database, Digest.of(b"something else!").encoded, monkeypatch)
    with desk.client() as client:  # a blob of that digest exists already
        other = desk.folder / "other"
        other.write_bytes(b"something else!")
        client.push(f"{PLACE}-other", [other])
    assert desk.push() == Digest.of(b"something else!")


def test_a_pulled_file_that_is_unchanged_is_not_read_again(desk, monkeypatch):
    desk.push()
    with desk.client() as client:
        client.pull(PLACE, desk.folder / "out")
        assert desk.entries() == []
        desk.later()
        client.pull(PLACE, desk.folder / "out")
        assert desk.entries() == [Digest.of(b"the right bytes").encoded]
        monkeypatch.setattr("oras_core.stores.file.hash_source", None)
        client.pull(PLACE, desk.folder / "out")


def test_the_digest_cache_is_off_by_default(desk):
    desk.later()
    settings = evolve(Settings(), transfer=TransferSettings(cache_directory=str(desk.cache)))
    with Client(settings, transport=desk.registry, credentials={}) as client:
        client.push(PLACE, [desk.file])
    assert not desk.cache.exists()
