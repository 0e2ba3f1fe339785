"""The pages of docs/ keep their word: code runs, settings are understood, links lead somewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import fsspec
import httpx
import pytest
import requests
import urllib3

from oras.client import OrasClient
from oras_adapters.client.client import Client
from oras_adapters.filesystem.file_system import OrasFileSystem
from oras_adapters.registry_server import RegistryServer
from oras_adapters.settings.settings import load_settings
from oras_core.registry.transports.guard import Guarded
from oras_core.testing import EmbeddedRegistry
from oras_core.testing.contracts.cancellation import CancellationContract, SilentOrigin
from oras_core.testing.contracts.credentials import CredentialStoreContract
from oras_core.testing.contracts.http import ContractOrigin, HttpTransportContract

ROOT = Path(__file__).parents[2]
PAGES = (
    "authentication.md",
    "client.md",
    "configuration.md",
    "data.md",
    "embedding.md",
    "performance.md",
)


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def fenced(page: str, language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, text_of(page), flags=re.MULTILINE | re.DOTALL)


def run(page: str, address: str, *, only: str = "") -> dict[str, object]:
    """Run a page's Python examples in order, as one reader would; return what they leave."""
    names: dict[str, object] = {"__name__": f"example of {page}"}
    for number, example in enumerate(fenced(page, "python"), start=1):
        if only not in example:
            continue
        code = example.replace("localhost:5001", address)
        exec(compile(code, f"{page}, example {number}", "exec"), names)
    return names


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry that knows alice, and holds the artifact of the examples."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with RegistryServer(EmbeddedRegistry(users={"alice": "secret"})) as server:
        (tmp_path / "report.txt").write_text("All measurements are within their limits.\n")
        client = OrasClient(hostname=server.address)
        client.auth.set_basic_auth("alice", "secret")
        client.push(f"{server.address}/example/report:v1", files=["report.txt"], quiet=True)
        yield server.address


# --- The examples -------------------------------------------------------------------------


def test_examples_of_authentication_run(registry, tmp_path):
    names = run("authentication.md", registry)
    assert names["vault"].get(f"{registry}/a") == names["alice"]
    # What has logged in has logged out again.
    assert '"auths": {}' in (tmp_path / ".docker" / "config.json").read_text()


def test_examples_of_embedding_run(registry):
    names = run("embedding.md", registry)
    assert names["store"].exists(names["root"])


def test_examples_of_data_run(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("ORAS_CACHE", "")  # restores the variable, which an example sets
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    with Client() as client:
        client.login(registry, "alice", "secret")
        client.push(f"{registry}/team/data:v1", ["table.csv"])
    fsspec.register_implementation("oras", OrasFileSystem, clobber=True)
    OrasFileSystem.clear_instance_cache()
    names = run("data.md", registry)
    assert names["used"] > 0
    assert (names["header"], names["first"]) == ("a,b\n", b"a,b\n1,2\n")


@pytest.mark.parametrize("page", PAGES)
def test_settings_in_the_docs_are_valid(page, tmp_path):
    for example in fenced(page, "toml"):
        file = tmp_path / "config.toml"
        file.write_text(example)
        settings = load_settings({"ORAS_CONFIG": str(file)})
        assert settings.credentials.stores == tuple(tomllib.loads(example)["credentials"]["stores"])


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_have_a_target(page):
    targets = re.findall(r"\]\((?!https:)([^)]+)\)", text_of(page))
    assert targets or page == "configuration.md"
    for target in targets:
        name, _, anchor = target.partition("#")
        file = ROOT / "docs" / (name or page)
        assert file.exists(), target
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^a-z0-9 -]", "", one.lower()).replace(" ", "-") for one in headings}
        assert not anchor or anchor in anchors, target


def test_each_use_in_the_readme_links_to_a_page():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    uses = readme.partition("## Three ways of use")[2].partition("\n## ")[0].split("\n### ")[1:]
    pages = [re.findall(r"\]\((docs/[^)#]+)", use) for use in uses]
    assert [page[-1] for page in pages] == [
        "docs/client.md",
        "docs/embedding.md",
        "docs/authentication.md",
    ]


# --- The recipes keep the promises of their ports -----------------------------------------


@pytest.mark.parametrize("name", ["standard_library", "requests_transport", "httpx_transport"])
def test_a_recipe_is_a_module_that_can_be_imported(name):
    module = (ROOT / "examples" / "transports" / f"{name}.py").read_text(encoding="utf-8")
    code = module.partition("from __future__ import annotations\n\n")[2]
    assert code in fenced("embedding.md", "python")
    assert f"`examples/transports/{name}.py`" in text_of("embedding.md")


class Recipe(HttpTransportContract):
    """A transport of the page on embedding, as every registry wraps it."""

    @pytest.fixture
    def origin(self):
        return ContractOrigin()

    @pytest.fixture
    def base_url(self, origin):
        with RegistryServer(origin) as server:
            yield server.url


class TestStandardLibraryRecipe(Recipe):
    @pytest.fixture
    def transport(self):
        names = run("embedding.md", "", only="class StandardLibraryTransport")
        return Guarded(names["StandardLibraryTransport"]())


class TestStandardLibraryRecipeCancelled(CancellationContract):
    @pytest.fixture
    def origin(self):
        return SilentOrigin()

    @pytest.fixture
    def base_url(self, origin):
        with RegistryServer(origin) as server:
            yield server.url
            origin.released.set()

    @pytest.fixture
    def transport(self):
        names = run("embedding.md", "", only="class StandardLibraryTransport")
        return Guarded(names["StandardLibraryTransport"]())


@pytest.mark.skipif(
    tuple(map(int, urllib3.__version__.split(".")[:3])) < (2, 2, 2),
    reason="this urllib3 fails at the end of a body that is read piece by piece, by itself too",
)
class TestRequestsRecipe(Recipe):
    @pytest.fixture
    def transport(self):
        names = run("embedding.md", "", only="import HttpRequest, HttpResponse")
        (example,) = (one for one in fenced("embedding.md", "python") if "class RequestsT" in one)
        exec(example, names)
        with requests.Session() as session:
            yield Guarded(names["RequestsTransport"](session))


class TestHttpxRecipe(Recipe):
    @pytest.fixture
    def transport(self):
        names = run("embedding.md", "", only="import HttpRequest, HttpResponse")
        (example,) = (one for one in fenced("embedding.md", "python") if "class HttpxT" in one)
        exec(example, names)
        with httpx.Client(timeout=60) as client:
            yield Guarded(names["HttpxTransport"](client))


class TestVaultOfThePage(CredentialStoreContract):
    @pytest.fixture
    def store(self):
        return run("authentication.md", "", only="class MemoryVault")["MemoryVault"]()
