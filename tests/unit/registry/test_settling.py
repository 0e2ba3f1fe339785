"""Manifests that a registry refuses although it has their blobs (R37)."""

from __future__ import annotations

import pytest

from oras_core.content.sources import BytesSource
from oras_core.errors import RegistryError
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.registry import settling
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.settling import MAX_ATTEMPTS, MAX_LOOKS, PAUSE_SECONDS, put_when_settled
from oras_core.registry.transports.retries import RetryPolicy
from support.scripted_transport import Answer, ScriptedTransport

BLOBS = (Descriptor.of(b"1", "a/b"), Descriptor.of(b"2", "a/b"))


def refusal(code="MANIFEST_BLOB_UNKNOWN", status=404):
    return RegistryError("push", status=status, method="PUT", url="https://reg.io", codes=[code])


class Registry:
    """A registry that refuses manifests, and misses blobs, a given number of times."""

    def __init__(self, *refusals, missing=0):
        self.refusals = list(refusals)
        self.missing = missing
        self.puts = 0
        self.pauses = []

    def put(self):
        self.puts += 1
        if self.refusals:
            raise self.refusals.pop(0)
        return "stored"

    def exists(self, _):
        self.missing -= 1
        return self.missing < 0

    def run(self, blobs=BLOBS):
        return put_when_settled(
            self.put, lambda: blobs, self.exists, sleep=self.pauses.append, chance=lambda: 1.0
        )


def test_a_stored_manifest_takes_one_put():
    registry = Registry()
    assert registry.run() == "stored"
    assert (registry.puts, registry.pauses) == (1, [])


@pytest.mark.parametrize("code", ["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "DIGEST_INVALID"])
def test_a_refused_manifest_is_put_again_if_its_blobs_exist(code):
    registry = Registry(refusal(code), refusal(code))
    assert registry.run() == "stored"
    assert registry.puts == 3
    assert registry.pauses == [PAUSE_SECONDS, PAUSE_SECONDS * 2]


def test_a_blob_may_be_missing_for_a_moment():
    registry = Registry(refusal(), missing=MAX_LOOKS - 1)
    assert registry.run() == "stored"
    assert len(registry.pauses) == MAX_LOOKS


def test_a_missing_blob_ends_the_attempts():
    error = refusal()
    registry = Registry(error, missing=1000)
    with pytest.raises(RegistryError) as caught:
        registry.run()
    assert caught.value is error
    assert (registry.puts, len(registry.pauses)) == (1, MAX_LOOKS)


def test_the_attempts_are_limited():
    registry = Registry(*[refusal() for _ in range(100)])
    with pytest.raises(RegistryError):
        registry.run()
    assert registry.puts == MAX_ATTEMPTS


@pytest.mark.parametrize("error", [refusal("DENIED", 403), refusal("MANIFEST_INVALID", 400)])
def test_other_refusals_are_raised_at_once(error):
    registry = Registry(error)
    with pytest.raises(RegistryError):
        registry.run()
    assert (registry.puts, registry.pauses) == (1, [])


def test_an_unknown_document_is_not_put_again():
    registry = Registry(refusal())
    with pytest.raises(RegistryError):
        registry.run(blobs=None)
    assert registry.puts == 1


# --- In a repository ----------------------------------------------------------------------

SUBJECT = Descriptor.of(b"{ }", "application/vnd.oci.image.manifest.v1+json")
IMAGE = codec.encode_manifest(config=BLOBS[0], layers=[BLOBS[1]], subject=SUBJECT)
INDEX = codec.encode_index(manifests=[IMAGE.descriptor])
REFUSED = Answer(404, {}, b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"no"}]}')
STORED = Answer(201, {"OCI-Subject": str(SUBJECT.digest)})


def push(monkeypatch, document, *steps):
    monkeypatch.setattr(settling, "PAUSE_SECONDS", 0.0)
    transport = ScriptedTransport(*steps)
    registry = RemoteRegistry("reg.io", transport, retry_policy=RetryPolicy(attempts=1))
    source = BytesSource(document.content)
    registry.repository("app").push_reference(document.descriptor, source, "v1")
    assert transport.finished
    return [(r.method, r.url.rpartition("/")[2]) for r in transport.requests]


def test_existence_of_blobs_is_checked_but_not_of_the_subject(monkeypatch):
    steps = [REFUSED, Answer(200), Answer(200), STORED]
    assert push(monkeypatch, IMAGE, *steps) == [
        ("PUT", "v1"),
        ("HEAD", str(BLOBS[0].digest)),
        ("HEAD", str(BLOBS[1].digest)),
        ("PUT", "v1"),
    ]


def test_existence_of_the_manifests_of_an_index_is_checked(monkeypatch):
    described = {
        "Content-Type": IMAGE.media_type,
        "Content-Length": str(len(IMAGE.content)),
        "Docker-Content-Digest": str(IMAGE.digest),
    }
    steps = [REFUSED, Answer(200, described), Answer(201)]
    assert push(monkeypatch, INDEX, *steps) == [
        ("PUT", "v1"),
        ("HEAD", str(IMAGE.digest)),
        ("PUT", "v1"),
    ]
