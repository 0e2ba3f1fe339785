"""`help(oras.client.OrasClient)` reads like documentation, and its examples run."""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path

import pytest

import oras.client
import oras.oci
import oras.utils
from oras._client.earlier_names import EarlierNames
from oras_adapters.registry_server import RegistryServer
from oras_core.testing import EmbeddedRegistry

METHODS = sorted(
    name
    for name, member in inspect.getmembers(oras.client.OrasClient, inspect.isfunction)
    if not name.startswith("_") and name not in vars(EarlierNames)
)


def documentation(name: str) -> str:
    return inspect.getdoc(getattr(oras.client.OrasClient, name)) or ""


@pytest.mark.parametrize("name", METHODS)
def test_every_method_documents_arguments_result_and_errors(name):
    text = documentation(name)
    signature = inspect.signature(getattr(oras.client.OrasClient, name))
    parameters = [parameter for parameter in signature.parameters if parameter != "self"]
    if parameters:
        assert "\nArgs:\n" in text
    for parameter in parameters:
        assert f"\n    {parameter}: " in text, parameter
    if signature.return_annotation not in ("None", None):
        assert "\nReturns:\n" in text
    if name not in ("set_header", "version"):
        assert "\nRaises:\n" in text
    assert "\nExample:\n" in text


@pytest.mark.parametrize("name", METHODS)
def test_every_docstring_example_runs(name, tmp_path):
    (tmp_path / "artifact.txt").write_text("hello dinosaur\n")
    registry = EmbeddedRegistry(users={"myuser": "mypass"})
    with RegistryServer(registry) as server, oras.utils.workdir(str(tmp_path)):
        client = oras.client.OrasClient(hostname=server.address)
        client.auth.set_basic_auth("myuser", "mypass")
        client.push("dinosaur/artifact:v1", files=["artifact.txt:text/plain"], quiet=True)
        text = documentation(name).replace("localhost:5001", server.address).replace("…", "...")
        parser = doctest.DocTestParser()
        example = parser.get_doctest(text, {"client": client, "oras": oras}, name, None, 0)
        assert example.examples
        complaints: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
        runner.run(example, out=complaints.append)
        assert not complaints, "".join(complaints)


def test_class_docstring_names_its_attributes():
    documentations = [inspect.getdoc(cls) or "" for cls in oras.client.OrasClient.__mro__]
    text = next(text for text in documentations if "Attributes:" in text)
    client = oras.client.OrasClient()
    for name in ("hostname", "headers", "prefix", "tls_verify", "auth", "connections"):
        assert f"\n    {name}: " in text
        assert hasattr(client, name)
    assert Path(inspect.getfile(oras.client.OrasClient)).name == "provider.py"
