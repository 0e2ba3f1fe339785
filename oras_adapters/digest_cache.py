"""A digest memory on disk, shared by the processes of one user: an SQLite database."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import stat
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from oras_core.errors import OrasError
from oras_core.forks import ForkSafeLock, PerProcess
from oras_core.model.digest import Digest
from oras_core.ports.digests import DigestMemory
from oras_core.ports.files import FileEntry

__all__ = ["DigestCache"]

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

MAX_ENTRIES: Final = 200_000
"""Entries of the database, about 40 MB; the oldest are dropped."""

BUSY_SECONDS: Final = 1.0
"""Seconds to wait for another process; hashing a file often takes less."""

_Connections: TypeAlias = list[sqlite3.Connection | None]
"""The connection of one process; None if the database cannot be used, empty before first use."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS digests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    revision TEXT NOT NULL,
    size INTEGER NOT NULL,
    algorithm TEXT NOT NULL,
    encoded TEXT NOT NULL,
    seal TEXT NOT NULL,
    UNIQUE (revision, size, algorithm)
)
"""


class DigestCache(DigestMemory):
    """Digests in a database. Thread-safe; processes may share the file.

    A database that another user owns or can write to is ignored. A damaged one is replaced.
    Every failure means that files are hashed again.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_entries: int = MAX_ENTRIES) -> None:
        """Use the database at `path`; it and its folder are created on first use.

        Args:
            path: the file, in a folder that belongs to this user.
            max_entries: entries to keep.
        """
        self._path = Path(path)
        self._max_entries = max_entries
        self._lock = ForkSafeLock()
        # SQLite forbids a child even to close a connection of its parent.
        self._inherited: _Connections = []
        self._database: PerProcess[_Connections] = PerProcess(list, self._inherited.extend)
        weakref.finalize(self, _close, self._database)  # a client need not be closed

    def __repr__(self) -> str:
        """Name the file."""
        return f"DigestCache({str(self._path)!r})"

    def recall(self, entry: FileEntry, algorithm: str) -> Digest | None:
        """Return the digest of a file with the same revision and size; None if unknown."""
        row = self._run(
            "SELECT encoded, seal FROM digests WHERE revision = ? AND size = ? AND algorithm = ?",
            (entry.revision, entry.size, algorithm),
            _row,
        )
        if not row or not entry.revision:
            return None
        encoded, seal = row
        if seal != _seal(entry, f"{algorithm}:{encoded}"):
            return None  # a row that a crash of the machine has damaged
        try:
            return Digest(algorithm, encoded)
        except OrasError:
            return None

    def remember(self, entry: FileEntry, digest: Digest) -> None:
        """Keep the digest of the file in the state `entry`, in place of an earlier one."""
        if not entry.revision:
            return
        row = (entry.revision, entry.size, digest.algorithm, digest.encoded)
        number = self._run(
            "INSERT OR REPLACE INTO digests (revision, size, algorithm, encoded, seal)"
            " VALUES (?, ?, ?, ?, ?)",
            (*row, _seal(entry, str(digest))),
            _row_number,
        )
        if number is not None and number > self._max_entries:
            oldest = number - self._max_entries
            self._run("DELETE FROM digests WHERE id <= ?", (oldest,), _row_number)

    def close(self) -> None:
        """Close the database. The next use opens it again."""
        with self._lock:
            _close(self._database)

    def _run(
        self, statement: str, values: tuple[str | int, ...], read: Callable[[sqlite3.Cursor], T]
    ) -> T | None:
        """Run a statement in a transaction, and `read` its result; None without a database."""
        with self._lock:
            connection = self._opened()
            if connection is None:
                return None
            try:
                return read(connection.execute(statement, values))
            except sqlite3.Error as error:
                if _is_damage(error):
                    self._discard(error)
                else:  # another process holds the lock, or the disk is full
                    _LOG.debug("the digest cache %s is not used now: %s", self._path, error)
        return None

    def _opened(self) -> sqlite3.Connection | None:
        held = self._database.get()
        if not held:
            held.append(self._open())
        return held[0]

    def _discard(self, error: Exception) -> None:
        _LOG.warning("the digest cache %s is damaged and is created again: %s", self._path, error)
        self.close()
        for name in (self._path, self._path.with_name(f"{self._path.name}-journal")):
            with suppress(OSError):
                name.unlink()

    def _open(self) -> sqlite3.Connection | None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            reason = _objection(self._path)
            if reason:
                _LOG.warning("the digest cache %s is ignored: %s", self._path, reason)
                return None
            try:
                return self._connect()
            except sqlite3.Error as error:
                if not _is_damage(error):
                    raise
                self._discard(error)
                return self._connect()
        except (OSError, sqlite3.Error) as error:
            _LOG.warning("the digest cache %s cannot be used: %s", self._path, error)
            return None

    def _connect(self) -> sqlite3.Connection:
        # The file exists with these permissions before SQLite opens it.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))
        connection = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            # A killed process rolls back by its journal. Only a crash of the machine can damage
            # the file, which the seals show.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = TRUNCATE").fetchone()
            connection.execute(_SCHEMA)
            connection.execute(
                "SELECT id, revision, size, algorithm, encoded, seal FROM digests LIMIT 1"
            ).fetchone()
        except BaseException:
            connection.close()
            raise
        return connection


def _row(cursor: sqlite3.Cursor) -> tuple[str, str] | None:
    row: tuple[str, str] | None = cursor.fetchone()
    return row


def _row_number(cursor: sqlite3.Cursor) -> int | None:
    return cursor.lastrowid


def _close(database: PerProcess[_Connections]) -> None:
    held = database.get()
    for connection in held:
        if connection is not None:
            connection.close()
    held.clear()


def _is_damage(error: sqlite3.Error) -> bool:
    """Tell whether the file is not a database, is damaged, or has other tables."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def _seal(entry: FileEntry, digest: str) -> str:
    text = f"{entry.revision} {entry.size} {digest}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _objection(path: Path) -> str:
    """Return why the file or its folder cannot be trusted; empty if both can."""
    for place, is_kind in ((path.parent, stat.S_ISDIR), (path, stat.S_ISREG)):
        try:
            status = os.lstat(place) if place == path else os.stat(place)
        except FileNotFoundError:
            continue
        if not is_kind(status.st_mode):
            return f"{place} is not a {'folder' if place == path.parent else 'regular file'}"
        if not hasattr(os, "getuid"):
            continue  # Windows: the folder of the user's profile is private
        if status.st_uid != os.getuid():
            return f"{place} belongs to another user"
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return f"others can write to {place}"
    return ""
