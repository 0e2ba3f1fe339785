"""Manifests on the wire."""

from __future__ import annotations

import gzip
import json

import pytest

from oras_core.errors import (
    ContentError,
    DigestMismatchError,
    InvalidDigestError,
    InvalidManifestError,
    InvalidReferenceError,
    NotFoundError,
    OrasError,
    RegistryError,
    SizeLimitError,
    UnsupportedError,
)
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.registry.deletion import delete_blob, delete_manifest, delete_tag
from oras_core.registry.endpoints import RegistryEndpoints
from oras_core.registry.manifests import ManifestClient, PushedManifest
from support.scripted_transport import Answer, ScriptedTransport

OCI = media_types.OCI_MANIFEST
CONTENT = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI,
        "config": {
            "mediaType": media_types.OCI_EMPTY,
            "digest": str(Digest.of(b"{}")),
            "size": 2,
        },
        "layers": [],
    },
    indent=1,
).encode()
MANIFEST = Descriptor.of(CONTENT, OCI)
DIGEST = str(MANIFEST.digest)
SIZE = str(len(CONTENT))
OTHER = str(Digest.of(b"other"))
ENDPOINTS = RegistryEndpoints("https://reg.io", "reg.io").repository("app")
BY_TAG = "https://reg.io/v2/app/manifests/v1"
BY_DIGEST = f"https://reg.io/v2/app/manifests/{DIGEST}"
ACCEPT = (
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.oci.artifact.manifest.v1+json, "
    "application/vnd.cncf.oras.artifact.manifest.v1+json, "
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json"
)


def head(media_type=OCI, digest=DIGEST, size=SIZE):
    named = {
        "Content-Type": media_type, "Docker-Content-Digest": digest, "Content-Length": size,
    }  # fmt: skip
    return Answer(200, {name: value for name, value in named.items() if value is not None})


def got(content=CONTENT, media_type=OCI, digest=None):
    named = {"Content-Type": media_type, "Docker-Content-Digest": digest}
    return Answer(200, {name: value for name, value in named.items() if value}, content)


def client(*steps, **limits):
    transport = ScriptedTransport(*steps)
    return ManifestClient(transport, ENDPOINTS, Limits(**limits)), transport


# --- Resolving ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "media_type", [OCI, f"{OCI}; charset=utf-8", f"{OCI.upper()} ;x=y", media_types.DOCKER_MANIFEST]
)
def test_r26_a_tag_is_resolved_by_head(media_type):
    subject, transport = client(head(media_type))
    resolved = subject.resolve("v1")
    assert (resolved.digest, resolved.size) == (MANIFEST.digest, MANIFEST.size)
    assert resolved.media_type == media_type.partition(";")[0].strip().lower()
    assert transport.lines == [f"HEAD {BY_TAG}"]
    assert transport.requests[0].headers["Accept"] == ACCEPT
    assert transport.requests[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "answer",
    [
        head(digest=None),
        head(digest=""),
        head(digest="nonsense"),
        head(digest=DIGEST.upper()),
        head(digest="md5:" + "0" * 32),
        head(size=None),
        head(size="0"),
        head(size="many"),
        head(media_type=None),
        head(media_type="text/html"),
        head(media_type="application/json"),
        Answer(405),
        Answer(403),
        Answer(400),
        Answer(501),
        Answer(404),
        Answer(406),
        Answer(500),
        Answer(204),
    ],
)
def test_r26_head_without_a_descriptor_is_followed_by_get(answer):
    subject, transport = client(answer, got())
    assert subject.resolve("v1") == MANIFEST
    assert transport.lines == [f"HEAD {BY_TAG}", f"GET {BY_TAG}"]


def test_r23_wrong_404_to_head_disables_head():
    subject, transport = client(Answer(404), got(), Answer(404), got())
    assert subject.resolve("v1") == MANIFEST
    assert subject.exists(MANIFEST)
    assert transport.finished


def test_r23_correct_404_to_head_keeps_head_enabled():
    subject, transport = client(Answer(404), Answer(404), Answer(404), Answer(404))
    for _ in range(3):
        with pytest.raises(NotFoundError):
            subject.resolve("v1")
    assert transport.lines == [
        f"HEAD {BY_TAG}",
        f"GET {BY_TAG}",
        f"HEAD {BY_TAG}",
        f"HEAD {BY_TAG}",
    ]


def test_a_digest_needs_no_digest_header():
    subject, transport = client(head(digest=None))
    assert subject.resolve(DIGEST) == MANIFEST
    assert transport.lines == [f"HEAD {BY_DIGEST}"]


def test_r26_wrong_digest_header_is_overruled_by_the_bytes():
    subject, _ = client(head(digest=OTHER), got(digest=OTHER))
    assert subject.resolve(DIGEST) == MANIFEST
    subject, _ = client(head(digest=OTHER), got(b"{}", digest=DIGEST))
    with pytest.raises(DigestMismatchError):
        subject.resolve(DIGEST)


def test_an_unknown_tag_is_not_found():
    subject, _ = client(Answer(404), Answer(404))
    with pytest.raises(NotFoundError) as caught:
        subject.resolve("v1")
    assert caught.value.operation == "resolve reg.io/app:v1"


@pytest.mark.parametrize("status", [401, 429, 502, 503, 504])
def test_other_responses_are_errors(status):
    subject, transport = client(Answer(status))
    with pytest.raises(RegistryError):
        subject.resolve("v1")
    assert transport.finished


@pytest.mark.parametrize("reference", ["", "a/b", "v1?x=y", "../v1"])
def test_a_name_outside_the_grammar_is_never_sent(reference):
    subject, transport = client()
    with pytest.raises(InvalidReferenceError):
        subject.resolve(reference)
    with pytest.raises(InvalidDigestError):
        subject.resolve("sha256:short")
    assert transport.requests == []


# --- Fetching -----------------------------------------------------------------------------


def test_r25_a_manifest_comes_with_the_digest_of_its_bytes():
    subject, transport = client(got(digest=DIGEST, media_type=f"{OCI}; charset=utf-8"))
    assert subject.fetch_reference("v1") == (MANIFEST, CONTENT)
    assert transport.lines == [f"GET {BY_TAG}"]
    assert transport.requests[0].headers["Accept"] == ACCEPT


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", None])
def test_unrequested_content_type_is_replaced_by_the_manifest_s_own(media_type):
    subject, _ = client(got(media_type=media_type))
    assert subject.fetch_reference("v1")[0] == MANIFEST


def test_requested_content_type_is_used():
    subject, transport = client(got(b"<x/>", media_type="application/x+xml"))
    descriptor, content = subject.fetch_reference("v1", accept=["application/x+xml"])
    assert (descriptor.media_type, content) == ("application/x+xml", b"<x/>")
    assert transport.requests[0].headers["Accept"] == "application/x+xml"


@pytest.mark.parametrize("content", [b"<html>Sign in</html>", b"", b"{}", b"[]", b"[" * 100_000])
def test_web_page_is_not_a_manifest(content):
    subject, _ = client(got(content, media_type="text/html"))
    with pytest.raises(InvalidManifestError):
        subject.fetch_reference("v1")


def test_a_digest_header_that_contradicts_the_bytes_of_a_tag_is_an_error():
    subject, _ = client(got(digest=OTHER))
    with pytest.raises(DigestMismatchError):
        subject.fetch_reference("v1")


def test_a_digest_header_of_another_algorithm_is_checked_and_kept():
    sha512 = Digest.of(CONTENT, "sha512")
    subject, _ = client(got(digest=str(sha512)), got(digest=str(Digest.of(b"x", "sha512"))))
    assert subject.fetch_reference("v1")[0].digest == sha512
    with pytest.raises(DigestMismatchError):
        subject.fetch_reference("v1")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_fetch_by_digest_verifies_the_bytes(algorithm):
    digest = str(Digest.of(CONTENT, algorithm))
    subject, _ = client(got(), got(CONTENT + b"\n"))
    assert str(subject.fetch_reference(digest)[0].digest) == digest
    with pytest.raises(DigestMismatchError):
        subject.fetch_reference(digest)


@pytest.mark.parametrize(
    "answer", [got(b"x" * 101), Answer(200, {"Content-Type": OCI, "Content-Length": "101"})]
)
def test_r25_manifest_size_is_limited(answer):
    subject, _ = client(answer, answer, manifest_size=100)
    with pytest.raises(SizeLimitError):
        subject.fetch_reference("v1")
    with pytest.raises(SizeLimitError):
        subject.fetch(Descriptor(OCI, MANIFEST.digest, 100))


def test_manifest_with_a_large_descriptor_is_not_requested():
    subject, transport = client(manifest_size=100)
    with pytest.raises(SizeLimitError):
        subject.fetch(Descriptor(OCI, MANIFEST.digest, 101))
    assert transport.requests == []


def test_a_compressed_manifest_is_refused():
    subject, _ = client(Answer(200, {"Content-Type": OCI, "Content-Encoding": "gzip"}, CONTENT))
    with pytest.raises(OrasError, match="gzip"):
        subject.fetch_reference("v1")


ENCODINGS = ["aws-chunked", "x-gzip", "binary", "gzip", "identity", "br, gzip"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_r38_the_digest_decides_whatever_the_content_encoding(encoding):
    fields = {"Content-Type": OCI, "Content-Encoding": encoding}
    by_tag = Answer(200, {**fields, "Docker-Content-Digest": DIGEST}, CONTENT)
    subject, _ = client(by_tag, Answer(200, fields, CONTENT), Answer(200, fields, CONTENT))
    assert subject.fetch_reference("v1") == (MANIFEST, CONTENT)
    assert subject.fetch_reference(DIGEST) == (MANIFEST, CONTENT)
    assert subject.fetch(MANIFEST) == CONTENT


@pytest.mark.parametrize("reference", ["v1", DIGEST])
def test_r38_a_manifest_that_was_compressed_is_not_decoded(reference):
    fields = {"Content-Type": OCI, "Content-Encoding": "gzip", "Docker-Content-Digest": DIGEST}
    subject, _ = client(*[Answer(200, fields, gzip.compress(CONTENT))] * 2)
    with pytest.raises(ContentError, match="was sent with Content-Encoding 'gzip'"):
        subject.fetch_reference(reference)


def test_truncated_manifest_is_requested_again():
    subject, _ = client(Answer(200, {"Content-Type": OCI}, CONTENT[:9], breaks=True), got())
    assert subject.fetch_reference("v1") == (MANIFEST, CONTENT)


def test_content_is_fetched_by_digest_and_verified():
    subject, transport = client(got(digest=OTHER, media_type="text/plain"), got(b"x"))
    assert subject.fetch(MANIFEST) == CONTENT
    with pytest.raises(DigestMismatchError):
        subject.fetch(MANIFEST)
    assert transport.lines == [f"GET {BY_DIGEST}"] * 2


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([head()], True),
        ([head(digest=None)], True),
        ([Answer(200), got()], True),
        ([Answer(200), Answer(404)], False),
        ([head(media_type="text/html"), Answer(404)], False),
        ([head(digest=OTHER), Answer(404)], False),
        ([Answer(404)], False),
        ([Answer(500), got()], True),
        ([Answer(405), got()], True),
        ([Answer(405), Answer(404)], False),
        ([Answer(403), Answer(403)], False),
    ],
)
def test_existence_of_a_manifest_is_checked(steps, expected):
    subject, transport = client(*steps)
    assert subject.exists(MANIFEST) is expected
    assert transport.finished


# --- Pushing ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "url"), [("v1", BY_TAG), (DIGEST, BY_DIGEST), (None, BY_DIGEST)]
)
def test_r24_manifest_is_put_unchanged(reference, url):
    subject, transport = client(Answer(201, {"Docker-Content-Digest": DIGEST}))
    assert subject.push(CONTENT, OCI, reference) == PushedManifest(MANIFEST)
    (sent,) = transport.requests
    assert (sent.line, sent.body, sent.headers["Content-Type"]) == (f"PUT {url}", CONTENT, OCI)


def test_r30_subject_header_of_the_registry_is_reported():
    subject, _ = client(Answer(201, {"OCI-Subject": OTHER}), Answer(201, {"OCI-Subject": "x"}))
    assert subject.push(CONTENT, OCI, "v1").subject == Digest.parse(OTHER)
    assert subject.push(CONTENT, OCI, "v1").subject is None


OTHER_SUCCESS = pytest.mark.parametrize("status", [200, 202, 203, 204])


@OTHER_SUCCESS
@pytest.mark.parametrize(
    "answers", [[head()], [Answer(405), got()], [head(digest=None), got(digest=DIGEST)]]
)
def test_r24_another_success_is_verified(status, answers):
    subject, transport = client(Answer(status, {"OCI-Subject": OTHER}), *answers)
    pushed = subject.push(CONTENT, OCI, "v1")
    assert pushed == PushedManifest(MANIFEST, Digest.parse(OTHER))
    assert transport.lines[:2] == [f"PUT {BY_TAG}", f"HEAD {BY_TAG}"]
    assert transport.finished


@OTHER_SUCCESS
@pytest.mark.parametrize(
    "answers",
    [
        [Answer(404), Answer(404)],
        [Answer(200), got(b"<html></html>", media_type="text/html")],
        [head(digest=OTHER)],
    ],
)
def test_r24_a_success_that_stored_nothing_is_an_error(status, answers):
    subject, _ = client(Answer(status), *answers)
    with pytest.raises((RegistryError, DigestMismatchError)) as caught:
        subject.push(CONTENT, OCI, "v1")
    if isinstance(caught.value, RegistryError):
        assert caught.value.status == status
        assert "does not have the manifest" in str(caught.value)


def test_r24_sha512_digest_is_compared_with_the_registry_s_header():
    digest = str(Digest.of(CONTENT, "sha512"))
    subject, transport = client(Answer(200), head(digest=digest))
    assert str(subject.push(CONTENT, OCI, digest).descriptor.digest) == digest
    assert transport.finished


@pytest.mark.parametrize("status", [400, 404, 500])
def test_r24_a_refusal_is_an_error(status):
    subject, _ = client(Answer(status))
    with pytest.raises(RegistryError) as caught:
        subject.push(CONTENT, OCI, "v1")
    assert caught.value.operation == f"push manifest {DIGEST} to reg.io/app:v1"


def test_r24_different_stored_manifest_is_an_error():
    subject, _ = client(Answer(201, {"Docker-Content-Digest": OTHER}))
    with pytest.raises(DigestMismatchError):
        subject.push(CONTENT, OCI, "v1")


def test_a_manifest_under_the_digest_of_another_is_never_sent():
    subject, transport = client()
    with pytest.raises(DigestMismatchError):
        subject.push(CONTENT, OCI, OTHER)
    assert transport.requests == []


def test_a_manifest_that_is_too_large_is_never_sent():
    subject, transport = client(manifest_size=10)
    with pytest.raises(SizeLimitError):
        subject.push(CONTENT, OCI, "v1")
    assert transport.requests == []


# --- Removing -----------------------------------------------------------------------------


def remove(action, what, *steps):
    transport = ScriptedTransport(*steps)
    action(transport, ENDPOINTS, what)
    return transport.lines


@pytest.mark.parametrize("status", [200, 202, 204])
def test_delete_sends_one_request(status):
    assert remove(delete_manifest, MANIFEST.digest, Answer(status)) == [f"DELETE {BY_DIGEST}"]
    assert remove(delete_tag, "v1", Answer(status)) == [f"DELETE {BY_TAG}"]
    blob = f"DELETE https://reg.io/v2/app/blobs/{DIGEST}"
    assert remove(delete_blob, MANIFEST.digest, Answer(status)) == [blob]


UNSUPPORTED = Answer(400, {}, b'{"errors":[{"code":"UNSUPPORTED"}]}')


@pytest.mark.parametrize("answer", [Answer(405), Answer(501), UNSUPPORTED])
def test_unsupported_delete_is_an_error(answer):
    for action in (delete_manifest, delete_blob):
        with pytest.raises(UnsupportedError):
            remove(action, MANIFEST.digest, answer)
    with pytest.raises(UnsupportedError):
        remove(delete_tag, "v1", answer)


def test_r34_tag_is_never_deleted_by_its_digest():
    with pytest.raises(UnsupportedError, match="by digest only"):
        remove(delete_tag, "v1", Answer(400, {}, b'{"errors":[{"code":"DIGEST_INVALID"}]}'))


@pytest.mark.parametrize(("status", "kind"), [(404, NotFoundError), (403, RegistryError)])
def test_failed_delete_is_an_error_of_its_kind(status, kind):
    for action, what in ((delete_manifest, MANIFEST.digest), (delete_tag, "v1")):
        with pytest.raises(kind):
            remove(action, what, Answer(status))


@pytest.mark.parametrize("tag", [DIGEST, "", "a/b"])
def test_only_a_tag_is_untagged(tag):
    with pytest.raises(InvalidReferenceError):
        remove(delete_tag, tag)
