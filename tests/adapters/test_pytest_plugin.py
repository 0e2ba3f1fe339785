"""The pytest plugin, in test runs of its own: fixtures, options, scopes and cost."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = "oras_adapters.pytest_plugin"

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path):
    """Run pytest in a folder of its own; return the finished process."""

    def call(*arguments, source="", ini="", folder=tmp_path):
        if source:
            folder.joinpath("test_it.py").write_text(source)
            folder.joinpath("pytest.ini").write_text(f"[pytest]\n{ini}\n")
        # By its module: the metadata of a development checkout may be older than the entry point.
        loaded = ("-p", "no:oras", "-p", PLUGIN, "-p", "no:cacheprovider", "-p", "no:anyio")
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "pytest", *loaded, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
                "PYTHONDONTWRITEBYTECODE": "1",
                "HOME": str(tmp_path),
                "TMPDIR": str(tmp_path),
            },
        )

    return call


def passed(finished) -> int:
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return int(re.search(r"(\d+) passed", finished.stdout)[1])


def test_distribution_declares_the_plugin():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["options.entry_points"]["pytest11"].strip() == f"oras = {PLUGIN}"


def test_unused_plugin_imports_nothing_of_the_library(run):
    finished = run(
        source="""
import sys

def test_nothing_is_loaded():
    packages = {"oras", "oras_core", "oras_adapters"}
    ours = {name for name in sys.modules if name.split(".")[0] in packages}
    assert ours == {"oras_adapters", "oras_adapters.pytest_plugin", "oras_core", "oras_core.lazy"}
    assert not {"attrs", "urllib3", "trustme"} & sys.modules.keys()
"""
    )
    assert passed(finished) == 1


EVERY_ACCESS = """
import urllib3, ssl
import pytest
from oras_adapters.pytest_plugin import RegistryOptions

CASES = [
    RegistryOptions(auth=auth, tls=tls, referrers=not tls)
    for auth in ("none", "basic", "token") for tls in (False, True)
]

@pytest.fixture(params=CASES, ids=str)
def oras_registry_options(request):
    return request.param

def test_client_and_server_share_one_registry(
    oras_registry_options, oras_client, oras_registry, oras_registry_server, oras_ca_file, tmp_path
):
    (tmp_path / "file.txt").write_text("text")
    place = f"{oras_registry_server.address}/team/it"
    oras_client.push(f"{place}:v1", {"file.txt": str(tmp_path / "file.txt")})
    assert oras_client.read(f"{place}:v1", "file.txt") == b"text"
    attached = {"b.txt": str(tmp_path / "file.txt")}
    oras_client.attach(f"{place}:v1", attached, artifact_type="a/b")
    assert len(list(oras_client.referrers(f"{place}:v1"))) == 1
    with urllib3.PoolManager(ca_certs=str(oras_ca_file), retries=False) as pool:
        tried = pool.request("GET", f"{oras_registry_server.url}/v2/")
        assert tried.status == (200 if oras_registry_options.auth == "none" else 401)
        assert oras_registry_server.url.startswith("https:") == oras_registry_options.tls
    offered = [request for request in oras_registry.requests if "/referrers/" in request.path]
    assert offered
    assert all((request.status == 200) == oras_registry_options.referrers for request in offered)

def test_each_test_gets_an_empty_registry(oras_registry):
    assert oras_registry.requests == ()
"""


@pytest.mark.long
def test_options_work_in_parallel_processes(run):
    assert passed(run("-n", "2", source=EVERY_ACCESS)) == 12


SHARED = """
def test_first(oras_client, oras_registry_server, tmp_path):
    (tmp_path / "file.txt").write_text("text")
    oras_client.push("registry.example/it:v1", {"file.txt": str(tmp_path / "file.txt")})

def test_second(oras_client):
    assert list(oras_client.tags("registry.example/it")) == ["v1"]
"""


def test_session_scope_shares_one_registry(run):
    assert passed(run(source=SHARED, ini="oras_registry_scope = session")) == 2


def test_unknown_scope_is_named(run):
    finished = run(source=SHARED, ini="oras_registry_scope = forever")
    assert finished.returncode != 0
    assert "oras_registry_scope is 'forever', not function or session" in (
        finished.stdout + finished.stderr
    )


def test_missing_trustme_error_names_the_extra(run):
    finished = run(
        source="""
import sys
import pytest
from oras_adapters.pytest_plugin import RegistryOptions

@pytest.fixture
def oras_registry_options(monkeypatch):
    monkeypatch.setitem(sys.modules, "trustme", None)
    return RegistryOptions(tls=True)

def test_it(oras_registry_server):
    pass
"""
    )
    assert finished.returncode == 1
    assert "pip install 'oras-sdk[testing]'" in finished.stdout


def test_tests_of_the_example_package_pass(run):
    assert passed(run(folder=ROOT / "examples" / "embedding")) == 4


def test_examples_of_the_page_on_testing_pass(run, tmp_path):
    page = (ROOT / "docs" / "testing.md").read_text("utf-8")
    test, options, faults = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    sources = {"plain": test, "options": options + test, "faults": faults}
    for name, source in sources.items():
        (tmp_path / f"test_{name}.py").write_text(source)
    assert passed(run()) == len(sources)
