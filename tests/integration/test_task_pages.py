"""The tutorial and the pages by task keep their word: their examples run, in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

import oras
from oras_adapters import compose
from oras_adapters.registry_server import RegistryServer
from oras_adapters.settings.settings import load_settings
from oras_core import AnnotationSet, BytesSource, Digest, Platform, errors
from oras_core.testing import EmbeddedRegistry

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [
    "from-go-oras.md",
    "how-to/errors.md",
    "how-to/files.md",
    "how-to/networks.md",
    "how-to/progress.md",
    "how-to/reproducible.md",
    "how-to/supply-chain.md",
    "how-to/well-known-registries.md",
    "how-to/windows-and-macos.md",
    "index.md",
    "tutorial.md",
]


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, text_of(page), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The address of a registry with the artifact of the examples, and a working directory."""
    work = tmp_path / "work"
    (work / "weights").mkdir(parents=True)
    (work / "weights" / "layer0.bin").write_bytes(b"weights")
    (work / "card.md").write_text("# A model\n")
    (work / "company.pem").touch()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(tmp_path))
    with RegistryServer(EmbeddedRegistry()) as server, oras.Client() as client:
        report = tmp_path / "report.txt"
        report.write_text("All measurements are within their limits.\n")
        client.push(f"{server.address}/example/report:v1", {"report.txt": report})
        yield server.address


def run(page: str, address: str) -> dict[str, object]:
    """Run the Python examples of a page in order, as one reader would; return their names."""
    names: dict[str, object] = {"__name__": f"example of {page}"}
    for number, example in enumerate(blocks(page, "python"), start=1):
        code = example.replace("localhost:5001", address)
        exec(compile(code, f"{page}, example {number}", "exec"), names)
    return names


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_examples_run(page, place):
    assert run(page, place)


def test_the_tutorial_ends_with_a_copy_that_has_the_sbom(place):
    names = run("tutorial.md", place)
    assert names["text"] == Path("report.txt").read_text()
    assert Path("copy", "data", "values.csv").read_bytes() == Path("data/values.csv").read_bytes()
    with oras.Client() as client:
        assert [one.digest for one in client.referrers("oci:backup:v1")] == [names["sbom"].digest]


def test_the_listener_of_the_progress_page_counts_all_bytes(place):
    watched = run("how-to/progress.md", place)["watched"]
    assert watched.moved == watched.total > 0


def test_a_part_of_a_file_is_read_at_its_position(place):
    names = run("how-to/files.md", place)
    assert (names["word"], names["names"]) == (b"measurements", ["report.txt"])


def test_signatures_reach_the_tool_that_checks_them(place):
    assert run("how-to/supply-chain.md", place)["signed"] == b"made by your signing tool"


def test_settings_of_the_page_on_networks_equal_those_of_its_program(tmp_path, place):
    (example,) = blocks("how-to/networks.md", "toml")
    file = tmp_path / "config.toml"
    file.write_text(example)
    read = load_settings({"ORAS_CONFIG": str(file)})
    written = run("how-to/networks.md", place)["settings"]
    assert (read.proxy, read.hosts) == (written.proxy, written.hosts)
    assert read.tls.extra_authorities == ("/etc/ssl/company.pem",)


def test_the_table_of_errors_has_every_branch_of_the_tree():
    table = text_of("how-to/errors.md").partition("| error | when |")[2].partition("\n\n")[0]
    rows = [row.split(" | ")[0] for row in table.splitlines()]
    named = {getattr(errors, name) for row in rows for name in re.findall(r"`(\w+)`", row)}
    public = {getattr(errors, name) for name in errors.__all__}
    assert {one for one in public if errors.OrasError in getattr(one, "__bases__", ())} <= named


CALLS = re.findall(
    r"^\| `oras [^`]+` \| `((?:client|repository)\.[^`]+)`",
    text_of("from-go-oras.md"),
    re.MULTILINE,
)


def test_every_command_of_the_table_has_a_call():
    assert text_of("from-go-oras.md").count("\n| `oras ") == len(CALLS) > 20


@pytest.mark.parametrize("call", CALLS)
def test_call_of_the_table_of_commands_runs(call, place):
    repository = f"{place}/team/model"
    tag = "multi" if "platform" in call or "update_index" in call else "v1"
    Path("config.json").write_text("{}")
    Path("sbom.json").write_text("{}")
    Path("notes.json").write_text('{"$manifest": {"m": "1"}}')
    with oras.Client() as client, compose() as parts:
        image = client.push(f"{repository}:v1", ["card.md"])
        manifest = client.manifest(f"{repository}:v1")
        if "index" in call or "platform" in call:
            second = client.push(f"{repository}:v2", ["weights"], tags="v3")
            arm = Platform(os="linux", architecture="arm64")
            client.index(f"{repository}:multi", [evolve(image, platform=arm), second])
            client.index(f"{repository}:more", [second])
        if "FILE.tar" in call:
            client.backup(repository, "FILE.tar")
        entry = image.digest if "index" in call else manifest.layers[0].digest
        words = {
            "HOST/REPOSITORY": repository,
            "HOST": place,
            "DIGEST": str(entry),
            "TYPE": "application/vnd.example",
        }
        for word, value in words.items():
            call = call.replace(word, value)
        names = {
            "client": client,
            "place": f"{repository}:{tag}",
            "repository": parts.repository(repository),
            "content": manifest.content,
            "password": "secret",
            "AnnotationSet": AnnotationSet,
            "BytesSource": BytesSource,
            "Digest": Digest,
            "Path": Path,
        }
        result = eval(call, names)
        if isinstance(result, Iterator):
            list(result)


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_have_a_target(page):
    for target in re.findall(r"\]\(([^):]+)\)", text_of(page)):
        name, _, anchor = target.partition("#")
        file = (DOCS / page).parent / name
        if "reference/" in name:
            continue  # written when the site is built
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^a-z0-9 -]", "", one.lower()).replace(" ", "-") for one in headings}
        assert not anchor or anchor in anchors, target
