"""Programs that require oras-py run against our wheel, with the stand-in in place of oras-py."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from attrs import field, frozen

PROGRAMS = Path(__file__).parent / "programs"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@frozen
class Program:
    """A distribution and a script with its habits.

    Attributes:
        packages: what to install, pinned.
        script: the script in `programs`.
        registry: `open`, or `tls` for one that speaks TLS and demands a password.
        options: options of pip.
        beside: what to install first, with the default options.
        conflicts: whether the pins of the program exclude the stand-in.
    """

    packages: tuple[str, ...]
    script: str
    registry: str = "open"
    options: tuple[str, ...] = field(default=())
    beside: tuple[str, ...] = field(default=())
    conflicts: bool = False


CASES = {
    "omlmd": Program(("omlmd==0.1.6",), "omlmd_habits.py"),
    "hoppr": Program(("hoppr==1.14.6",), "hoppr_habits.py"),
    # Pins oras-py 0.1.14: installed without its pins.
    "conda-oci-mirror": Program(
        ("conda-oci-mirror==0.3.0",),
        "conda_oci_mirror_habits.py",
        options=("--no-deps",),
        beside=("click", "conda-package-handling", "msgpack", "py-rattler", "requests"),
        conflicts=True,
    ),
    "vdb": Program(("appthreat-vulnerability-db==6.4.4",), "vdb_habits.py", registry="tls"),
    "olot": Program(("olot[oras-py]==1.2.1",), "olot_habits.py"),
    "eval-hub-sdk": Program(("eval-hub-sdk[adapter]==1.0.6",), "eval_hub_habits.py"),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def test_program_runs_unchanged(case, environment, tmp_path, request):
    made = environment(*case.beside)
    made.pip("install", "-q", *case.options, *case.packages)
    variables = {}
    if case.registry == "open":
        address = request.getfixturevalue("open_registry")
    else:
        registry = request.getfixturevalue("tls_registry")
        address = registry.address
        variables = {"REQUESTS_CA_BUNDLE": str(registry.ca_file)}
        log_in(tmp_path, address)
    run = made.run(str(PROGRAMS / case.script), address, cwd=tmp_path, **variables)
    assert run.returncode == 0, run.stdout + run.stderr
    check_ours(made, tmp_path, conflicts=case.conflicts)


def log_in(home, address):
    """Write the credential where docker has it."""
    auth = base64.b64encode(b"myuser:mypass").decode()
    (home / ".docker").mkdir()
    config = {"auths": {address: {"auth": auth}}}
    (home / ".docker" / "config.json").write_text(json.dumps(config))


def check_ours(made, tmp_path, *, conflicts):
    """Check that installing the program left our files in place."""
    doctor = made.run("-m", "oras.doctor", cwd=tmp_path)
    assert doctor.returncode == 0, doctor.stdout
    assert "the stand-in" in doctor.stdout
    check = made.run("-m", "pip", "check", cwd=tmp_path)
    assert conflicts or check.returncode == 0, check.stdout


def test_oras_py_installed_over_this_package_is_diagnosed_and_repaired(
    environment, wheels, tmp_path
):
    made = environment()
    made.pip("install", "-q", "--force-reinstall", "--no-deps", "oras==0.2.43")
    doctor = made.run("-m", "oras.doctor", cwd=tmp_path)
    assert doctor.returncode == 1
    assert "oras/provider.py: overwritten by oras-py" in doctor.stdout
    assert "pip uninstall --yes oras" in doctor.stdout
    made.pip("uninstall", "--yes", "-q", "oras")
    assert made.run("-m", "oras.doctor", cwd=tmp_path).returncode == 1
    ours = [wheel for wheel in wheels if "oras_sdk" in wheel]
    made.pip("install", "-q", "--force-reinstall", "--no-deps", *ours)
    assert made.run("-m", "oras.doctor", cwd=tmp_path).returncode == 0
