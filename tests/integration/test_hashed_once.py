"""Pulls, copies and verifications hash each byte once: hashing takes as long as a fast network."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

import oras
import oras.client
from oras_adapters import RegistryServer
from oras_adapters.files.local_files import LocalFileTree
from oras_core.model.digest import Digest
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.testing import EmbeddedRegistry
from oras_core.verbs.verify import verify

SIZE = 3_000_000
OVERHEAD = 10_000
"""Bytes of manifests and configs."""


@pytest.fixture
def place():
    with RegistryServer(EmbeddedRegistry()) as server:
        yield f"{server.address}/team/data:v1"


@pytest.fixture
def hashed(place, tmp_path, monkeypatch):
    """The sizes of all pieces that are hashed for verification after a push."""
    (tmp_path / "blob.bin").write_bytes(os.urandom(SIZE))
    with oras.Client() as client:
        client.push(place, {"blob.bin": tmp_path / "blob.bin"})
    sizes = []
    new = Digest.hasher

    def counting(digest):
        hasher = new(digest)

        def update(piece):
            sizes.append(len(piece))
            hasher.update(piece)

        return SimpleNamespace(update=update, hexdigest=hasher.hexdigest)

    monkeypatch.setattr(Digest, "hasher", counting)
    return sizes


def pull_by_oras_py_name(place, folder):
    oras.client.OrasClient().pull(place, outdir=str(folder))


def pull(place, folder):
    with oras.Client() as client:
        client.pull(place, folder)


def copy_to_layout(place, folder):
    with oras.Client() as client:
        client.copy(place, f"oci:{folder}:v1")


def copy_to_repository(place, _):
    with oras.Client() as client:
        client.copy(place, place.replace("team/", "copy/"))


@pytest.mark.parametrize(
    "transfer", [pull_by_oras_py_name, pull, copy_to_layout, copy_to_repository]
)
def test_each_byte_is_hashed_at_most_once(place, hashed, tmp_path, transfer):
    transfer(place, tmp_path / "out")
    # A blob that the registry mounts is not moved at all.
    assert sum(hashed) <= SIZE + OVERHEAD
    assert sum(hashed) >= SIZE or transfer is copy_to_repository


def test_a_verification_of_a_layout_hashes_each_byte_once(place, hashed, tmp_path):
    copy_to_layout(place, tmp_path / "layout")
    hashed.clear()
    result = verify(OciLayoutStore(LocalFileTree(tmp_path / "layout")))
    assert len(result.intact) == 3  # the manifest, the config and the file
    assert SIZE <= sum(hashed) <= SIZE + OVERHEAD
