"""Every row of the security tables holds, over HTTP and where it matters over HTTPS."""

from __future__ import annotations

import tempfile
import tracemalloc

import pytest
from rows import ROWS

import oras.client
from oras_adapters import RegistryServer
from oras_core.testing import EmbeddedRegistry
from support.client_steps import perform
from support.modules import require_module
from support.threat_cases import Case
from support.threat_judge import Report, objections, observed
from support.threat_stage import staged

SETTINGS = """
[network]
connect_timeout = 2.0
read_timeout = {read_timeout}
attempts = 3
backoff = 0.02
max_pause = 2.0
"""


def _cases() -> list:
    return [
        pytest.param(case, scheme, id=f"{case.id}-{scheme}")
        for case in ROWS
        for scheme in case.schemes
    ]


@pytest.fixture(scope="module", autouse=True)
def _imported(tmp_path_factory):
    """Push and pull once: the time of the first row includes no imports."""
    folder = tmp_path_factory.mktemp("imported")
    (folder / "packed").mkdir()
    (folder / "packed" / "file").write_text("content")
    with (
        pytest.MonkeyPatch.context() as patch,
        RegistryServer(EmbeddedRegistry(users={"alice": "secret"})) as server,
    ):
        patch.setenv("HOME", str(folder))
        patch.setenv("USERPROFILE", str(folder))
        patch.chdir(folder)
        client = oras.client.OrasClient()
        client.login("alice", "secret", hostname=server.address)
        client.push(f"{server.address}/app:v1", files=["packed"])
        client.pull(f"{server.address}/app:v1", outdir="out")


@pytest.fixture
def settings(case, tmp_path, monkeypatch):
    """Short timeouts, so that a row that waits does not wait long.

    Where memory is traced, the server takes longer to send its large body.
    """
    path = tmp_path / "settings.toml"
    path.write_text(SETTINGS.format(read_timeout=0.3 if case.memory is None else 3.0))
    monkeypatch.setenv("ORAS_CONFIG", str(path))


@pytest.mark.parametrize(("case", "scheme"), _cases())
def test_row(case: Case, scheme: str, tmp_path, certificates, monkeypatch, settings):
    if case.module:
        require_module(case.module)
    root = tmp_path / "row"
    root.mkdir()
    with staged(case, scheme, root, certificates) as stage:
        for name, value in stage.folders.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(tempfile, "tempdir", str(stage.folders.scratch))
        monkeypatch.chdir(stage.folders.source)
        if case.memory is not None:
            tracemalloc.start()
        try:
            told = perform(stage.steps(), stage.client_arguments())
            memory = tracemalloc.get_traced_memory()[1] if case.memory is not None else 0
        finally:
            tracemalloc.stop()
        report = Report(
            told["outcome"],
            tuple(told["kinds"]),
            told["text"],
            told.get("message", ""),
            told["seconds"],
            memory,
        )
        wrong = objections(stage, observed(stage, report))
    assert not wrong, f"{case.does}: {wrong}"


def test_every_row_has_a_unique_name():
    assert len({case.id for case in ROWS}) == len(ROWS)
