"""Environments with programs from the package index, and registries for them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen

from support import docker_registry

ROOT = Path(__file__).parents[2]
USERS = {"myuser": "mypass"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of this folder unless they are asked for: they need a package index."""
    if os.environ.get("ORAS_DOWNSTREAM"):
        return
    skip = pytest.mark.skip(reason="needs a package index; run tox -e downstream")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(skip)


@frozen
class Environment:
    """A virtual environment."""

    folder: Path

    def run(
        self, *arguments: str, cwd: Path | None = None, timeout: float = 300, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run its Python without anything of the checkout on the path."""
        left_out = {"PYTHONPATH", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
        if arguments[:2] == ("-m", "pip"):
            left_out = {"PYTHONPATH"}  # an index may need the authorities of this machine
        environment = {name: value for name, value in os.environ.items() if name not in left_out}
        return subprocess.run(
            [str(self.folder / "bin" / "python"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            timeout=timeout,
            env={**environment, "HOME": str(cwd or self.folder), **variables},
        )

    def pip(self, *arguments: str) -> str:
        """Run pip and return its output."""
        run = self.run("-m", "pip", "--disable-pip-version-check", *arguments)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Build our wheel and that of the stand-in."""
    folder = tmp_path_factory.mktemp("wheels")
    for source in (ROOT, ROOT / "packaging" / "oras-stand-in"):
        copy = tmp_path_factory.mktemp("source") / "copy"
        shutil.copytree(source, copy, ignore=_unneeded(source))
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(copy)],
            check=True,
            capture_output=True,
        )
    return sorted(str(wheel) for wheel in folder.glob("*.whl"))


def _unneeded(source: Path) -> Callable[[str, list[str]], list[str]]:
    """Leave out what a build does not need."""
    unneeded = {".git", ".venv", ".tox", ".hypothesis", "tests", "benchmarks", "build"}

    def ignore(folder: str, names: list[str]) -> list[str]:
        top = Path(folder) == source
        return [n for n in names if (top and n in unneeded) or n == "__pycache__"]

    return ignore


@pytest.fixture(scope="session")
def environment(
    wheels: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Environment]:
    """Return a function that makes an environment with our wheels and further packages."""

    def make(*packages: str) -> Environment:
        folder = tmp_path_factory.mktemp("environment")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        made = Environment(folder)
        made.pip("install", "-q", *wheels)
        if packages:
            made.pip("install", "-q", *packages)
        return made

    return make


@pytest.fixture(scope="session")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry.open_registry(tmp_path_factory.mktemp("open")) as registry:
        yield registry.address


@pytest.fixture(scope="session")
def tls_registry(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[docker_registry.DockerRegistry]:
    """A registry on `localhost` that speaks TLS and demands a password."""
    folder = tmp_path_factory.mktemp("tls")
    with docker_registry.guarded_registry(folder, USERS, auth="htpasswd", tls="tls") as registry:
        yield registry
