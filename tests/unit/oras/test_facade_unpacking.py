"""Archives that oras-py unpacks on a pull are unpacked, and the returned paths exist."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

import oras.client
import oras.defaults
from oras_adapters.files.local_files import LocalFileTree
from oras_adapters.registry_server import RegistryServer
from oras_core.content.sources import BytesSource
from oras_core.errors import UnsafeArchiveError, UnsafePathError
from oras_core.model.descriptor import Descriptor
from oras_core.packing.manifest import pack_manifest
from oras_core.registry.registry import RemoteRegistry
from oras_core.testing import EmbeddedRegistry
from oras_core.verbs.pull import pull as core_pull

TAR_GZIP = oras.defaults.default_blob_dir_media_type
TITLE = oras.defaults.annotation_title


class Stepwise(oras.client.OrasClient):
    """Pulls through methods of its own."""

    def download_blob(self, container, digest, outfile):
        return super().download_blob(container, digest, outfile)


@pytest.fixture
def registry():
    return EmbeddedRegistry()


@pytest.fixture(params=[oras.client.OrasClient, Stepwise], ids=["engine", "stepwise"])
def client(request, registry):
    with RegistryServer(registry) as server:
        yield request.param(hostname=server.address)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def archive(**members):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return content.getvalue()


def push(registry, *layers):
    """Push layers, each `(content, media type, title or None)`, to `a/b:v1`."""
    repository = RemoteRegistry("registry.test", registry).repository("a/b")
    descriptors = []
    for content, media_type, title in layers:
        annotations = {TITLE: title} if title else {}
        descriptor = Descriptor.of(content, media_type, annotations=annotations)
        repository.push(descriptor, BytesSource(content))
        descriptors.append(descriptor)
    config = Descriptor.of(b"{}", "application/vnd.oci.image.config.v1+json")
    repository.push(config, BytesSource(b"{}"))
    manifest = pack_manifest(descriptors, config=config)
    repository.push_manifest(manifest.content, manifest.media_type, "v1")


def content_of(out):
    return {
        str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()
    }


def test_pull_unpacks_a_titled_archive_next_to_its_title(client, registry, out):
    push(registry, (archive(flow=b"1", sub__helper=b"2"), TAR_GZIP, "code.tar.gz"))
    paths = client.pull("a/b:v1", outdir=str(out))
    assert content_of(out) == {"flow": "1", "sub/helper": "2"}
    assert sorted(paths) == [str(out / "flow"), str(out / "sub")]
    assert sorted(os.listdir(out)) == ["flow", "sub"]


def test_pull_unpacks_an_archive_into_the_folder_of_its_title(client, registry, out):
    push(registry, (archive(flow=b"1"), TAR_GZIP, "deep/code.tgz"))
    assert client.pull("a/b:v1", outdir=str(out)) == [str(out / "deep" / "flow")]
    assert content_of(out) == {"deep/flow": "1"}


def test_pull_unpacks_image_layers_in_order(client, registry, out):
    first = archive(etc__os=b"old", bin__sh=b"sh")
    second = archive(etc__os=b"new")
    push(registry, (first, TAR_GZIP, None), (second, TAR_GZIP, None))
    paths = client.pull("a/b:v1", outdir=str(out))
    assert content_of(out) == {"etc/os": "new", "bin/sh": "sh"}
    assert all(os.path.exists(path) for path in paths)


def test_pull_unpacks_a_folder_under_its_title(client, registry, out):
    push(registry, (archive(folder__a=b"1"), TAR_GZIP, "folder"))
    assert client.pull("a/b:v1", outdir=str(out)) == [str(out / "folder")]
    assert content_of(out) == {"folder/a": "1"}


def test_pull_keeps_archives_of_other_media_types(client, registry, out):
    data = archive(flow=b"1")
    push(registry, (data, "application/gzip", "code.tar.gz"))
    assert client.pull("a/b:v1", outdir=str(out)) == [str(out / "code.tar.gz")]
    assert (out / "code.tar.gz").read_bytes() == data


def test_pull_keeps_other_files_in_the_folder(client, registry, out):
    (out / "sub").mkdir(parents=True)
    (out / "sub" / "mine").write_text("mine")
    (out / "code.tar.gz").write_text("mine")
    push(registry, (archive(sub__helper=b"2"), TAR_GZIP, "code.tar.gz"))
    client.pull("a/b:v1", outdir=str(out))
    assert content_of(out) == {"sub/mine": "mine", "sub/helper": "2", "code.tar.gz": "mine"}


def test_pull_unpacks_nothing_if_a_member_is_outside_the_folder(client, registry, out):
    push(registry, (archive(good=b"1", **{"..__evil": b"2"}), TAR_GZIP, "code.tar.gz"))
    with pytest.raises(UnsafeArchiveError):
        client.pull("a/b:v1", outdir=str(out))
    assert content_of(out) == {}
    assert not (out.parent / "evil").exists()
    assert os.listdir(out) == []


def test_pull_refuses_a_title_outside_the_folder_before_any_download(client, registry, out):
    push(registry, (archive(a=b"1"), TAR_GZIP, "../code.tar.gz"))
    with pytest.raises(UnsafePathError):
        client.pull("a/b:v1", outdir=str(out))
    asked = [one.url for one in registry.requests if one.method == "GET"]
    assert not any("/blobs/" in url for url in asked)


def test_core_pull_unpacks_only_layers_marked_for_it(registry, out):
    data = archive(flow=b"1")
    push(registry, (data, TAR_GZIP, "code.tar.gz"))
    repository = RemoteRegistry("registry.test", registry).repository("a/b")
    core_pull(repository, "v1", LocalFileTree(str(out), create=True))
    assert Path(out / "code.tar.gz").read_bytes() == data
