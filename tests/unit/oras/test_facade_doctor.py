"""`python -m oras.doctor` tells what is installed, what is damaged, and what mends it."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import oras
import oras.doctor

PACKAGE = Path(oras.__file__).parent
FILES = ["__init__.py", "doctor.py", "provider.py"]


def recorded(name, content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"


def install(site, name, version, contents):
    """Write files of the package `oras`, and the metadata of the distribution that has them."""
    (site / "oras").mkdir(parents=True, exist_ok=True)
    record = ""
    for file, content in contents.items():
        (site / "oras" / file).write_bytes(content)
        record += recorded(f"oras/{file}", content)
    metadata = site / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (metadata / "RECORD").write_text(record + f"{metadata.name}/METADATA,,\n")


@pytest.fixture
def site(tmp_path):
    """A site directory with oras-sdk."""
    install(tmp_path, "oras-sdk", "9.9", {name: (PACKAGE / name).read_bytes() for name in FILES})
    return tmp_path


def doctor(site):
    return subprocess.run(
        [sys.executable, "-m", "oras.doctor"],
        capture_output=True,
        text=True,
        check=False,
        cwd=site,
        env={**os.environ, "PYTHONPATH": str(site)},
    )


def test_intact_installation_is_reported(site):
    run = doctor(site)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        "oras-sdk 9.9: provides the package 'oras'",
        "The package 'oras' is sound.",
    ]


def test_stand_in_distribution_is_accepted(site):
    install(site, "oras", "0.2.43.post1", {})
    run = doctor(site)
    assert run.returncode == 0
    assert "oras 0.2.43.post1: the stand-in" in run.stdout


def test_oras_py_installed_over_this_package_is_reported_with_the_command_that_removes_it(site):
    install(site, "oras", "0.2.43", {"provider.py": b"# another one\n"})
    run = doctor(site)
    assert run.returncode == 1
    assert "oras-py 0.2.43 is installed into the same folder." in run.stdout
    assert "oras/provider.py: overwritten by oras-py" in run.stdout
    assert "oras/doctor.py" not in run.stdout
    assert "pip uninstall --yes oras && pip install --force-reinstall" in run.stdout


def test_missing_files_are_reported(site):
    (site / "oras" / "provider.py").unlink()
    run = doctor(site)
    assert run.returncode == 1
    assert "oras/provider.py: missing, removed with another distribution" in run.stdout
    assert run.stdout.rstrip().endswith("pip install --force-reinstall --no-deps oras-sdk")


def test_doctor_runs_when_the_import_is_refused(site):
    install(site, "oras", "0.2.43", {"provider.py": b"# another one\n"})
    refused = subprocess.run(
        [sys.executable, "-c", "import oras"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=site.parent,
    )
    assert "python -m oras.doctor" in refused.stderr
    assert doctor(site).returncode == 1


def test_missing_distribution_is_reported(monkeypatch):
    monkeypatch.setattr(oras.doctor, "_find", lambda name: None)
    report = oras.doctor.examine()
    assert report.problems
    assert "pip install oras-sdk" in report.remedy
