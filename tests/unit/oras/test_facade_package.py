from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import oras
import oras.version

ROOT = Path(oras.__file__).parents[1]


def run(code, *, path=ROOT):
    program = f"import sys; sys.path.insert(0, {str(path)!r})\n{code}"
    return subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False
    )


def test_import_of_the_package_imports_no_submodule():
    result = run(
        "before = set(sys.modules)\nimport oras\n"
        "print(sorted(n for n in set(sys.modules) - before if n != 'oras' and '.' not in n))\n"
        "print(sorted(n for n in sys.modules if n.startswith(('oras.', 'oras_'))))"
    )
    assert result.returncode == 0, result.stderr
    new, ours = (set(eval(line)) for line in result.stdout.splitlines())
    assert ours == set()
    assert not new & {"attr", "attrs", "cattrs", "urllib3", "keyring", "typing", "re"}


def test_submodules_are_attributes_without_being_imported():
    result = run("import oras\nassert oras.defaults.default_tag == 'latest'\nprint(dir(oras))")
    assert result.returncode == 0, result.stderr
    assert {"client", "oci", "utils", "__version__"} <= set(eval(result.stdout))


def test_unknown_attributes_are_attribute_errors():
    with pytest.raises(AttributeError, match="no_such_module"):
        oras.no_such_module  # noqa: B018


def test_version_equals_the_distribution_s():
    assert oras.__version__ == oras.version.__version__
    assert oras.version.NAME == "oras"


def test_requirements_are_read_from_the_metadata(monkeypatch):
    lines = ["attrs>=23.1", "pinned==1.0", "any", 'boto3>=1.33; extra == "ecr"']
    monkeypatch.setattr("importlib.metadata.requires", lambda name: lines)
    oras.version._requirements.cache_clear()
    try:
        assert oras.version.INSTALL_REQUIRES == (
            ("attrs", {"min_version": "23.1"}),
            ("pinned", {"exact_version": "1.0"}),
            ("any", {"min_version": None}),
        )
        assert oras.version.ECR_REQUIRES == (("boto3", {"min_version": "1.33"}),)
        assert oras.version.DOCKER_REQUIRES == ()
        assert len(oras.version.INSTALL_REQUIRES_ALL) == 4
    finally:
        oras.version._requirements.cache_clear()


@pytest.fixture
def site(tmp_path):
    """Return a site directory that holds nothing but this package's entry."""
    package = tmp_path / "site" / "oras"
    package.mkdir(parents=True)
    package.joinpath("__init__.py").write_bytes(Path(oras.__file__).read_bytes())
    return package.parent


@pytest.mark.parametrize("entry", ["oras-0.2.43.dist-info", "oras-0.1.0-py3.11.egg-info"])
def test_oras_py_in_the_same_folder_is_refused_with_advice(site, entry):
    site.joinpath(entry).mkdir()
    result = run("import oras", path=site)
    assert result.returncode == 1
    assert "ImportError" in result.stderr
    assert entry in result.stderr
    assert "pip uninstall oras oras-sdk && pip install oras-sdk" in result.stderr


@pytest.mark.parametrize("files", ["", "oras-0.2.43.post1.dist-info/METADATA,,\n"])
def test_stand_in_for_oras_py_is_accepted(site, files):
    site.joinpath("oras-0.2.43.post1.dist-info").mkdir()
    site.joinpath("oras-0.2.43.post1.dist-info", "RECORD").write_text(files)
    assert run("import oras", path=site).returncode == 0


def test_distribution_with_modules_is_recognised_as_oras_py(site):
    site.joinpath("oras-0.2.44.dist-info").mkdir()
    site.joinpath("oras-0.2.44.dist-info", "RECORD").write_text("oras/provider.py,sha256=x,1\n")
    result = run("import oras", path=site)
    assert "python -m oras.doctor" in result.stderr


@pytest.mark.parametrize("entry", ["oras_sdk-0.3.0.dist-info", "oras-extra", "orasaur-1.dist-info"])
def test_other_distributions_are_accepted(site, entry):
    site.joinpath(entry).mkdir()
    assert run("import oras", path=site).returncode == 0


def test_oras_py_in_another_folder_is_accepted(site, tmp_path):
    other = tmp_path / "other"
    other.joinpath("oras-0.2.43.dist-info").mkdir(parents=True)
    result = run(f"sys.path.append({str(other)!r})\nimport oras", path=site)
    assert result.returncode == 0, result.stderr
