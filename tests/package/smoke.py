"""Push and pull with the installed wheel, in an environment that holds nothing else.

Run as a program, isolated (`python -I`), from a folder that is not the checkout.
"""

from __future__ import annotations

import re
import tempfile
from importlib import metadata, resources
from pathlib import Path

import oras.client
import oras.utils
import oras.version
import oras_adapters
import oras_core
from oras_adapters.registry_server import RegistryServer
from oras_core.testing import EmbeddedRegistry

CHECKOUT = Path(__file__).resolve().parents[2]
EXTRAS = {
    "dask",
    "ecr",
    "fast",
    "fsspec",
    "isal",
    "progress",
    "socks",
    "testing",
    "tests",
    "truststore",
    "zstd",
}


def check_installation() -> None:
    """The wheel is what is imported, it is typed, and no test dependency came with it."""
    for package in (oras, oras_adapters, oras_core):
        found = Path(package.__file__).resolve()
        assert not found.is_relative_to(CHECKOUT) or ".tox" in found.parts, found
        assert (resources.files(package) / "py.typed").is_file(), package
    about = metadata.metadata("oras-sdk")
    assert about["Version"] == oras.version.__version__
    assert set(about.get_all("Provides-Extra")) == EXTRAS
    [fixtures] = metadata.entry_points(group="pytest11", name="oras")
    assert fixtures.value == "oras_adapters.pytest_plugin"
    assert about["License-Expression"] == "Apache-2.0"
    assert about["Description-Content-Type"] == "text/markdown"
    page = str(about.get_payload())
    assert page.startswith("# oras-sdk\n")
    # The package index shows the README; relative links lead nowhere there.
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert all(link.startswith("https://") for link in links), links
    installed = {distribution.name.lower() for distribution in metadata.distributions()}
    assert not installed & {"pytest", "hypothesis", "rich", "boto3"}, installed


def check_push_and_pull() -> None:
    """A file and a folder travel to a registry behind a socket and back."""
    with tempfile.TemporaryDirectory() as temporary, RegistryServer(EmbeddedRegistry()) as server:
        source, copy = Path(temporary, "source"), Path(temporary, "copy")
        (source / "folder").mkdir(parents=True)
        (source / "file.txt").write_bytes(b"a file")
        (source / "folder" / "inner.bin").write_bytes(bytes(range(256)))
        target = f"{server.address}/smoke/test:v1"
        client = oras.client.OrasClient(insecure=True)
        with oras.utils.workdir(source):
            response = client.push(target=target, files=["file.txt", "folder"])
        assert response.status_code == 201, response.status_code
        client.pull(target=target, outdir=copy)
        for name in ("file.txt", "folder/inner.bin"):
            assert (copy / name).read_bytes() == (source / name).read_bytes(), name


if __name__ == "__main__":
    check_installation()
    check_push_and_pull()
    print("the wheel pushes and pulls")
