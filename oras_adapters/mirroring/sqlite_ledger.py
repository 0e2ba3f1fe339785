"""A ledger in a SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from oras_core.errors import FileAccessError, InvalidConfigurationError
from oras_core.forks import ClosedOnExit
from oras_core.mirroring.job import Job, job_from_text
from oras_core.mirroring.ledger import Ledger, Totals
from oras_core.mirroring.plan import Planned
from oras_core.mirroring.records import Failure, Record
from oras_core.model.digest import Digest

__all__ = ["SqliteLedger"]

VERSION: Final = 1
"""The version of the tables, in `PRAGMA user_version`."""

PAGE: Final = 256
"""Open jobs that are read at once."""

_TABLES: Final = """
CREATE TABLE run (rules TEXT NOT NULL, ended INTEGER NOT NULL, planned INTEGER NOT NULL);
CREATE TABLE planned (
    source TEXT NOT NULL, destination TEXT NOT NULL, PRIMARY KEY (source, destination)
) WITHOUT ROWID;
CREATE TABLE job (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    state TEXT NOT NULL,
    text TEXT,
    tags INTEGER NOT NULL DEFAULT 0,
    moved INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    mounted INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    left_out INTEGER NOT NULL DEFAULT 0,
    changed INTEGER NOT NULL DEFAULT 0,
    names TEXT,
    failure TEXT
);
CREATE INDEX job_state ON job (state, number);
CREATE TABLE blob (
    host TEXT NOT NULL, digest TEXT NOT NULL, repository TEXT NOT NULL, PRIMARY KEY (host, digest)
) WITHOUT ROWID;
"""


class SqliteLedger(Ledger, ClosedOnExit):
    """A ledger in a SQLite file, which one process at a time has open. Thread-safe.

    A context manager: leaving it closes the file.
    """

    def __init__(self, path: Path) -> None:
        """Open the file; make it if it is missing.

        Raises:
            InvalidConfigurationError: if it is no ledger, or another process has it open.
            FileAccessError: if it cannot be opened.
        """
        self._path = path
        self._lock = threading.RLock()
        try:
            self._connection = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=1.0
            )
        except sqlite3.Error as error:
            raise FileAccessError("open the ledger", str(path), str(error)) from error
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        try:
            # The lock lasts until the connection, or the process, ends.
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            with self._changing() as connection:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
                if version == 0 and tables == 0:
                    for statement in filter(str.strip, _TABLES.split(";")):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {VERSION}")
                elif version != VERSION:
                    reason = f"it is no ledger of version {VERSION}; name another file"
                    raise InvalidConfigurationError(str(self._path), reason)
        except sqlite3.OperationalError as error:
            reason = f"another run has it open, or the disk refuses ({error})"
            raise InvalidConfigurationError(str(self._path), reason) from error
        except sqlite3.DatabaseError as error:
            raise InvalidConfigurationError(str(self._path), f"it is no ledger: {error}") from error

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Return the connection, within one transaction."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _read(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    # --- The run --------------------------------------------------------------------------

    def begin(self, rules: str) -> bool:
        """Begin a run, or continue one."""
        with self._changing() as connection:
            row = connection.execute("SELECT rules, ended FROM run").fetchone()
            if row is not None and row[0] == rules and not row[1]:
                return True
            for table in ("run", "planned", "job"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - own names
            connection.execute("INSERT INTO run VALUES (?, 0, 0)", (rules,))
            return False

    def reopen_failed(self, rules: str) -> bool:
        """Make the failed jobs open again."""
        with self._changing() as connection:
            if connection.execute("SELECT rules FROM run").fetchone() != (rules,):
                return False
            unplanned = connection.execute(
                "DELETE FROM job WHERE state = 'failed' AND text IS NULL"
            ).rowcount
            connection.execute(
                "UPDATE job SET state = 'open', failure = NULL, seconds = 0 WHERE state = 'failed'"
            )
            connection.execute(
                "UPDATE run SET ended = 0, planned = planned AND ?", (not unplanned,)
            )
            return True

    def end(self) -> None:
        """Note the end of the run."""
        with self._changing() as connection:
            connection.execute("UPDATE run SET ended = 1")

    # --- The plan -------------------------------------------------------------------------

    def add(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Add jobs; return the new ones."""
        with self._changing() as connection:
            return [
                job
                for job in jobs
                if connection.execute(
                    "INSERT OR IGNORE INTO job (key, source, destination, state, text, tags) "
                    "VALUES (?, ?, ?, 'open', ?, ?)",
                    (job.key, job.source, job.destination, job.text(), len(job.tags)),
                ).rowcount
            ]

    def open_jobs(self) -> Iterator[Job]:
        """Iterate over the open jobs, of which few are in memory."""
        last = self._read("SELECT max(number) FROM job")[0][0]
        seen: object = 0
        while rows := self._read(
            "SELECT number, text FROM job WHERE state = 'open' AND number > ? AND number <= ? "
            "ORDER BY number LIMIT ?",
            seen,
            last,
            PAGE,
        ):
            yield from (job_from_text(str(text)) for _, text in rows)
            seen = rows[-1][0]

    def note_planned(self, planned: Planned) -> None:
        """Note that a repository is planned."""
        with self._changing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO planned VALUES (?, ?)", (planned.source, planned.destination)
            )

    def is_planned(self, planned: Planned) -> bool:
        """Tell whether a repository is planned."""
        found = self._read(
            "SELECT 1 FROM planned WHERE source = ? AND destination = ?",
            planned.source,
            planned.destination,
        )
        return bool(found)

    def note_all_planned(self) -> None:
        """Note that all repositories are planned."""
        with self._changing() as connection:
            connection.execute("UPDATE run SET planned = 1")

    # --- Results --------------------------------------------------------------------------

    def note(self, record: Record) -> None:
        """Note the end of a job."""
        failure = record.failure
        facts = None
        if failure is not None:
            facts = json.dumps([failure.kind, failure.message, failure.host, failure.is_passing])
        values: dict[str, object] = {
            "state": "done" if failure is None else "failed",
            **({"tags": record.tags} if failure is None else {}),
            "moved": record.moved,
            "skipped": record.skipped,
            "mounted": record.mounted,
            "bytes": record.bytes,
            "seconds": record.seconds,
            "left_out": len(record.left_out),
            "changed": len(record.changed),
            "names": json.dumps([record.left_out, record.changed]),
            "failure": facts,
        }
        host, _, repository = record.destination.partition("/")
        with self._changing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO job (key, source, destination, state) VALUES (?, ?, ?, '')",
                (record.key, record.source, record.destination),
            )
            names = ", ".join(f"{name} = :{name}" for name in values)
            connection.execute(
                f"UPDATE job SET {names} WHERE key = :key",  # noqa: S608 - own names
                {**values, "key": record.key},
            )
            connection.executemany(
                "INSERT OR IGNORE INTO blob VALUES (?, ?, ?)",
                [(host, str(digest), repository) for digest in record.blobs],
            )

    def places(self, host: str, digests: Collection[Digest]) -> Mapping[Digest, str]:
        """Return the known places of blobs."""
        found: dict[Digest, str] = {}
        for digest in digests:
            for (repository,) in self._read(
                "SELECT repository FROM blob WHERE host = ? AND digest = ?", host, str(digest)
            ):
                found[digest] = str(repository)
        return found

    def totals(self) -> Totals:
        """Return the sums."""
        with self._lock:
            connection = self._connection
            sums = connection.execute(
                "SELECT ifnull(sum(state = 'open'), 0), ifnull(sum(tags * (state = 'open')), 0), "
                "ifnull(sum(state = 'done'), 0), ifnull(sum(tags * (state = 'done')), 0), "
                "ifnull(sum(state = 'failed'), 0), ifnull(sum(moved), 0), ifnull(sum(skipped), 0), "
                "ifnull(sum(mounted), 0), ifnull(sum(bytes), 0), ifnull(sum(seconds), 0), "
                "ifnull(sum(left_out), 0), ifnull(sum(changed), 0) FROM job"
            ).fetchone()
            repositories = connection.execute("SELECT count(*) FROM planned").fetchone()[0]
            row = connection.execute("SELECT planned FROM run").fetchone()
        return Totals(repositories, bool(row and row[0]), *sums)

    def failures(self, limit: int) -> Sequence[Record]:
        """Return the first failures."""
        rows = self._read(
            "SELECT key, source, destination, failure, seconds FROM job WHERE state = 'failed' "
            "ORDER BY number LIMIT ?",
            limit,
        )
        return [
            Record(
                str(key),
                str(source),
                str(destination),
                failure=Failure(*json.loads(str(failure))),
                seconds=float(str(seconds)),
            )
            for key, source, destination, failure, seconds in rows
        ]

    # --- The file -------------------------------------------------------------------------

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
