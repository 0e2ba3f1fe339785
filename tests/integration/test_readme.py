"""The README keeps its word: its code runs, its commands are those of continuous integration."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

import pytest

from oras_adapters.registry_server import RegistryServer
from oras_adapters.settings.settings import CredentialSettings, load_settings
from oras_core.testing import EmbeddedRegistry

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def examples(tmp_path, monkeypatch):
    """Run every Python example, in order, as one reader would; gives what each left behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "layer0.bin").write_bytes(b"weights")
    (tmp_path / "card.md").write_text("# A model\n")
    with RegistryServer(EmbeddedRegistry()) as server:
        results = []
        for number, example in enumerate(fenced("python"), start=1):
            code = example.replace("localhost:5001", server.address)
            names = {"__name__": f"readme_example_{number}"}
            exec(compile(code, f"README.md, example {number}", "exec"), names)
            results.append(names)
        yield results


def test_every_python_example_runs(examples, tmp_path):
    _, client, core, vault = examples
    assert (tmp_path / "copy" / "weights" / "layer0.bin").read_bytes() == b"weights"
    assert (tmp_path / "copy" / "card.md").exists()
    assert client["pulled"].files == (Path("copy", "report.txt"),)
    assert Path("copy", "report.txt").read_bytes() == Path("report.txt").read_bytes()
    assert core["store"].exists(core["root"])
    assert vault["root"].digest == core["root"].digest


def test_client_example_takes_five_lines():
    example = fenced("python")[1]
    lines = [
        line for line in example.splitlines() if line and not line.startswith(("import", "from"))
    ]
    assert len(lines) <= 5


def test_settings_example_is_valid(tmp_path):
    (example,) = fenced("toml")
    file = tmp_path / "config.toml"
    file.write_text(example)
    settings = load_settings({"ORAS_CONFIG": str(file)})
    assert settings.credentials == CredentialSettings(
        stores=tuple(tomllib.loads(example)["credentials"]["stores"])
    )


def test_environment_example_equals_the_settings_file():
    (stores,) = re.findall(r"`ORAS_CREDENTIAL_STORES=(\S+)`", README)
    (example,) = fenced("toml")
    settings = load_settings({"ORAS_CREDENTIAL_STORES": stores})
    assert list(settings.credentials.stores) == tomllib.loads(example)["credentials"]["stores"]


def test_ci_ends_with_the_second_command_of_the_readme():
    _, _, second = (block.strip() for block in fenced("sh")[:3])
    assert (ROOT / ".ci" / "run").read_text().rstrip().splitlines()[-1] == second


def test_install_command_and_table_of_extras_are_those_of_the_distribution():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    name = setup["metadata"]["name"]
    assert fenced("sh")[0].strip() == f"pip install {name}"
    table = README.partition("| extra | adds |")[2].partition("\n\n")[0]
    extras = set(setup["options.extras_require"]) - {"tests"}
    named = {extra for row in table.splitlines() for extra in re.findall(r"`(\w+)`", row)}
    assert named == extras
    (some,) = re.findall(rf"`pip install '{name}\[(\S+)\]'`", README)
    assert set(some.split(",")) <= extras


def test_the_module_that_verifies_digests_is_where_the_readme_says():
    (module,) = re.findall(r"`(oras_core/\S+\.py)` verifies digests", README)
    assert "def copy_verified" in (ROOT / module).read_text("utf-8")


def test_relative_links_have_a_target():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    missing = [t for t in targets if "://" not in t and not (ROOT / t).exists()]
    assert targets
    assert not missing
