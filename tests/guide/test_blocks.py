"""Each block of code in a document runs in a test, or is checked as far as it can be."""

from __future__ import annotations

import configparser
import importlib.util
import re
import shlex
import textwrap
from pathlib import Path

import pytest

from oras_core import StaticCredentials

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    file.relative_to(ROOT).as_posix()
    for name in ("*.md", "docs/**/*.md", "packaging/**/*.md", "examples/**/*.md")
    for file in ROOT.glob(name)
)
RUN_IN = {
    "CONTRIBUTING.md": "guide/test_blocks.py",
    "README.md": "integration/test_readme.py",
    "docs/authentication.md": "integration/test_docs.py",
    "docs/client.md": "integration/test_client_docs.py",
    "docs/data.md": "integration/test_docs.py",
    "docs/embedding.md": "integration/test_docs.py",
    "docs/how-to/asyncio.md": "integration/test_client_docs.py",
    "docs/how-to/errors.md": "integration/test_task_pages.py",
    "docs/how-to/files.md": "integration/test_task_pages.py",
    "docs/how-to/networks.md": "integration/test_task_pages.py",
    "docs/how-to/progress.md": "integration/test_task_pages.py",
    "docs/how-to/reproducible.md": "integration/test_task_pages.py",
    "docs/how-to/supply-chain.md": "integration/test_task_pages.py",
    "docs/how-to/well-known-registries.md": "integration/test_task_pages.py",
    "docs/how-to/windows-and-macos.md": "integration/test_task_pages.py",
    "docs/index.md": "integration/test_task_pages.py",
    "docs/scaling.md": "adapters/mirroring/test_scaling_docs.py",
    "docs/testing.md": "adapters/test_pytest_plugin.py",
    "docs/tutorial.md": "integration/test_task_pages.py",
    "docs/user-guide.md": "guide/test_user_guide.py",
}
"""The module in `tests` that runs the Python blocks of a document."""

SETTINGS_IN = {
    "README.md": "integration/test_readme.py",
    "docs/authentication.md": "integration/test_docs.py",
    "docs/configuration.md": "integration/test_docs.py",
    "docs/how-to/networks.md": "integration/test_task_pages.py",
    "docs/scaling.md": "adapters/mirroring/test_scaling_docs.py",
}
"""The module in `tests` that loads the TOML blocks of a document as settings."""


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    pattern = rf"^ *```{language}\n(.*?)^ *```$"
    found = re.findall(pattern, text, flags=re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in found]


def documents_with(language: str) -> set[str]:
    return {document for document in DOCUMENTS if blocks(document, language)}


# --- Every language is checked ---------------------------------------------------------------


def test_blocks_have_a_language_that_is_checked():
    texts = [(ROOT / document).read_text(encoding="utf-8") for document in DOCUMENTS]
    languages = {name for text in texts for name in re.findall(r"^ *```(\w+)$", text, re.MULTILINE)}
    assert languages == {"python", "toml", "ini", "sh"}


@pytest.mark.parametrize(
    ("language", "modules"), [("python", RUN_IN), ("toml", SETTINGS_IN)], ids=["python", "toml"]
)
def test_every_document_with_blocks_has_a_test_that_runs_them(language, modules):
    assert documents_with(language) == set(modules)
    for document, module in modules.items():
        assert Path(document).name in (ROOT / "tests" / module).read_text(encoding="utf-8")


@pytest.mark.parametrize("document", sorted(documents_with("ini")))
def test_entry_points_are_of_the_group_of_credential_stores(document):
    for block in blocks(document, "ini"):
        parser = configparser.ConfigParser()
        parser.read_string(block)
        assert list(parser["options.entry_points"]) == ["oras.credential_stores"]


# --- Python in CONTRIBUTING.md ---------------------------------------------------------------


def contract_of_contributing() -> type:
    """Return the test class of CONTRIBUTING.md, for a store in memory."""
    (block,) = blocks("CONTRIBUTING.md", "python")
    names: dict[str, object] = {"MyVault": lambda: StaticCredentials({})}
    exec(compile(block, "CONTRIBUTING.md", "exec"), names)
    found = names["TestMyVault"]
    assert isinstance(found, type)
    return found


TestMyVault = contract_of_contributing()

# --- Shell commands --------------------------------------------------------------------------

PROGRAMS = {"apt-get", "pip", "pytest", "python", "python3", "tox"}


def environments() -> set[str]:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    listed = set(re.split(r"[\s,]+", tox["tox"].get("env_list", tox["tox"].get("envlist", ""))))
    return listed | {name.partition(":")[2] for name in tox.sections()}


def commands(block: str) -> list[list[str]]:
    """Return the words of each command of a block, without its variables and comments."""
    lines = block.replace("\\\n", " ").splitlines()
    parts = [part for line in lines for part in [*shlex.split(line, comments=True), "&&"]]
    found: list[list[str]] = [[]]
    for part in parts:
        if part == "&&":
            found.append([])
        elif found[-1] or not re.match(r"[A-Z_]+=", part):
            found[-1].append(part)
    return [words for words in found if words]


def check(words: list[str]) -> None:
    """Fail unless the program, and every file, module and environment it is given, is known."""
    program, arguments = Path(words[0]).name, words[1:]
    assert program in PROGRAMS, words
    files = [word for word in arguments if "/" in word and not word.startswith(("/", ".venv"))]
    for file in files:
        assert (ROOT / file).exists(), words
    if "-m" in arguments:
        assert importlib.util.find_spec(arguments[arguments.index("-m") + 1]), words
    if program == "tox" and "-e" in arguments:
        assert set(arguments[arguments.index("-e") + 1].split(",")) <= environments(), words


@pytest.mark.parametrize("document", sorted(documents_with("sh")))
def test_shell_commands_name_programs_and_files_that_exist(document):
    for block in blocks(document, "sh"):
        for words in commands(block):
            check(words)


@pytest.mark.parametrize(
    "command",
    ["tox -e no-such", "python benchmarks/absent.py", "python -m oras.no_such", "make", "pip x/y"],
)
def test_command_that_cannot_work_is_reported(command):
    with pytest.raises((AssertionError, ModuleNotFoundError)):
        check(shlex.split(command))
