"""Layouts and archives are read where nothing can be written, and reading leaves no file."""

from __future__ import annotations

import gzip
import sys

import pytest

import oras
from oras_adapters.files.local_files import LocalFileTree
from oras_core.errors import FileAccessError
from oras_core.model.paths import sanitize_path
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_artifact
from oras_core.verbs.backup import backup_to_archive
from support.read_only import mount_read_only

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="it reads /proc to find the folder of a descriptor"
)


@pytest.fixture
def folder(tmp_path):
    """A folder with a layout, an archive of it, and the same archive compressed."""
    folder = tmp_path / "source"
    store = OciLayoutStore(LocalFileTree(folder / "layout", create=True))
    store.tag(push_artifact(store, b"layer").descriptor, "v1")
    for lock in (folder / "layout").glob(".*.lock"):
        lock.unlink()
    scratch = LocalFileTree(tmp_path / "scratch", create=True)
    backup_to_archive(store, LocalFileTree(folder), sanitize_path("layout.tar"), scratch=scratch)
    (folder / ".layout.tar.lock").unlink()
    (folder / "layout.tgz").write_bytes(gzip.compress((folder / "layout.tar").read_bytes()))
    return folder


@pytest.fixture(params=["read-only", "writable"])
def unchanged(request, folder, monkeypatch):
    """Check that the folder has the same files after the test."""
    before = sorted(folder.rglob("*"))
    if request.param == "read-only":
        mount_read_only(monkeypatch, folder)
        with pytest.raises(OSError, match="Read-only file system"):
            (folder / "new").mkdir()
    yield folder
    assert sorted(folder.rglob("*")) == before


PLACES = ["oci:{}/layout:v1", "oci-archive:{}/layout.tar:v1", "oci-archive:{}/layout.tgz:v1"]


@pytest.mark.parametrize("place", PLACES)
def test_an_artifact_is_read(unchanged, place):
    source, destination = place.format(unchanged), MemoryStore()
    with oras.Client() as client:
        client.copy(source, (destination, "v1"))
        assert list(client.tags(source.removesuffix(":v1"))) == ["v1"]
        assert client.resolve(source) == destination.resolve("v1")
        assert list(client.referrers(source)) == []


@pytest.mark.parametrize("name", ["layout", "layout.tar", "layout.tgz"])
def test_all_artifacts_are_restored(unchanged, tmp_path, name):
    kind = "oci" if name == "layout" else "oci-archive"
    with oras.Client() as client:
        restored = client.mirror(f"{kind}:{unchanged}/{name}", f"oci:{tmp_path}/restored")
        assert set(restored.tags) == {"v1"}


def test_writing_to_a_read_only_archive_is_an_error(folder, monkeypatch):
    mount_read_only(monkeypatch, folder)
    with oras.Client() as client, pytest.raises(FileAccessError, match="Read-only file system"):
        client.copy(f"oci:{folder}/layout:v1", f"oci-archive:{folder}/layout.tar:v2")
