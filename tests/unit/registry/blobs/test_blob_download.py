"""Blob downloads: the requests that follow given responses."""

from __future__ import annotations

import pytest

from oras_core.content.verify import VerifyingReader
from oras_core.errors import (
    ContentError,
    DigestMismatchError,
    InvalidInputError,
    NotFoundError,
    RegistryError,
    SizeMismatchError,
    TlsError,
    TransportError,
    UnsupportedError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.registry.blobs.download import BlobDownloader
from oras_core.registry.blobs.resuming import MAX_FRUITLESS, PROGRESS
from oras_core.registry.endpoints import RegistryEndpoints
from oras_core.registry.transports.guard import Guarded
from support.scripted_transport import Answer, ScriptedTransport

CONTENT = b"0123456789"
BLOB = Descriptor.of(CONTENT, "application/octet-stream")
URL = f"https://reg.io/v2/app/blobs/{BLOB.digest}"
STORE = "https://store.example.org/bucket/blob?sig=secret"


def whole(content=CONTENT, **options):
    return Answer(200, {"Content-Length": "10"}, content, **options)


def part(start, content=None, total="10", end=9, **options):
    headers = {"Content-Range": f"bytes {start}-{end}/{total}"}
    return Answer(206, headers, CONTENT[start : end + 1] if content is None else content, **options)


def downloader(*steps):
    transport = ScriptedTransport(*steps)
    endpoints = RegistryEndpoints("https://reg.io", "reg.io").repository("app")
    return BlobDownloader(Guarded(transport), endpoints), transport


def pulled(*steps, size=-1):
    subject, transport = downloader(*steps)
    stream = subject.fetch(BLOB)
    content = b"".join(iter(lambda: stream.read(size), b"")) if size > 0 else stream.read(size)
    stream.close()
    assert transport.finished
    return content, transport


def failing(kind, *steps):
    subject, transport = downloader(*steps)
    with pytest.raises(kind) as caught:
        subject.fetch(BLOB).read()
    assert transport.finished
    return caught.value


def ranges(transport):
    return [sent.headers.get("Range") for sent in transport.requests]


@pytest.mark.parametrize("size", [-1, 1, 3, 10, 1000])
def test_a_blob_takes_one_request(size):
    content, transport = pulled(whole(), size=size)
    assert content == CONTENT
    assert transport.lines == [f"GET {URL}"]
    assert transport.requests[0].headers["Accept-Encoding"] == "identity"
    assert ranges(transport) == [None]


def test_a_missing_blob_is_an_error_before_the_first_read():
    subject, _ = downloader(Answer(404, {}, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}'))
    with pytest.raises(NotFoundError) as caught:
        subject.fetch(BLOB)
    assert caught.value.operation == f"pull blob {BLOB.digest} from reg.io/app"


@pytest.mark.parametrize("answer", [Answer(202), Answer(206), Answer(204), Answer(500)])
def test_a_whole_blob_needs_status_200(answer):
    failing(RegistryError, answer)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(200, {"Content-Length": "11"}, CONTENT), SizeMismatchError),
        (Answer(200, {"Content-Length": "9"}, CONTENT), SizeMismatchError),
    ],
)
def test_a_wrong_header_is_an_error_before_the_first_read(answer, kind):
    subject, _ = downloader(answer)
    with pytest.raises(kind):
        subject.fetch(BLOB)


@pytest.mark.parametrize("encoding", ["Identity", "aws-chunked", "x-gzip", "binary", "gzip"])
def test_r38_the_digest_decides_whatever_the_content_encoding(encoding):
    answer = Answer(200, {"Content-Encoding": encoding}, CONTENT)
    assert pulled(answer)[0] == CONTENT


@pytest.mark.parametrize("content", [b"9876543210", b"short"])
def test_r38_an_error_names_the_content_encoding(content):
    subject, _ = downloader(Answer(200, {"Content-Encoding": "gzip"}, content), *[Answer(404)] * 5)
    with pytest.raises((ContentError, NotFoundError)) as caught:
        subject.fetch(BLOB).read()
    if content != b"short":
        assert "Content-Encoding 'gzip'" in str(caught.value)


def test_fetched_bytes_are_verified_before_the_last_one():
    subject, _ = downloader(Answer(200, {}, b"9876543210"))
    stream = subject.fetch(BLOB)
    assert stream.read(9) == b"987654321"
    with pytest.raises(DigestMismatchError):
        stream.read(1)


def test_fetch_unverified_returns_unverified_bytes():
    subject, _ = downloader(Answer(200, {}, b"9876543210"))
    assert subject.fetch_unverified(BLOB).read() == b"9876543210"


def test_a_blob_that_is_too_long_is_an_error():
    failing(SizeMismatchError, Answer(200, {}, CONTENT + b"!"))


def test_surplus_bytes_are_found_when_reading_in_pieces():
    subject, _ = downloader(Answer(200, {}, CONTENT + b"!"))
    stream = subject.fetch_unverified(BLOB)
    assert stream.read(10) == CONTENT
    with pytest.raises(SizeMismatchError):
        stream.read(1)


# --- Resuming -----------------------------------------------------------------------------


def test_r35_a_failed_download_resumes_at_its_offset():
    content, transport = pulled(whole(b"012", breaks=True), part(3, b"34", breaks=True), part(5))
    assert content == CONTENT
    assert ranges(transport) == [None, "bytes=3-9", "bytes=5-9"]
    assert all(sent.headers["Accept-Encoding"] == "identity" for sent in transport.requests)


def test_an_early_end_resumes_like_a_connection_failure():
    assert pulled(Answer(200, {}, b"0123"), part(4))[0] == CONTENT


def test_a_failure_before_the_first_byte_requests_the_whole_blob_again():
    content, transport = pulled(whole(b"", breaks=True), whole())
    assert content == CONTENT
    assert ranges(transport) == [None, None]


def test_r35_after_200_the_known_bytes_are_skipped():
    assert pulled(whole(b"0123", breaks=True), whole())[0] == CONTENT


def test_a_failure_while_skipping_resumes():
    steps = [whole(b"0123", breaks=True), whole(b"01", breaks=True), part(4)]
    assert pulled(*steps)[0] == CONTENT


def test_a_shorter_range_than_requested_is_progress():
    answers = [whole(b"0123", breaks=True), part(4, end=5), part(6)]
    content, transport = pulled(*answers)
    assert content == CONTENT
    assert ranges(transport) == [None, "bytes=4-9", "bytes=6-9"]


def test_a_content_range_without_total_is_accepted():
    assert pulled(whole(b"0123", breaks=True), part(4, total="*"))[0] == CONTENT


@pytest.mark.parametrize(
    "answer",
    [
        part(3, b"3456789"),
        part(5),
        part(4, end=10),
        Answer(206, {}, b"456789"),
        Answer(206, {"Content-Range": "bytes */10"}, b"456789"),
        Answer(206, {"Content-Range": "lines 4-9/10"}, b"456789"),
        Answer(206, {"Content-Range": "4-9/10"}, b"456789"),
        Answer(416, {"Content-Range": "bytes */10"}),
    ],
)
def test_another_range_than_requested_is_refused(answer):
    failing(RegistryError, whole(b"0123", breaks=True), answer)


@pytest.mark.parametrize(
    ("answer", "actual"),
    [
        (Answer(416, {"Content-Range": "bytes */4"}), 4),
        (Answer(416, {}), 4),
        (part(4, total="12"), 12),
        (Answer(200, {"Content-Length": "12"}), 12),
    ],
)
def test_another_size_in_a_resumed_response_is_an_error(answer, actual):
    error = failing(SizeMismatchError, whole(b"0123", breaks=True), answer)
    assert (error.expected, error.actual) == (10, actual)


def test_r38_a_compressed_resumed_response_fails_verification():
    compressed = Answer(206, {"Content-Range": "bytes 4-9/10", "Content-Encoding": "br"}, b"zip!!!")
    failing(ContentError, whole(b"0123", breaks=True), compressed)


def test_failures_without_progress_end_the_download():
    steps = [whole(b"0", breaks=True), *(part(n, b"x", breaks=True) for n in range(1, 5))]
    assert len(steps) == MAX_FRUITLESS
    failing(TransportError, *steps)


def test_early_ends_without_progress_end_the_download():
    failing(SizeMismatchError, *[Answer(200, {}, b"")] * MAX_FRUITLESS)


def test_failures_with_progress_are_not_limited():
    content = bytes(range(256)) * (PROGRESS * 8 // 256)
    blob = Descriptor.of(content, "application/octet-stream")

    def some(sent):
        start = int(sent.headers.get("Range", "bytes=0-").split("=")[1].split("-")[0])
        body = content[start : start + PROGRESS]
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        return Answer(206 if start else 200, headers if start else {}, body, breaks=True)

    subject, _ = downloader(*[some] * 9)
    assert VerifyingReader(subject.fetch(blob), blob).read() == content


def test_progress_below_the_threshold_does_not_add_up():
    content = bytes(PROGRESS * 4)
    blob = Descriptor.of(content, "application/octet-stream")

    def little(sent):
        start = int(sent.headers.get("Range", "bytes=0-").split("=")[1].split("-")[0])
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        body = bytes(PROGRESS // 2)
        return Answer(206 if start else 200, headers if start else {}, body, breaks=True)

    subject, transport = downloader(*[little] * MAX_FRUITLESS)
    with pytest.raises(TransportError):
        subject.fetch(blob).read()
    assert transport.finished


def test_a_failure_after_the_last_byte_is_ignored():
    assert pulled(Answer(200, {}, CONTENT, breaks=True))[0] == CONTENT


def test_an_error_that_is_not_retryable_ends_the_download():
    error = TlsError("GET", URL, "the certificate expired")
    failing(TlsError, whole(b"0123", breaks=True), error)


def test_an_unreachable_registry_ends_the_download():
    failing(TransportError, whole(b"01", breaks=True), TransportError("GET", URL, "refused"))


def test_a_blob_that_changes_between_responses_fails_verification():
    subject, _ = downloader(whole(b"0123", breaks=True), part(4, b"xxxxxx"))
    with pytest.raises(DigestMismatchError):
        VerifyingReader(subject.fetch(BLOB), BLOB).read()


def test_a_closed_stream_sends_no_request():
    subject, transport = downloader(whole())
    stream = subject.fetch(BLOB)
    stream.close()
    stream.close()
    with pytest.raises(ValueError, match="closed"):
        stream.read()
    assert len(transport.requests) == 1


# --- Presigned addresses ------------------------------------------------------------------


def test_r35_an_expired_presigned_url_is_requested_again():
    expired = Answer(403, {}, b"<Error><Message>Request has expired</Message></Error>", url=STORE)
    content, transport = pulled(expired, whole(url=STORE))
    assert content == CONTENT
    assert transport.lines == [f"GET {URL}"] * 2


def test_r35_a_second_expired_presigned_url_is_an_error():
    expired = Answer(403, {}, b"", url=STORE)
    error = failing(RegistryError, expired, expired)
    assert "secret" not in str(error)


def test_a_refusal_by_the_registry_is_not_repeated():
    failing(RegistryError, Answer(403))


def test_r35_a_resumed_download_asks_the_registry_for_a_new_url():
    _, transport = pulled(whole(b"01", breaks=True, url=STORE), part(2, url=STORE))
    assert transport.lines == [f"GET {URL}"] * 2


# --- Ranges -------------------------------------------------------------------------------


def fetch_range(start, length, *steps):
    subject, transport = downloader(*steps)
    return subject.fetch_range(BLOB, start, length).read(), transport


def test_range_of_a_blob():
    content, transport = fetch_range(2, 3, part(2, end=4))
    assert content == b"234"
    assert ranges(transport) == ["bytes=2-4"]


def test_a_range_from_a_registry_without_ranges():
    assert fetch_range(2, 3, whole())[0] == b"234"


def test_a_range_is_resumed():
    content, transport = fetch_range(2, 5, part(2, b"23", end=6, breaks=True), part(4, end=6))
    assert content == b"23456"
    assert ranges(transport) == ["bytes=2-6", "bytes=4-6"]


def test_a_range_of_the_whole_blob_is_a_plain_get():
    assert fetch_range(0, 10, whole())[0] == CONTENT


def test_an_empty_range_needs_no_request():
    assert fetch_range(10, 0)[0] == b""


@pytest.mark.parametrize(("start", "length"), [(-1, 2), (0, 11), (10, 1), (3, -1)])
def test_a_range_that_exceeds_the_blob_is_refused(start, length):
    with pytest.raises(InvalidInputError):
        fetch_range(start, length)


# --- Existence ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([Answer(200)], True),
        ([Answer(404)], False),
        ([Answer(405), Answer(206, {}, b"0")], True),  # R23
        ([Answer(403, url=STORE), Answer(206, {}, b"0", url=STORE)], True),
        ([Answer(405), Answer(200, {}, CONTENT)], True),
        ([Answer(405), Answer(416)], True),
        ([Answer(405), Answer(404)], False),
        ([Answer(401), Answer(206, {}, b"0")], True),
        ([Answer(406), Answer(206, {}, b"0")], True),
        ([Answer(500), Answer(206, {}, b"0")], True),
        ([Answer(403), Answer(403)], False),  # R8
    ],
)
def test_existence_is_checked_by_head(steps, expected):
    subject, transport = downloader(*steps)
    assert subject.exists(BLOB.digest) is expected
    assert [sent.method for sent in transport.requests] == ["HEAD", "GET"][: len(steps)]


@pytest.mark.parametrize("status", [401, 429, 500])
def test_other_statuses_to_an_existence_check_are_errors(status):
    subject, _ = downloader(Answer(status), Answer(status))
    with pytest.raises(RegistryError):
        subject.exists(BLOB.digest)


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        (Answer(206, {"Content-Range": "bytes 0-0/10"}, b"0"), 10),
        (Answer(200, {"Content-Length": "10"}, CONTENT), 10),
        (Answer(416, {"Content-Range": "bytes */0"}), 0),
    ],
)
def test_r23_the_size_of_a_blob_comes_from_a_get(answer, size):
    subject, transport = downloader(answer)
    assert subject.describe(BLOB.digest).size == size
    assert transport.requests[0].headers["Range"] == "bytes=0-0"


@pytest.mark.parametrize(
    "answer", [Answer(200), Answer(206), Answer(206, {"Content-Range": "bytes 0-0/*"})]
)
def test_a_blob_without_a_size_is_an_error(answer):
    subject, _ = downloader(answer)
    with pytest.raises(UnsupportedError):
        subject.describe(BLOB.digest)
