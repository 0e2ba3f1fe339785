from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from oras_adapters.digest_cache import DigestCache
from oras_core.model.digest import Digest
from oras_core.model.paths import sanitize_path
from oras_core.ports.files import FileEntry
from oras_core.testing import DigestMemoryContract, MemoryDigests

FILE = FileEntry(sanitize_path("file"), "file", size=4, revision="1-2-3-4")
DIGEST = Digest.of(b"text")


def numbered(number: int) -> FileEntry:
    return FileEntry(sanitize_path("file"), "file", size=4, revision=f"revision {number}")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "made" / "digests.db"


class TestMemoryDigests(DigestMemoryContract):
    @pytest.fixture
    def memory(self):
        return MemoryDigests()


class TestDigestCache(DigestMemoryContract):
    @pytest.fixture
    def memory(self, path):
        cache = DigestCache(path)
        yield cache
        cache.close()


@pytest.fixture
def cache(path):
    cache = DigestCache(path)
    yield cache
    cache.close()


def test_digests_are_kept_between_processes(cache, path):
    cache.remember(FILE, DIGEST)
    cache.close()
    assert DigestCache(path).recall(FILE, "sha256") == DIGEST


def test_a_cache_that_is_no_longer_used_closes_its_database(path):
    cache = DigestCache(path)
    cache.remember(FILE, DIGEST)
    (connection,) = cache._database.get()
    del cache
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_the_file_and_its_new_folder_are_private(cache, path):
    cache.remember(FILE, DIGEST)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_the_oldest_entries_are_dropped(path):
    cache = DigestCache(path, max_entries=10)
    for number in range(25):
        cache.remember(numbered(number), DIGEST)
    known = [n for n in range(25) if cache.recall(numbered(n), "sha256")]
    cache.close()
    assert known == list(range(15, 25))


def test_threads_share_a_cache(cache):
    def use(first: int) -> None:
        for number in range(first, first + 20):
            cache.remember(numbered(number), Digest.of(str(number).encode()))

    threads = [threading.Thread(target=use, args=(first,)) for first in range(0, 80, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(80):
        assert cache.recall(numbered(number), "sha256") == Digest.of(str(number).encode())


def test_another_thread_cannot_close_the_database_before_the_result_is_read(cache, monkeypatch):
    free: list[bool] = []

    def is_free() -> bool:
        acquired = cache._lock.acquire(timeout=0)
        if acquired:
            cache._lock.release()
        return acquired

    with ThreadPoolExecutor(1) as threads:

        class Cursor(sqlite3.Cursor):
            def fetchone(self):
                free.append(threads.submit(is_free).result(10))
                return super().fetchone()

        class Connection(sqlite3.Connection):
            def execute(self, *arguments):
                return self.cursor(Cursor).execute(*arguments)

        monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Connection))
        cache.remember(FILE, DIGEST)
        free.clear()
        assert cache.recall(FILE, "sha256") == DIGEST
    assert free == [False]


WRITER = """
import sys
from oras_adapters.digest_cache import DigestCache
from oras_core.model.digest import Digest
from oras_core.model.paths import sanitize_path
from oras_core.ports.files import FileEntry
cache = DigestCache(sys.argv[1])
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 50):
    entry = FileEntry(sanitize_path("file"), "file", size=4, revision=f"revision {number}")
    cache.remember(entry, Digest.of(b"text"))
"""


def test_processes_share_a_cache(cache, path):
    cache.remember(FILE, DIGEST)
    programs = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(first)])
        for first in (0, 50, 100)
    ]
    assert [program.wait(60) for program in programs] == [0, 0, 0]
    assert all(cache.recall(numbered(number), "sha256") for number in range(150))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_opens_the_database_anew(cache):
    cache.remember(FILE, DIGEST)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            cache.remember(numbered(1), DIGEST)
            status = 0 if cache.recall(FILE, "sha256") == DIGEST else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cache.recall(numbered(1), "sha256") == DIGEST


def test_a_locked_database_is_not_waited_for_long(cache, path, monkeypatch):
    monkeypatch.setattr("oras_adapters.digest_cache.BUSY_SECONDS", 0.01)
    cache.remember(FILE, DIGEST)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    fresh = DigestCache(path)
    assert fresh.recall(FILE, "sha256") is None
    other.execute("ROLLBACK")
    other.close()
    fresh.close()


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + bytes(4096)]
)
def test_a_damaged_database_is_made_anew(path, content):
    path.parent.mkdir(mode=0o700)
    path.write_bytes(content)
    path.chmod(0o600)
    cache = DigestCache(path)
    cache.remember(FILE, DIGEST)
    cache.close()
    assert DigestCache(path).recall(FILE, "sha256") == DIGEST


def test_a_database_with_other_tables_is_made_anew(path):
    path.parent.mkdir(mode=0o700)
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE digests (revision TEXT)")
    other.commit()
    other.close()
    path.chmod(0o600)
    cache = DigestCache(path)
    cache.remember(FILE, DIGEST)
    assert cache.recall(FILE, "sha256") == DIGEST
    cache.close()


def test_a_database_that_is_damaged_while_it_is_open_is_made_anew(cache, path):
    for number in range(500):
        cache.remember(numbered(number), DIGEST)
    cache.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    assert [cache.recall(numbered(number), "sha256") for number in range(500)] == [None] * 500
    cache.remember(FILE, DIGEST)
    assert cache.recall(FILE, "sha256") == DIGEST


def test_a_changed_row_is_not_believed(cache, path):
    cache.remember(FILE, DIGEST)
    cache.close()
    other = sqlite3.connect(path)
    other.execute("UPDATE digests SET encoded = ?", (Digest.of(b"else").encoded,))
    other.commit()
    other.close()
    assert cache.recall(FILE, "sha256") is None


def test_a_place_that_cannot_be_written_to_is_no_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    cache = DigestCache(tmp_path / "file" / "digests.db")
    cache.remember(FILE, DIGEST)
    assert cache.recall(FILE, "sha256") is None
