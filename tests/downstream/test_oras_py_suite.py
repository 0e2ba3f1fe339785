"""oras-py's own suite, from its wheel, passes against our package."""

from __future__ import annotations

import re
import zipfile

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NEED_THE_INTERNET = (
    "test_get_many_tags",
    "test_ssl_no_verify",
    "test_ssl_verify_fails_if_bad_ca",
    "test_ssl_verify_fails_fast_if_bad_ca",
)

# The suite uploads 1024 chunks of 16 MiB; chunks of 16 KiB are as good.
CONFTEST = """
import oras.defaults

oras.defaults.default_chunksize = 16 * 1024
"""


@pytest.fixture(scope="module")
def suite(environment, tmp_path_factory):
    """Return an environment and the folder of the suite."""
    made = environment("pytest", "requests", "jsonschema", "boto3")
    folder = tmp_path_factory.mktemp("suite")
    made.pip("download", "-q", "--no-deps", "--dest", str(folder), "oras==0.2.43")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if name.startswith("oras/tests/")]
        archive.extractall(folder, members)
    (folder / "oras" / "tests").rename(folder / "tests")
    (folder / "oras").rmdir()
    (folder / "conftest.py").write_text(CONFTEST)
    return made, folder


def run_suite(suite, address, **variables):
    made, folder = suite
    host, _, port = address.rpartition(":")
    run = made.run(
        *("-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "tests"),
        *("-k", " and ".join(f"not {name}" for name in NEED_THE_INTERNET)),
        cwd=folder,
        timeout=800,
        ORAS_HOST=host,
        ORAS_PORT=port,
        **variables,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {outcome: int(n) for n, outcome in re.findall(r"(\d+) (passed|skipped)", run.stdout)}


def test_oras_py_suite_passes_on_an_open_registry(suite, open_registry):
    outcomes = run_suite(suite, open_registry, ORAS_AUTH="false")
    assert outcomes["passed"] > 30


def test_oras_py_suite_passes_on_a_registry_with_tls_and_a_password(suite, tls_registry):
    outcomes = run_suite(
        suite, tls_registry.address, ORAS_AUTH="true", ORAS_USER="myuser", ORAS_PASS="mypass"
    )
    assert outcomes["passed"] > 20
