"""Manifests and configs, looked at without the rest."""

from __future__ import annotations

import pytest

from oras_core.content.sources import BytesSource
from oras_core.errors import NotFoundError, SizeLimitError, UnsupportedError
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.limits import Limits
from oras_core.model.platform import Platform
from oras_core.testing.contracts.content_access import push_document
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.registry.registry import EmbeddedRegistry
from oras_core.verbs.inspect import fetch_config, fetch_manifest
from oras_core.verbs.push import Config, push
from support.artifacts import file, repository

AMD = Platform.parse("linux/amd64")


@pytest.fixture
def root(target):
    """An artifact with a config, tagged v1, and an index with it, tagged index."""
    root = push(
        target,
        "v1",
        [file("a.txt", b"a")],
        scratch=MemoryFileTree(),
        config=Config(BytesSource(b'{"setting": 1}'), "application/vnd.example.config"),
    )
    entry = Descriptor(root.media_type, root.digest, root.size, platform=AMD)
    target.tag(push_document(target, codec.encode_index(manifests=[entry])), "index")
    return root


def test_inspect_of_a_manifest(target, root):
    assert fetch_manifest(target, "v1").digest == root.digest
    assert fetch_manifest(target, str(root.digest)).digest == root.digest


def test_inspect_of_an_index_and_of_its_manifest(target, root):
    assert fetch_manifest(target, "index").media_type == media_types.OCI_INDEX
    assert fetch_manifest(target, "index", platform=AMD).digest == root.digest
    with pytest.raises(NotFoundError, match="linux/amd64"):
        fetch_manifest(target, "index", platform=Platform.parse("linux/arm64"))


def test_inspect_of_a_config(target, root):
    for found in (fetch_config(target, "v1"), fetch_config(target, "index", platform=AMD)):
        assert found.content == b'{"setting": 1}'
        assert found.descriptor.media_type == "application/vnd.example.config"


def test_embedded_config_takes_no_request():
    server = EmbeddedRegistry()
    target = repository(server)
    push(target, "v1", [file("a.txt", b"a")], scratch=MemoryFileTree())
    before = len(server.requests)
    assert fetch_config(target, "v1").content == b"{}"
    assert [sent.path for sent in server.requests[before:]] == ["/v2/app/manifests/v1"]


def test_an_index_has_no_config(target, root):
    with pytest.raises(UnsupportedError, match="choose a platform"):
        fetch_config(target, "index")


def test_missing_artifact_is_not_found(target):
    with pytest.raises(NotFoundError):
        fetch_manifest(target, "v1")


def test_an_archive_beyond_the_limits_is_refused(root, target):
    with pytest.raises(SizeLimitError):
        fetch_manifest(target, str(root.digest), limits=Limits(manifest_size=10))
