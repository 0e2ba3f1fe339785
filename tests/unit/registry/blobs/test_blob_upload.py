"""Blob uploads: the requests that follow given responses."""

from __future__ import annotations

import io

import pytest

from oras_core.content.sources import BytesSource
from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    DigestMismatchError,
    InvalidInputError,
    RegistryError,
    SizeMismatchError,
    SourceChangedError,
    TransportError,
    UnsafeRedirectError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.registry.blobs import upload
from oras_core.registry.blobs.upload import MAX_RESTARTS, BlobUploader
from oras_core.registry.endpoints import RegistryEndpoints
from oras_core.registry.profiles import HostProfile, LearnedProfile
from oras_core.registry.transports.guard import Guarded
from oras_core.registry.transports.retries import Retrying, RetryPolicy
from support.scripted_transport import Answer, ScriptedTransport

CONTENT = b"0123456789"
BLOB = Descriptor.of(CONTENT, "application/octet-stream")
DIGEST = str(BLOB.digest)
BASE = "https://reg.io"
UPLOADS = f"{BASE}/v2/app/blobs/uploads/"
PROBE = f"POST {UPLOADS}?mount={DIGEST}&from=app"
PLAIN = f"POST {UPLOADS}"
TAGS = f"GET {BASE}/v2/app/tags/list?n=1"
HEAD = f"HEAD {BASE}/v2/app/blobs/{DIGEST}"
PUT = f"PUT {BASE}/u/1?digest={DIGEST}"
PATCH = f"PATCH {BASE}/u/1"
CANCEL = f"DELETE {BASE}/u/1"
STATUS = f"GET {BASE}/u/1"

EXISTS = Answer(201, {"Location": f"/v2/app/blobs/{DIGEST}"})
BEGUN = Answer(202, {"Location": "/u/1"})
STORED = Answer(201, {"Location": f"/v2/app/blobs/{DIGEST}", "Docker-Content-Digest": DIGEST})
BROKEN = TransportError("PUT", BASE, "reset")


def refusal(status, code=""):
    body = f'{{"errors":[{{"code":"{code}","message":"no"}}]}}'.encode() if code else b""
    return Answer(status, {}, body)


def held(end, location="/u/1", status=202):
    return Answer(status, {"Location": location, "Range": f"0-{end}"})


def uploader(*steps, **profile):
    transport = ScriptedTransport(*steps)
    learned = LearnedProfile(HostProfile(**{"probes_by_mount": True, **profile}))
    endpoints = RegistryEndpoints(BASE, "reg.io").repository("app")
    return BlobUploader(Guarded(transport), endpoints, learned), transport, learned


def push(*steps, content=CONTENT, blob=BLOB, chunk_size=None, **profile):
    subject, transport, _ = uploader(*steps, **profile)
    subject.push(blob, BytesSource(content), chunk_size=chunk_size)
    assert transport.finished
    return transport


def failing(kind, *steps, **options):
    source = options.pop("source", BytesSource(options.pop("content", CONTENT)))
    chunk_size = options.pop("chunk_size", None)
    blob = options.pop("blob", BLOB)
    subject, transport, _ = uploader(*steps, **options)
    with pytest.raises(kind) as caught:
        subject.push(blob, source, chunk_size=chunk_size)
    assert transport.finished
    return caught.value, transport


# --- Looking ------------------------------------------------------------------------------


def test_r37_a_head_comes_before_the_upload():
    transport = push(refusal(404), Answer(200), BEGUN, STORED, probes_by_mount=False)
    assert transport.lines == [HEAD, TAGS, PLAIN, PUT]


def test_r37_an_existing_blob_is_not_written():
    subject, transport, _ = uploader(Answer(200), probes_by_mount=False)
    subject.push(BLOB, Unreadable())
    assert transport.lines == [HEAD]


def test_r37_a_blob_that_this_client_has_stored_is_not_written_again():
    other = Descriptor.of(b"other", "application/octet-stream")
    new = refusal(404, "NAME_UNKNOWN")
    subject, transport, _ = uploader(
        refusal(404), new, BEGUN, Answer(201), BEGUN, STORED, Answer(200), probes_by_mount=False
    )
    subject.push(other, BytesSource(b"other"))
    subject.push(BLOB, BytesSource(CONTENT))
    subject.push(BLOB, Unreadable())
    assert transport.lines[-1] == HEAD


def test_r37_an_existing_blob_is_not_mounted():
    subject, transport, _ = uploader(Answer(200), probes_by_mount=False)
    assert subject.mount(BLOB, "other")
    assert transport.lines == [HEAD]


# --- Whole --------------------------------------------------------------------------------


def test_r14_a_new_blob_takes_two_requests():
    transport = push(BEGUN, STORED)
    assert transport.lines == [PROBE, PUT]
    assert transport.requests[0].body == b""
    assert transport.requests[1].body == CONTENT
    assert transport.requests[1].headers["Content-Type"] == "application/octet-stream"


def test_r21_an_existing_blob_takes_one_request_and_is_not_read():
    subject, transport, _ = uploader(EXISTS)
    subject.push(BLOB, Unreadable())
    assert transport.lines == [PROBE]


@pytest.mark.parametrize("status", [200, 400, 403, 404, 405])
def test_r21_a_registry_that_refuses_the_mount_is_remembered(status):
    subject, transport, learned = uploader(
        refusal(status), BEGUN, STORED, refusal(404), Answer(200), BEGUN, STORED, Answer(200)
    )
    for _ in range(2):
        subject.push(BLOB, BytesSource(CONTENT))
    subject.push(BLOB, Unreadable())
    look = f"HEAD {BASE}/v2/app/blobs/{DIGEST}"
    assert transport.lines == [PROBE, PLAIN, PUT, look, TAGS, PLAIN, PUT, look]
    assert not learned.current.probes_by_mount


def test_a_repository_without_push_access_changes_no_profile():
    subject, _, learned = uploader(refusal(404, "NAME_UNKNOWN"), refusal(404, "NAME_UNKNOWN"))
    with pytest.raises(RegistryError):
        subject.push(BLOB, BytesSource(CONTENT))
    assert learned.current.probes_by_mount


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (500, RegistryError)])
def test_an_error_unrelated_to_mounts_ends_the_push(status, kind):
    error, transport = failing(kind, refusal(status))
    assert transport.lines == [PROBE]
    assert error.operation == f"push blob {DIGEST} to reg.io/app"


def test_r8_403_is_an_access_error():
    _, transport = failing(AccessDeniedError, refusal(403, "DENIED"), refusal(403, "DENIED"))
    assert transport.lines == [PROBE, PLAIN]


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/u/1?_state=a%2Bb%3D&x", f"{BASE}/u/1?_state=a%2Bb%3D&x&digest={DIGEST}"),
        ("https://reg.io:443/u/1", f"https://reg.io:443/u/1?digest={DIGEST}"),
        ("1", f"{UPLOADS}1?digest={DIGEST}"),
        ("https://store.example.org/b?sig=s", f"https://store.example.org/b?sig=s&digest={DIGEST}"),
    ],
)
def test_r18_locations(location, expected):
    transport = push(Answer(202, {"Location": location}), STORED)
    assert transport.requests[1].url == expected


def test_r18_a_location_is_relative_to_the_responding_url():
    moved = Answer(202, {"Location": "1"}, url="https://reg.io/other/uploads/")
    assert push(moved, STORED).requests[1].url == f"{BASE}/other/uploads/1?digest={DIGEST}"


@pytest.mark.parametrize(
    "location", ["http://reg.io/u/1", "https://127.0.0.1/u", "https://169.254.169.254/", "ftp://x/"]
)
def test_r18_locations_that_are_refused(location):
    failing(UnsafeRedirectError, Answer(202, {"Location": location}))


def test_r18_a_loopback_registry_may_redirect_to_loopback():
    begun = Answer(202, {"Location": "http://127.0.0.1:5000/u/1"}, url="http://front.example.org/u")
    transport = ScriptedTransport(begun, STORED)
    endpoints = RegistryEndpoints("http://127.0.0.1:5000", "127.0.0.1:5000").repository("app")
    learned = LearnedProfile(HostProfile(probes_by_mount=True))
    BlobUploader(transport, endpoints, learned).push(BLOB, BytesSource(CONTENT))
    assert transport.finished


def test_an_upload_without_a_location_is_an_error():
    failing(RegistryError, Answer(202), Answer(202))


@pytest.mark.parametrize("status", [400, 429, 501])
def test_r19_a_refused_put_cancels_the_upload(status):
    error, transport = failing(RegistryError, BEGUN, refusal(status), Answer(204))
    assert error.status == status
    assert transport.lines == [PROBE, PUT, CANCEL]


@pytest.mark.parametrize("status", [200, 202, 204, 206])
def test_r19_after_another_2xx_a_head_decides(status):
    assert push(BEGUN, refusal(status), Answer(200)).lines == [PROBE, PUT, HEAD]
    error, transport = failing(RegistryError, BEGUN, refusal(status), refusal(404), Answer(204))
    assert error.status == status
    assert "HEAD does not find" in str(error)
    assert transport.lines == [PROBE, PUT, HEAD, CANCEL]


@pytest.mark.parametrize("status", [200, 202, 204])
def test_r19_after_another_2xx_to_the_last_chunk_a_head_decides(status):
    transport = push(BEGUN, held(9), refusal(status), Answer(200), chunk_size=10)
    assert transport.lines == [PROBE, PATCH, PUT, HEAD]


def test_another_digest_in_the_response_is_an_error():
    other = Answer(201, {"Docker-Content-Digest": str(Digest.of(b"other"))})
    failing(DigestMismatchError, BEGUN, other, Answer(204))
    mounted = Answer(201, {"Docker-Content-Digest": str(Digest.of(b"other"))})
    failing(DigestMismatchError, mounted)


def test_an_unreachable_registry_gets_one_status_request_and_no_delete():
    gone = TransportError("GET", BASE, "refused")
    error, transport = failing(TransportError, BEGUN, BROKEN, gone)
    assert error is gone
    assert transport.lines == [PROBE, PUT, STATUS]
    final = TransportError("PUT", BASE, "no address", retryable=False)
    error, transport = failing(TransportError, BEGUN, final)
    assert error is final


def test_a_failed_delete_does_not_hide_the_error():
    error, _ = failing(RegistryError, BEGUN, refusal(400), TransportError("DELETE", BASE, "x"))
    assert error.status == 400


@pytest.mark.parametrize(
    "answer", [refusal(404), refusal(404, "BLOB_UPLOAD_UNKNOWN"), refusal(416),
               refusal(400, "BLOB_UPLOAD_INVALID")]
)  # fmt: skip
def test_a_lost_upload_restarts_once(answer):
    cancels = [] if answer.status == 404 else [Answer(204)]
    transport = push(BEGUN, answer, *cancels, BEGUN, STORED)
    assert [sent.body for sent in transport.requests if sent.method == "PUT"] == [CONTENT] * 2
    failing(RegistryError, BEGUN, answer, *cancels, BEGUN, answer, *cancels)


def test_an_upload_whose_response_was_lost_is_found_stored():
    push(BEGUN, refusal(404, "BLOB_UPLOAD_UNKNOWN"), EXISTS)


def retrying(*steps):
    transport = ScriptedTransport(*steps)
    stack = Retrying(Guarded(transport), RetryPolicy(backoff=0), sleep=lambda _: None)
    endpoints = RegistryEndpoints(BASE, "reg.io").repository("app")
    learned = LearnedProfile(HostProfile(probes_by_mount=True))
    return BlobUploader(stack, endpoints, learned), transport


def test_a_failed_put_without_progress_restarts_the_upload():
    # In a new upload: late bytes of the failed PUT may still reach the old one.
    subject, transport = retrying(BEGUN, BROKEN, held(0, status=204), Answer(204), BEGUN, STORED)
    subject.push(BLOB, BytesSource(CONTENT))
    assert transport.lines == [PROBE, PUT, STATUS, CANCEL, PROBE, PUT]
    assert [sent.body for sent in transport.requests if sent.method == "PUT"] == [CONTENT] * 2


def test_r17_bytes_that_arrived_before_a_failure_are_not_sent_again():
    subject, transport = retrying(
        BEGUN, BROKEN, held(3, "/u/2", 204), BROKEN, held(6, "/u/3", 204), held(9), STORED
    )
    subject.push(BLOB, BytesSource(CONTENT))
    assert chunks(transport) == [("4-9", b"456789"), ("7-9", b"789")]
    assert transport.lines[-2] == f"PATCH {BASE}/u/3"
    assert transport.requests[-1].body == b""


def test_r17_chunks_resume_at_the_reported_offset():
    subject, transport = retrying(
        BEGUN, held(3), BROKEN, held(5, status=204), BROKEN, held(9, status=204), STORED
    )
    subject.push(BLOB, BytesSource(CONTENT), chunk_size=4)
    assert chunks(transport) == [("0-3", b"0123"), ("4-7", b"4567"), ("6-9", b"6789")]


def test_a_repeated_chunk_has_the_same_bytes():
    subject, transport = retrying(BEGUN, held(3), refusal(429), held(7), held(9), STORED)
    subject.push(BLOB, BytesSource(CONTENT), chunk_size=4)
    assert [body for _, body in chunks(transport)] == [b"0123", b"4567", b"4567", b"89"]


# --- Failures of the server ---------------------------------------------------------------


@pytest.fixture
def no_pause(monkeypatch):
    monkeypatch.setattr(upload, "PAUSE_SECONDS", 0.0)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_r17_after_a_5xx_the_upload_resumes_at_the_reported_offset(status):
    subject, transport = retrying(
        BEGUN, refusal(status), held(3, "/u/2", 204), held(9, "/u/2"), STORED
    )
    subject.push(BLOB, BytesSource(CONTENT))
    assert chunks(transport) == [("4-9", b"456789")]
    assert [sent.body for sent in transport.requests if sent.method == "PUT"] == [CONTENT, b""]


def test_r17_after_a_5xx_to_a_chunk_the_upload_resumes_at_the_reported_offset():
    subject, transport = retrying(
        BEGUN, held(3), refusal(502), held(5, status=204), held(9), STORED
    )
    subject.push(BLOB, BytesSource(CONTENT), chunk_size=4)
    assert chunks(transport) == [("0-3", b"0123"), ("4-7", b"4567"), ("6-9", b"6789")]


@pytest.mark.parametrize("state", [[held(0, status=204), Answer(204)], [refusal(404)]])
def test_an_upload_that_holds_nothing_after_a_5xx_restarts(state, no_pause):
    subject, transport = retrying(BEGUN, refusal(500), *state, BEGUN, STORED)
    subject.push(BLOB, BytesSource(CONTENT))
    assert [sent.body for sent in transport.requests if sent.method == "PUT"] == [CONTENT] * 2
    assert [sent.url for sent in transport.requests if sent.method == "POST"] == [PROBE[5:]] * 2


def test_a_blob_that_was_stored_in_spite_of_a_5xx_is_not_sent_again(no_pause):
    new = refusal(404, "NAME_UNKNOWN")
    steps = [refusal(404), new, BEGUN, refusal(502), refusal(404), Answer(200)]
    subject, transport, _ = uploader(*steps, probes_by_mount=False)
    subject.push(BLOB, BytesSource(CONTENT))
    assert transport.lines == [HEAD, TAGS, PLAIN, PUT, STATUS, HEAD]


def test_a_server_that_always_fails_ends_the_upload(no_pause):
    restarts = [BEGUN, refusal(500), held(0, status=204), Answer(204)] * (MAX_RESTARTS + 1)
    subject, transport = retrying(*restarts)
    with pytest.raises(RegistryError) as caught:
        subject.push(BLOB, BytesSource(CONTENT))
    assert caught.value.status == 500
    assert transport.finished


# --- Resuming -----------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_size", [None, 4])
def test_r20_failures_without_progress_end_the_upload(chunk_size):
    stuck = [BEGUN, BROKEN, held(0, status=204), Answer(204)]
    subject, transport = retrying(*stuck * 5)
    with pytest.raises(TransportError) as caught:
        subject.push(BLOB, BytesSource(CONTENT), chunk_size=chunk_size)
    assert caught.value is BROKEN
    assert transport.finished
    subject, transport = retrying(BEGUN, *[BROKEN, held(3, status=204)] * 6)
    with pytest.raises(TransportError) as caught:
        subject.push(BLOB, BytesSource(CONTENT), chunk_size=chunk_size)
    assert caught.value is BROKEN
    assert transport.finished


@pytest.mark.parametrize("chunk_size", [None, 4])
def test_an_offset_beyond_the_blob_after_a_failure_is_an_error(chunk_size):
    subject, transport = retrying(BEGUN, BROKEN, held(10, status=204), Answer(204))
    with pytest.raises(RegistryError, match="11 bytes, but 10 were sent"):
        subject.push(BLOB, BytesSource(CONTENT), chunk_size=chunk_size)
    assert transport.lines[-1] == CANCEL


def test_r15_without_chunks_a_failed_upload_restarts():
    transport = ScriptedTransport(
        BEGUN, BROKEN, held(3, status=204), Answer(204), Answer(202, {"Location": "/u/2"}), STORED
    )
    subject, _, _ = uploader(accepts_chunks=False)
    subject._transport = transport
    subject.push(BLOB, BytesSource(CONTENT))
    assert transport.lines[1:] == [
        PUT, STATUS, CANCEL, PROBE, f"PUT {BASE}/u/2?digest={DIGEST}"
    ]  # fmt: skip
    assert transport.requests[-1].body == CONTENT


@pytest.mark.parametrize("chunk_size", [None, 100])
def test_uploads_lost_by_failures_restart_several_times(chunk_size):
    # Distribution deletes an upload whose offset differs from the one in its URL.
    lost = [BEGUN, BROKEN, refusal(404, "BLOB_UPLOAD_INVALID")]
    end = [STORED] if chunk_size is None else [held(9), STORED]
    subject, transport = retrying(*lost * 4, BEGUN, *end)
    subject.push(BLOB, BytesSource(CONTENT), chunk_size=chunk_size)
    assert transport.finished
    subject, transport = retrying(*lost * 5)
    with pytest.raises(TransportError) as caught:
        subject.push(BLOB, BytesSource(CONTENT), chunk_size=chunk_size)
    assert caught.value is BROKEN
    assert transport.finished


def test_uploads_lost_after_a_failure_was_survived_restart_several_times():
    """Registries behind a load balancer may know the upload for the first request only."""
    lost = [BEGUN, BROKEN, held(3, status=204), refusal(404, "BLOB_UPLOAD_UNKNOWN")]
    subject, transport = retrying(*lost * MAX_RESTARTS, BEGUN, STORED)
    subject.push(BLOB, BytesSource(CONTENT))
    assert transport.finished
    subject, transport = retrying(*lost * (MAX_RESTARTS + 1))
    with pytest.raises(RegistryError) as caught:
        subject.push(BLOB, BytesSource(CONTENT))
    assert caught.value.codes == ("BLOB_UPLOAD_UNKNOWN",)
    assert transport.finished


# --- Sources ------------------------------------------------------------------------------


class Unreadable:
    size = BLOB.size

    def open(self):
        raise AssertionError("must not be read")


class Unsized:
    """A source of unknown size."""

    size = None

    def __init__(self, content):
        self.content = content

    def open(self):
        return io.BytesIO(self.content)


class Failing:
    size = BLOB.size

    def __init__(self, error):
        self.error = error

    def open(self):
        raise self.error


@pytest.mark.parametrize("chunk_size", [None, 4])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"012345678x", DigestMismatchError),
        (b"01234", SizeMismatchError),
        (CONTENT + b"!", SizeMismatchError),
    ],
)
def test_a_source_that_does_not_match_is_never_sent_whole(content, kind, chunk_size):
    patches = [] if chunk_size is None else [held(3), held(7), held(9)][: len(content) // 4 + 1]
    steps = [BEGUN, *patches, Answer(204)] if chunk_size else [BEGUN, STORED, Answer(204)]
    _, transport = failing(kind, *steps, source=Unsized(content), chunk_size=chunk_size)
    if chunk_size:
        assert all(sent.method != "PUT" for sent in transport.requests)
    assert transport.lines[-1] == CANCEL


def test_a_source_of_another_size_takes_no_request():
    _, transport = failing(SizeMismatchError, content=CONTENT + b"!")
    assert transport.requests == []


def test_an_error_of_the_source_is_raised_unchanged():
    error = SourceChangedError("file 'a'", "it vanished")
    caught, transport = failing(
        SourceChangedError, BEGUN, STORED, Answer(204), source=Failing(error)
    )
    assert caught is error
    assert transport.lines[-1] == CANCEL


def test_a_source_registry_without_the_blob_is_not_a_lost_upload():
    error = RegistryError("pull", status=404, method="GET", url="https://other.io/")
    caught, transport = failing(RegistryError, BEGUN, STORED, Answer(204), source=Failing(error))
    assert caught is error
    assert transport.lines == [PROBE, CANCEL]


def test_a_source_whose_connection_fails_cancels_the_upload():
    error = TransportError("GET", "https://other.io/", "reset")
    caught, transport = failing(TransportError, BEGUN, STORED, Answer(204), source=Failing(error))
    assert caught is error
    assert transport.lines[-1] == CANCEL


@pytest.mark.parametrize("chunk_size", [0, -1])
def test_chunk_size_must_be_positive(chunk_size):
    _, transport = failing(InvalidInputError, chunk_size=chunk_size)
    assert transport.requests == []


def test_an_empty_blob_is_verified_even_if_it_is_not_read():
    empty = Descriptor.of(b"", "application/octet-stream")
    _, transport = failing(SizeMismatchError, blob=empty, source=Unsized(b"x"))
    assert transport.requests == []
    transport = push(BEGUN, Answer(201), content=b"", blob=empty)
    assert transport.requests[1].body == b""


# --- Chunks -------------------------------------------------------------------------------


def chunks(transport):
    return [
        (sent.headers["Content-Range"], sent.body)
        for sent in transport.requests
        if sent.method == "PATCH"
    ]


def test_r17_chunks_have_inclusive_ranges_and_follow_locations():
    transport = push(
        BEGUN, held(3, "/u/2"), held(7, "/u/3?s"), held(9, "/u/4"), STORED, chunk_size=4
    )
    assert chunks(transport) == [("0-3", b"0123"), ("4-7", b"4567"), ("8-9", b"89")]
    assert transport.lines[1:] == [
        PATCH,
        f"PATCH {BASE}/u/2",
        f"PATCH {BASE}/u/3?s",
        f"PUT {BASE}/u/4?digest={DIGEST}",
    ]
    assert transport.requests[-1].body == b""


@pytest.mark.parametrize(
    "headers", [{}, {"Range": "nonsense"}, {"Range": "bytes=0-9"}, {"Range": "0-9"}]
)
def test_a_response_without_range_confirms_the_chunk(headers):
    assert chunks(push(BEGUN, Answer(202, headers), STORED, chunk_size=100)) == [("0-9", CONTENT)]


def test_r16_chunks_have_at_least_the_minimum_of_the_registry():
    begun = Answer(202, {"Location": "/u/1", "OCI-Chunk-Min-Length": "6"})
    transport = push(begun, held(5), held(9), STORED, chunk_size=2)
    assert chunks(transport) == [("0-5", b"012345"), ("6-9", b"6789")]


def test_r16_the_minimum_of_the_registry_is_capped():
    begun = Answer(202, {"Location": "/u/1", "OCI-Chunk-Min-Length": "999999999999"})
    assert chunks(push(begun, held(4), held(9), STORED, chunk_size=2, max_chunk_size=5)) == [
        ("0-4", b"01234"),
        ("5-9", b"56789"),
    ]


def test_r17_a_partly_stored_chunk_is_completed():
    transport = push(BEGUN, held(2), held(6), held(9), STORED, chunk_size=4)
    assert chunks(transport) == [("0-3", b"0123"), ("3-6", b"3456"), ("7-9", b"789")]


def test_r17_a_lost_chunk_is_sent_again():
    transport = push(BEGUN, held(3), held(1), held(5), held(9), STORED, chunk_size=4)
    assert chunks(transport)[2:] == [("2-5", b"2345"), ("6-9", b"6789")]


def test_r17_after_416_the_offset_is_requested():
    transport = push(
        BEGUN, held(3), refusal(416), held(5, "/u/7", 204), held(9), STORED, chunk_size=4
    )
    assert chunks(transport) == [("0-3", b"0123"), ("4-7", b"4567"), ("6-9", b"6789")]
    assert transport.lines[3:5] == [f"GET {BASE}/u/1", f"PATCH {BASE}/u/7"]


def test_range_0_0_confirms_a_chunk_of_one_byte():
    one = Descriptor.of(b"x", "application/octet-stream")
    push(BEGUN, held(0), Answer(201), content=b"x", blob=one, chunk_size=4)


def test_range_0_0_after_a_larger_chunk_means_no_bytes():
    transport = push(BEGUN, held(0), held(9), STORED, chunk_size=10)
    assert chunks(transport) == [("0-9", CONTENT)] * 2


def test_an_offset_beyond_the_chunk_is_an_error():
    transport = push(BEGUN, held(99), Answer(204), BEGUN, STORED, chunk_size=4)
    assert transport.lines == [PROBE, PATCH, CANCEL, PROBE, PUT]


def test_chunks_without_progress_end_the_chunked_upload():
    # ECR Public always reports the first chunk (R15): then the blob is sent whole.
    transport = push(BEGUN, *[held(3)] * 4, Answer(204), BEGUN, STORED, chunk_size=4)
    assert transport.requests[-1].body == CONTENT


# --- Fallbacks ----------------------------------------------------------------------------


def test_r20_after_413_chunks_are_used_and_remembered():
    subject, transport, learned = uploader(
        BEGUN, refusal(413), Answer(204), BEGUN, held(3), held(7), held(9), STORED, chunk_size=4
    )
    subject.push(BLOB, BytesSource(CONTENT))
    assert [sent.method for sent in transport.requests] == [
        "POST", "PUT", "DELETE", "POST", "PATCH", "PATCH", "PATCH", "PUT",
    ]  # fmt: skip
    assert learned.current.chunk_for(BLOB.size, None) == 4
    assert learned.current.chunk_for(BLOB.size - 1, None) is None


@pytest.mark.parametrize("status", [200, 201, 204, 405, 416, 501])
def test_r20_after_refused_chunks_the_blob_is_sent_whole(status):
    asked = [held(0, "/u/1", 204)] if status == 416 else []
    subject, transport, learned = uploader(
        BEGUN, refusal(status), *asked, Answer(204), BEGUN, STORED
    )
    subject.push(BLOB, BytesSource(CONTENT), chunk_size=4)
    assert transport.requests[-1].body == CONTENT
    assert transport.finished
    assert learned.current.chunk_for(BLOB.size, 4) is None


def test_r20_416_with_an_error_code_is_not_a_lost_upload():
    push(
        BEGUN, refusal(416, "BLOB_UPLOAD_INVALID"), refusal(404), Answer(204), BEGUN, STORED,
        chunk_size=4,
    )  # fmt: skip


def test_r20_no_loop_from_whole_to_chunks_to_whole():
    failing(RegistryError, BEGUN, refusal(413), Answer(204), BEGUN, refusal(405), Answer(204))


def test_r20_no_loop_from_chunks_to_whole_to_chunks():
    failing(
        RegistryError, BEGUN, refusal(405), Answer(204), BEGUN, refusal(413), Answer(204),
        chunk_size=4,
    )  # fmt: skip


def test_r15_no_chunks_are_tried_if_the_profile_forbids_them():
    transport = push(BEGUN, STORED, chunk_size=4, accepts_chunks=False)
    assert transport.lines == [PROBE, PUT]
    failing(RegistryError, BEGUN, refusal(413), Answer(204), accepts_chunks=False)


def test_the_profile_can_require_chunks():
    subject, transport, _ = uploader(BEGUN, held(7), held(9), STORED, chunked=True, chunk_size=8)
    subject.push(BLOB, BytesSource(CONTENT))
    assert len(chunks(transport)) == 2


@pytest.mark.parametrize("status", [401, 403, 422])
def test_a_refused_chunk_ends_the_push(status):
    cancels = [] if status == 401 else [Answer(204)]
    error, _ = failing(RegistryError, BEGUN, held(3), refusal(status), *cancels, chunk_size=4)
    assert error.status == status


# --- Mounts -------------------------------------------------------------------------------

MOUNT = f"POST {UPLOADS}?mount={DIGEST}&from=org/other"


def test_r21_a_mount_takes_one_request():
    subject, transport, _ = uploader(EXISTS)
    assert subject.mount(BLOB, "org/other") is True
    assert transport.lines == [MOUNT]


def test_r21_an_upload_started_by_a_mount_is_used_by_the_push():
    subject, transport, _ = uploader(BEGUN, STORED)
    assert subject.mount(BLOB, "org/other") is False
    subject.push(BLOB, BytesSource(CONTENT))
    assert transport.lines == [MOUNT, PUT]


def test_an_expired_upload_of_a_mount_restarts():
    subject, transport, _ = uploader(BEGUN, refusal(404), BEGUN, STORED)
    subject.mount(BLOB, "org/other")
    subject.push(BLOB, BytesSource(CONTENT))
    assert transport.lines == [MOUNT, PUT, PROBE, PUT]


def test_a_second_mount_abandons_its_upload():
    subject, transport, _ = uploader(BEGUN, Answer(202, {"Location": "/u/2"}), Answer(204))
    subject.mount(BLOB, "org/other")
    subject.mount(BLOB, "org/other")
    assert transport.lines == [MOUNT, MOUNT, f"DELETE {BASE}/u/2"]


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 405, 500])
def test_r21_other_statuses_of_a_mount_mean_not_mounted(status):
    subject, _, _ = uploader(refusal(status))
    assert subject.mount(BLOB, "org/other") is False
