"""Folders on btrfs and XFS: pulled files share their blocks with the cache."""

from __future__ import annotations

import filecmp
import os
import random
import shutil

import pytest
from attrs import evolve

from oras_adapters import Client, RegistryServer, Settings
from oras_adapters.files.local_files import LocalFileTree, has_directory_descriptors
from oras_adapters.settings.settings import CacheSettings
from oras_core.copying.copy import copy
from oras_core.model.digest import Digest
from oras_core.stores.layout.files import blob_path
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.testing import EmbeddedRegistry
from oras_core.testing.contracts.tree_access import names, write
from support.loop_mounts import COMMANDS, free_bytes, mounted

SIZE = 100_000_000
OVERHEAD = SIZE // 20
"""Bytes that file systems may take for manifests and for their own records."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_directory_descriptors(), reason="it is about POSIX"),
]


@pytest.fixture(scope="module")
def blob(tmp_path_factory):
    """A file that no file system can compress."""
    path = tmp_path_factory.mktemp("original") / "big.bin"
    path.write_bytes(random.Random(20).randbytes(SIZE))
    yield path
    path.unlink()


@pytest.fixture(scope="module", params=COMMANDS)
def file_system(request, tmp_path_factory):
    with mounted(request.param, tmp_path_factory.mktemp("mounted")) as place:
        yield place


@pytest.fixture
def place(file_system):
    """An empty folder on the file system."""
    folder = file_system / "folder"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def test_entries_made_after_the_folder_was_opened_are_listed(place):
    tree = LocalFileTree(place)
    for name in ("a", "b"):
        write(tree, name, b"bytes")
        (place / f"{name}-outside").touch()
    assert names(tree) == ["a", "a-outside", "b", "b-outside"]
    write(tree, "c", b"bytes")
    assert names(tree) == ["a", "a-outside", "b", "b-outside", "c"]


def test_pulled_files_take_no_space_and_change_without_the_cache(blob, place):
    settings = evolve(Settings(), cache=CacheSettings(str(place / "cache")))
    with RegistryServer(EmbeddedRegistry()) as server:
        reference = f"{server.address}/team/data:v1"
        with Client(settings) as client:
            client.push(reference, [blob])
            free = [free_bytes(place)]
            for number in range(3):
                client.pull(reference, place / str(number))
                free.append(free_bytes(place))
            stays = free[0] - SIZE - OVERHEAD
            assert min(free[1:]) > stays, free

            with open(place / "0" / "big.bin", "r+b") as file:
                file.write(b"changed")
                file.seek(SIZE // 2)
                file.write(b"changed")
            os.truncate(place / "1" / "big.bin", 10)
            content = blob.read_bytes()
            assert (place / "2" / "big.bin").read_bytes() == content
            cached = place / "cache" / str(blob_path(Digest.of(content)))
            assert cached.read_bytes() == content


def test_pull_to_another_file_system_copies_the_bytes(blob, place, tmp_path):
    settings = evolve(Settings(), cache=CacheSettings(str(place / "cache")))
    with Client(settings) as client, RegistryServer(EmbeddedRegistry()) as server:
        reference = f"{server.address}/team/data:v1"
        client.push(reference, [blob])
        for name in ("first", "second"):
            client.pull(reference, tmp_path / name)
            pulled = tmp_path / name / "big.bin"
            assert filecmp.cmp(pulled, blob, shallow=False)
            pulled.unlink()


def test_layouts_on_one_file_system_share_their_blobs(blob, place):
    with Client(Settings()) as client, RegistryServer(EmbeddedRegistry()) as server:
        reference = f"{server.address}/team/data:v1"
        client.push(reference, [blob])
        client.copy(reference, f"oci:{place}/first:v1")
        free = free_bytes(place)
        copy(
            OciLayoutStore(LocalFileTree(place / "first")),
            "v1",
            OciLayoutStore(LocalFileTree(place / "second", create=True)),
        )
        assert free_bytes(place) > free - OVERHEAD
