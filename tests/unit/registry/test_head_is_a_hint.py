"""Verbs on registries whose answers to HEAD are refused or wrong, and whose GET serves (R23)."""

from __future__ import annotations

from functools import partial

import pytest

from oras_core.copying.copy import copy
from oras_core.copying.extended import extended_copy
from oras_core.copying.options import CopyOptions
from oras_core.errors import NotFoundError
from oras_core.model import codec, media_types
from oras_core.model.platform import Platform
from oras_core.stores.memory import MemoryStore
from oras_core.testing import faults
from oras_core.testing.contracts.content_access import push_artifact
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.registry.registry import EmbeddedRegistry
from oras_core.verbs.attach import attach
from oras_core.verbs.discover import discover
from oras_core.verbs.index import describe_entry, read_index
from oras_core.verbs.inspect import fetch_manifest
from oras_core.verbs.mirror import mirror
from oras_core.verbs.pull import find_manifest
from support.artifacts import repository

OTHER = "sha256:" + "0" * 64


AMD = Platform.parse("linux/amd64")


HEADS = faults.requests_for("HEAD", path="/manifests/")

ODD_HEADS = [
    *(partial(faults.OtherStatus, status=status) for status in (400, 403, 404, 405, 500, 501)),
    *(
        partial(faults.OtherHeaders, fields={name: value})
        for name, value in (
            ("Content-Length", "7"),
            ("Content-Length", "0"),
            ("Content-Length", "99999999999"),
            ("Docker-Content-Digest", OTHER),
            ("Docker-Content-Digest", "nonsense"),
            ("Content-Type", "text/html"),
            ("Content-Type", media_types.DOCKER_MANIFEST_LIST),
        )
    ),
]


@pytest.fixture(params=ODD_HEADS, ids=lambda fault: str(fault.keywords))
def server(request):
    """A registry that answers HEAD of manifests with another status, or other fields."""
    return request.param(EmbeddedRegistry(), when=HEADS)


@pytest.fixture
def app(server):
    app = repository(server)
    app.push_manifest((manifest := push_artifact(app, b"a")).content, manifest.media_type, "v1")
    return app


def right(app):
    return app.fetch_reference("v1")[0]


def test_artifact_is_copied_despite_a_wrong_head(app):
    store = MemoryStore()
    copied = copy(app, "v1", store)
    assert copied.root.digest == right(app).digest
    assert store.resolve("v1").plain() == right(app)


def test_attach_works_despite_a_wrong_head(app):
    attached = attach(app, "v1", [], artifact_type="a/b", scratch=MemoryFileTree())
    assert fetch_manifest(app, str(attached.digest)).subject == right(app)


def test_manifest_is_fetched_despite_a_wrong_head(app):
    assert fetch_manifest(app, "v1").digest == right(app).digest


def test_referrers_are_discovered_despite_a_wrong_head(app):
    attached = attach(app, "v1", [], artifact_type="a/b", scratch=MemoryFileTree())
    found = discover(app, str(right(app).digest))
    assert [r.descriptor.digest for r in found.referrers] == [attached.digest]


def test_copy_into_the_registry_works_despite_a_wrong_head(app):
    store = MemoryStore()
    manifest = push_artifact(store, b"other")
    store.tag(manifest.descriptor.plain(), "v2")
    copy(store, "v2", app)
    assert app.fetch_reference("v2")[1] == manifest.content


def test_it_is_copied_with_its_referrers(app):
    attached = attach(app, "v1", [], artifact_type="a/b", scratch=MemoryFileTree())
    store = MemoryStore()
    assert extended_copy(app, "v1", store).root == right(app)
    assert store.exists(attached)


@pytest.fixture
def index(app):
    """An index of `v1` for one platform, tagged `all`."""
    entry = describe_entry(app, "v1", platform=AMD)
    index = codec.encode_index(manifests=[entry])
    app.push_manifest(index.content, index.media_type, "all")
    return index


def test_the_manifest_for_a_platform_is_copied(app, index):
    store, options = MemoryStore(), CopyOptions(platform=AMD)
    assert copy(app, "all", store, options=options).root.digest == right(app).digest
    assert extended_copy(app, "all", store, options=options).root.digest == right(app).digest
    assert not store.exists(index.descriptor)


def test_it_is_mirrored(app, index):
    attached = attach(app, "v1", [], artifact_type="a/b", scratch=MemoryFileTree())
    store = MemoryStore()
    assert {t: d.plain() for t, d in mirror(app, store).tags.items()} == {
        "v1": right(app),
        "all": index.descriptor.plain(),
    }
    assert store.resolve("all").plain() == index.descriptor.plain()
    assert store.exists(attached)


def test_it_is_an_entry_of_an_index(app, index):
    assert describe_entry(app, "v1").plain() == right(app)
    assert read_index(app, "all").digest == index.digest
    assert find_manifest(app, "all").plain() == right(app)


@pytest.mark.parametrize("verb", [copy, extended_copy])
def test_a_missing_blob_is_an_error_after_one_more_look(verb):
    app = repository()
    app.push_manifest((manifest := push_artifact(app, b"a")).content, manifest.media_type, "v1")
    layer = fetch_manifest(app, "v1").layers[0]
    app.delete(layer)
    with pytest.raises(NotFoundError, match=str(layer.digest)):
        verb(app, "v1", MemoryStore())
