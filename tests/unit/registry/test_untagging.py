"""A tag is removed alone, also where the registry deletes by digest only."""

from __future__ import annotations

import json
from functools import partial
from urllib.parse import urlsplit

import pytest

from oras_core.credentials import NoCredentials
from oras_core.errors import (
    AccessDeniedError,
    InvalidReferenceError,
    NotFoundError,
    RegistryError,
    UnsupportedError,
)
from oras_core.model import media_types
from oras_core.ports.credentials import Credential
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.retries import RetryPolicy
from oras_core.testing import faults
from oras_core.testing.contracts.content_access import push_artifact, push_blob
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.artifacts import repository

DELETES = faults.requests_for("DELETE")


def is_delete_of_a_tag(request):
    return request.method == "DELETE" and ":" not in urlsplit(request.url).path


def refusing_tags(status=405, code="UNSUPPORTED"):
    return faults.Refused(EmbeddedRegistry(), status=status, code=code, when=is_delete_of_a_tag)


def refusing_deletes(status=405):
    return faults.Refused(EmbeddedRegistry(), status=status, when=DELETES)


def refusing_placeholders():
    def is_refused(request):
        kind = request.headers.get("Content-Type")
        is_placeholder = request.method == "PUT" and kind == media_types.OCI_INDEX
        return is_placeholder or is_delete_of_a_tag(request)

    return faults.Refused(EmbeddedRegistry(), status=400, when=is_refused)


def tagged(server, *tags):
    app = repository(server)
    manifest = push_artifact(app, b"content").descriptor.plain()
    for tag in tags:
        app.tag(manifest, tag)
    return app, manifest


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (405, ""),
        (501, ""),
        (400, "DIGEST_INVALID"),
        (422, ""),
        (404, "MANIFEST_UNKNOWN"),
        (400, "UNSUPPORTED"),
    ],
)
def test_r34_a_refused_tag_is_removed_by_a_placeholder(status, code):
    app, manifest = tagged(refusing_tags(status, code), "v1", "v2", "latest")
    app.untag("v1")
    assert sorted(app.tags()) == ["latest", "v2"]
    assert app.resolve("v2").plain() == app.resolve(str(manifest.digest)).plain() == manifest
    with pytest.raises(NotFoundError):
        app.resolve("v1")


def test_removal_of_the_only_tag_keeps_the_manifest():
    app, manifest = tagged(refusing_tags(), "v1")
    app.untag("v1")
    assert list(app.tags()) == []
    assert app.exists(manifest)


def test_placeholders_are_unique():
    app, _ = tagged(server := refusing_tags(), "v1", "v2", "v3")
    app.untag("v1")
    app.untag("v2")
    deleted = [sent.path for sent in server.transport.requests if sent.method == "DELETE"]
    assert len(set(deleted)) == len(deleted) == 2
    assert list(app.tags()) == ["v3"]


def test_a_registry_that_deletes_tags_needs_one_request():
    app, manifest = tagged(server := EmbeddedRegistry(), "v1", "v2")
    before = len(server.requests)
    app.untag("v1")
    assert [(sent.method, sent.path[-3:]) for sent in server.requests[before:]] == [
        ("DELETE", "/v1")
    ]
    assert app.resolve("v2").plain() == manifest


@pytest.mark.parametrize("server", [refusing_deletes, refusing_placeholders])
def test_error_names_the_other_tags_that_a_delete_would_remove(server):
    app, manifest = tagged(server(), "v1", "v2", "latest", "other")
    other = push_artifact(app, b"other").descriptor.plain()
    app.tag(other, "other")
    with pytest.raises(UnsupportedError, match="remove tag v1") as caught:
        app.untag("v1")
    assert caught.value.reason.endswith("and with it the tags latest, v2")
    assert str(manifest.digest) in caught.value.reason
    assert sorted(app.tags()) == ["latest", "other", "v1", "v2"]
    assert app.resolve("v1").plain() == manifest  # not the placeholder


def test_without_other_tags_the_error_names_the_digest_to_delete():
    app, manifest = tagged(refusing_deletes(), "v1")
    with pytest.raises(UnsupportedError, match=f"delete {manifest.digest} to remove") as caught:
        app.untag("v1")
    assert "tags v" not in caught.value.reason


@pytest.mark.parametrize(("status", "kind"), [(403, AccessDeniedError), (500, RegistryError)])
def test_other_refusals_are_raised_unchanged(status, kind):
    app, manifest = tagged(refusing_deletes(status), "v1")
    with pytest.raises(kind):
        app.untag("v1")
    assert app.resolve("v1").plain() == manifest


def test_failed_delete_of_the_placeholder_restores_the_tag():
    server = refusing_tags()
    app, manifest = tagged(server, "v1")
    server.when = DELETES
    with pytest.raises(UnsupportedError):
        app.untag("v1")
    assert app.resolve("v1").plain() == manifest


@pytest.mark.parametrize("server", [EmbeddedRegistry, refusing_tags, refusing_deletes])
def test_an_unknown_tag_is_not_found(server):
    app, _ = tagged(server(), "v1")
    with pytest.raises(NotFoundError):
        app.untag("absent")
    assert list(app.tags()) == ["v1"]


def test_digest_cannot_be_untagged():
    app, manifest = tagged(EmbeddedRegistry(), "v1")
    with pytest.raises(InvalidReferenceError):
        app.untag(str(manifest.digest))


def test_a_placeholder_is_an_index_that_needs_no_blob():
    server = refusing_tags()
    app, _ = tagged(server, "v1")
    bodies = []

    def notes_bodies(request):
        if request.method == "PUT":
            bodies.append(json.loads(request.body.open().read()))
        return is_delete_of_a_tag(request)

    server.when = notes_bodies
    app.untag("v1")
    (placeholder,) = bodies
    assert (placeholder["mediaType"], placeholder["manifests"]) == (media_types.OCI_INDEX, [])
    assert list(placeholder["annotations"]) == ["io.oras-sdk.placeholder"]


# --- Deletes that are repeated ------------------------------------------------------------


def losing(*lost, registry=None):
    """Return a registry whose first answers to DELETE are lost on the way."""
    return faults.Scripted(registry or EmbeddedRegistry(), lost, when=DELETES)


LOST = [
    faults.ResetResponses,
    *(partial(faults.OtherStatus, status=status) for status in (502, 503, 500, 504)),
]


class SuccessivePasswords(NoCredentials):
    """A store with another password after each refusal."""

    def __init__(self):
        self.number = 0

    def get(self, registry):
        return Credential("alice", f"password {self.number}")

    def refresh(self, registry):
        self.number += 1


def challenged(transport):
    refused = faults.Refused(transport, status=401)
    return faults.OtherHeaders(refused, fields={"WWW-Authenticate": 'Basic realm="r"'})


def patient(server, **options):
    policy = RetryPolicy(attempts=3, backoff=0)
    registry = RemoteRegistry(
        "localhost:5000", server, plain_http=True, retry_policy=policy, **options
    )
    return registry.repository("app")


@pytest.mark.parametrize("lost", LOST)
def test_a_delete_that_finds_nothing_at_its_second_attempt_was_successful(lost):
    app = patient(losing(lost))
    manifest = push_artifact(app, b"content").descriptor.plain()
    app.delete(manifest)
    assert not app.exists(manifest)


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("challenges", [1, 2])
def test_a_challenge_between_the_attempts_does_not_hide_the_first_one(lost, challenges):
    registry = EmbeddedRegistry()
    server = losing(lost, *[challenged] * challenges, registry=registry)
    app = patient(server, credentials=SuccessivePasswords())
    manifest = push_artifact(app, b"content").descriptor.plain()
    app.delete(manifest)
    deletes = [sent for sent in registry.requests if sent.method == "DELETE"]
    assert [sent.status for sent in deletes] == [202, 404]
    assert not app.exists(manifest)


@pytest.mark.parametrize("lost", LOST)
def test_repeated_untag_that_finds_nothing_was_successful(lost):
    app = patient(losing(lost))
    manifest = push_artifact(app, b"content").descriptor.plain()
    app.tag(manifest, "v1")
    app.untag("v1")
    assert list(app.tags()) == []
    assert app.exists(manifest)


@pytest.mark.parametrize("lost", LOST)
def test_repeated_blob_delete_that_finds_nothing_was_successful(lost):
    app = patient(losing(lost))
    blob = push_blob(app, b"content")
    app.delete(blob)
    assert not app.exists(blob)


@pytest.mark.parametrize("lost", LOST)
def test_referrer_is_removed_from_the_list_after_a_repeated_delete(lost):
    app = patient(losing(lost, registry=EmbeddedRegistry(referrers=False)))
    subject = push_artifact(app, b"a").descriptor
    attached = push_artifact(app, b"b", subject=subject)
    app.delete(attached.descriptor)
    assert list(app.referrers(subject)) == []


def test_delete_repeated_after_429_is_an_error_if_it_finds_nothing():
    app = patient(losing(*(partial(faults.Refused, status=status) for status in (429, 404))))
    manifest = push_artifact(app, b"content").descriptor.plain()
    with pytest.raises(NotFoundError):
        app.delete(manifest)


def test_a_first_attempt_that_finds_nothing_is_an_error():
    app = patient(EmbeddedRegistry())
    manifest = push_artifact(app, b"content").descriptor.plain()
    app.delete(manifest)
    with pytest.raises(NotFoundError):
        app.delete(manifest)
