"""The ledger in a file keeps the contract of its port, and survives its process."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from oras_adapters.mirroring.sqlite_ledger import SqliteLedger
from oras_core.errors import FileAccessError, InvalidConfigurationError
from oras_core.mirroring.job import Job
from oras_core.testing.contracts.ledgers import LedgerContract


class TestSqliteLedger(LedgerContract):
    @pytest.fixture
    def ledger(self, tmp_path):
        with SqliteLedger(tmp_path / "mirror.sqlite") as ledger:
            yield ledger


def test_a_run_survives_its_process(tmp_path):
    path, job = tmp_path / "mirror.sqlite", Job("a/b", "c/d", ())
    with SqliteLedger(path) as ledger:
        ledger.begin("rules")
        ledger.add([job])
    with SqliteLedger(path) as ledger:
        assert ledger.begin("rules") is True
        assert list(ledger.open_jobs()) == [job]


def test_two_runs_cannot_have_one_ledger(tmp_path):
    path = tmp_path / "mirror.sqlite"
    with (
        SqliteLedger(path),
        pytest.raises(InvalidConfigurationError, match="another run has it open"),
    ):
        SqliteLedger(path)


@pytest.mark.parametrize("content", [b"no database, but a text " * 100, b"SQLite format 3\0"])
def test_another_file_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "mirror.sqlite"
    path.write_bytes(content)
    with pytest.raises(InvalidConfigurationError, match=r"mirror\.sqlite"):
        SqliteLedger(path)
    assert path.read_bytes() == content


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileAccessError, match="open the ledger"):
        SqliteLedger(tmp_path / "missing" / "mirror.sqlite")


def test_a_run_survives_a_kill(tmp_path):
    """Every change is on disk when its call returns, and the lock goes with the process."""
    path = tmp_path / "mirror.sqlite"
    program = f"""
import os, signal
from pathlib import Path
from oras_adapters.mirroring.sqlite_ledger import SqliteLedger
from oras_core.mirroring.job import Job
from oras_core.mirroring.records import Record
ledger = SqliteLedger(Path({str(path)!r}))
ledger.begin("rules")
ledger.add([Job("a/b", "c/d", ()), Job("a/e", "c/f", ())])
job = Job("a/b", "c/d", ())
ledger.note(Record(job.key, job.source, job.destination, tags=3))
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    with SqliteLedger(path) as ledger:
        assert ledger.begin("rules") is True
        assert list(ledger.open_jobs()) == [Job("a/e", "c/f", ())]
        assert (ledger.totals().done_jobs, ledger.totals().done_tags) == (1, 3)
