"""A missing test program: skipped on a desk, a failure in continuous integration."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.programs import DEBIAN_PACKAGES, require_program

CI_RUN = Path(__file__).parents[3] / ".ci" / "run"


@pytest.fixture
def nothing_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


def test_installed_program_is_found(monkeypatch, tmp_path):
    program = tmp_path / "skopeo"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert require_program("skopeo") == str(program)


@pytest.mark.usefixtures("nothing_installed")
def test_missing_program_skips_and_says_how_to_get_it(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install apache2-utils"):
        require_program("htpasswd")


@pytest.mark.usefixtures("nothing_installed")
def test_missing_program_fails_in_ci(monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install docker-registry"):
        require_program("docker-registry")


def test_ci_installs_every_program_that_tests_require():
    table = dict(re.findall(r"^  \[(\S+)\]=(\S+)$", CI_RUN.read_text(), flags=re.MULTILINE))
    assert table == DEBIAN_PACKAGES
