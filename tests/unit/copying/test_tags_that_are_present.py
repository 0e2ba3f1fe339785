"""A copy to a registry writes no manifest under a tag that names it already."""

from __future__ import annotations

from collections import Counter

import pytest

from oras_core.copying.copy import copy
from oras_core.copying.extended import extended_copy
from oras_core.stores.memory import MemoryStore
from oras_core.testing import faults
from oras_core.testing.contracts.content_access import push_artifact
from oras_core.testing.registry.registry import EmbeddedRegistry
from oras_core.verbs.mirror import mirror
from support.artifacts import repository


@pytest.fixture
def source():
    source = MemoryStore()
    source.tag(push_artifact(source, b"layer").descriptor, "v1")
    return source


def requests(server, action):
    """Return how often a manifest is read, looked for and written, by method."""
    before = len(server.requests)
    action()
    return Counter(r.method for r in server.requests[before:] if "/manifests/" in r.path)


def test_first_copy_does_not_look_for_the_tag(source):
    server = EmbeddedRegistry()
    assert requests(server, lambda: copy(source, "v1", repository(server))) == {
        "HEAD": 1,
        "PUT": 1,
    }


def test_first_copy_with_referrers_does_not_look_for_the_tag(source):
    server = EmbeddedRegistry()
    found = requests(server, lambda: extended_copy(source, "v1", repository(server)))
    # HEAD: once to plan, and once before the push without a tag.
    assert found == {"HEAD": 2, "PUT": 2}
    assert not [r for r in server.requests if r.method != "PUT" and r.path.endswith("/v1")]


def test_first_mirror_looks_for_each_tag_once(source):
    server = EmbeddedRegistry()
    found = requests(server, lambda: mirror(source, repository(server)))
    # GET: a 404 for HEAD may mean that HEAD is denied.
    assert found == {"HEAD": 3, "GET": 1, "PUT": 2}


def test_second_mirror_writes_nothing(source):
    server = EmbeddedRegistry()
    mirror(source, repository(server))
    assert requests(server, lambda: mirror(source, repository(server))) == {"HEAD": 2}


@pytest.mark.parametrize("run", [copy, extended_copy])
def test_second_copy_writes_nothing(source, run):
    server = EmbeddedRegistry()
    run(source, "v1", repository(server))
    result = []
    found = requests(server, lambda: result.append(run(source, "v1", repository(server))))
    assert found["PUT"] == 0
    assert found["HEAD"] == (2 if run is copy else 3)
    assert [d.digest for d in result[0].skipped] == [source.resolve("v1").digest]
    assert result[0].moved == ()


@pytest.mark.parametrize("run", [copy, extended_copy])
def test_tag_that_names_another_manifest_is_moved(source, run):
    server = EmbeddedRegistry()
    run(source, "v1", repository(server))
    source.tag(push_artifact(source, b"newer").descriptor, "v2")
    run(source, "v2", repository(server))
    found = requests(server, lambda: run(source, "v2", repository(server), "v1"))
    assert found["PUT"] == 1
    assert repository(server).resolve("v1").digest == source.resolve("v2").digest


def test_only_missing_tags_are_written(source):
    server = EmbeddedRegistry()
    copy(source, "v1", repository(server))
    found = requests(
        server, lambda: copy(source, "v1", repository(server), "v1.0", further_tags=["v1"])
    )
    assert found["PUT"] == 1
    assert sorted(repository(server).tags()) == ["v1", "v1.0"]


def test_manifest_with_a_subject_is_written_again():
    """A client that updates the list of referrers itself may have ended before."""
    source, server = MemoryStore(), EmbeddedRegistry(referrers=False)
    subject = push_artifact(source, b"subject")
    source.tag(push_artifact(source, b"signature", subject=subject.descriptor).descriptor, "v1")
    copy(source, "v1", repository(server))
    destination = repository(server)
    for tag in list(destination.tags()):
        if tag != "v1":
            destination.untag(tag)
    assert not list(repository(server).referrers(subject.descriptor))
    copy(source, "v1", repository(server))
    assert len(list(repository(server).referrers(subject.descriptor))) == 1


def test_tag_is_written_where_reading_is_denied(source):
    server = EmbeddedRegistry()
    copy(source, "v1", repository(server))

    reads_of_the_tag = faults.requests_for("GET", "HEAD", path="/manifests/v1$")
    unreadable = faults.Refused(server, status=403, when=reads_of_the_tag)
    found = requests(server, lambda: copy(source, "v1", repository(unreadable)))
    assert found["PUT"] == 1
