"""Everything works on a system without POSIX names, as far as one can simulate it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oras_adapters import LocalFileTree
from support.other_systems import ABOUT_POSIX, run

ROOT = Path(__file__).parents[2]

IMPORTS = """
import importlib, pkgutil, sys
import support.other_systems

skipped = ("oras_adapters.files.posix",)
for package in map(importlib.import_module, ("oras_core", "oras_adapters", "oras")):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.startswith(skipped):
            importlib.import_module(module.name)
from oras_adapters import LocalFileTree
assert LocalFileTree.__name__ == "PortableFileTree", LocalFileTree
assert not any(name.startswith(skipped) for name in sys.modules)
"""

WORK = """
import sys
from pathlib import Path
import support.other_systems

import oras.client
from oras_adapters import LocalFileTree, RegistryServer, compose, scratch_directory
from oras_core import Directory, File, FileSource, OciLayoutStore, copy, mirror, pull, push
from oras_core.errors import UnsafePathError
from oras_core.model.paths import sanitize_path
from oras_core.testing import EmbeddedRegistry

Path("data/sub").mkdir(parents=True)
Path("data/sub/b.txt").write_text("b")
Path("a.txt").write_text("a")
with RegistryServer(EmbeddedRegistry()) as server, compose() as parts:
    target = f"{server.address}/example/files:v1"
    client = oras.client.OrasClient(insecure=True)
    client.push(target, files=["a.txt", "data"])
    assert len(client.pull(target, outdir="copy")) == 2
    assert client.get_tags(target) == ["v1"]
    assert Path("copy/data/sub/b.txt").read_text() == "b"
    repository = parts.repository(f"{server.address}/example/files")
    layout = OciLayoutStore(LocalFileTree("layout", create=True))
    root = copy(repository, "v1", layout).root
    assert layout.resolve("v1").digest == root.digest
    pull(layout, "v1", LocalFileTree("again", create=True))
    assert Path("again/a.txt").read_text() == "a"
    mirror(repository, parts.repository(f"{server.address}/example/other"))
    assert client.get_tags(f"{server.address}/example/other") == ["v1"]
    with scratch_directory() as scratch:
        contents = [Directory("deep/data", LocalFileTree("data"))]
        push(repository, "v2", contents, scratch=scratch)
    client.login(hostname=server.address, username="user", password="secret", insecure=True)
    for title in ("con", "a:b", "x.txt.", "nul.txt"):
        file = File(title, FileSource(LocalFileTree("."), sanitize_path("a.txt")))
        push(repository, "bad", file)
        if sys.argv[1] == "windows":
            try:
                pull(repository, "bad", LocalFileTree("bad", create=True))
            except UnsafePathError as error:
                assert "Windows" in str(error)
            else:
                raise AssertionError(title)
print("done")
"""


QUICKSTART = """
import runpy
import support.other_systems

runpy.run_path("examples/quickstart.py", run_name="__main__")
"""


def test_system_chooses_the_file_tree():
    """The other choice is asserted in `IMPORTS`."""
    assert LocalFileTree.__name__ == "PosixFileTree"


@pytest.mark.parametrize("system", ["windows", "bare"])
def test_every_module_can_be_imported(system):
    done = run("-c", IMPORTS, system=system)
    assert done.returncode == 0, done.stderr


def test_push_pull_layouts_mirrors_and_login_work(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    done = run("-c", WORK, "windows", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "done"


def test_every_skipped_test_exists():
    tests = "".join(
        path.read_text("utf-8")
        for folder in ("tests", "oras_core/testing")
        for path in (ROOT / folder).rglob("*.py")
    )
    assert set(re.findall(r"def (test_\w+)\(", tests)) >= ABOUT_POSIX


@pytest.mark.slow
def test_quickstart_works():
    done = run("-c", QUICKSTART)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_file_contracts_pass():
    """The whole of the suites runs in `tox -e other-systems`."""
    tests = "tests/adapters/files/test_file_tree_contract.py"
    options = ("-q", "-p", "support.other_systems", "-p", "no:cacheprovider")
    done = run("-m", "pytest", *options, tests, "-k", "Local or Inside")
    assert done.returncode == 0, done.stdout[-3000:]
