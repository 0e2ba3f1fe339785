from __future__ import annotations

import json

import pytest

from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    ContentError,
    NotFoundError,
    RateLimitedError,
    RegistryError,
    SizeLimitError,
    SizeMismatchError,
    TransportError,
)
from oras_core.model.limits import MAX_ERROR_BODY
from oras_core.ports.http import Headers, HttpRequest, HttpResponse
from oras_core.registry.responses import (
    MAX_BODY_ATTEMPTS,
    exchange,
    exchange_body,
    parse_json,
    read_bounded,
)
from oras_core.registry.transports.fields import RateLimit, rate_limit, warnings
from support.scripted_transport import Answer, ScriptedTransport

URL = "https://reg.example.org/v2/app/manifests/v1"
REQUEST = HttpRequest("GET", URL + "?sig=secret")


def failure(answer, **options):
    with pytest.raises(RegistryError) as caught:
        exchange(ScriptedTransport(answer), REQUEST, "pull app:v1", **options)
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AuthenticationError),
        (403, AccessDeniedError),
        (404, NotFoundError),
        (429, RateLimitedError),
        (400, RegistryError),
        (500, RegistryError),
        (204, RegistryError),
        (307, RegistryError),
    ],
)
def test_each_status_raises_its_error_class(status, kind):
    error = failure(Answer(status))
    assert isinstance(error, kind)
    assert (error.status, error.method, error.url) == (status, "GET", URL)
    assert str(error).startswith(f"cannot pull app:v1: GET {URL} was answered with status {status}")


@pytest.mark.parametrize(
    ("body", "codes", "detail"),
    [
        (
            b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such tag","detail":{"a":1}}]}',
            ("MANIFEST_UNKNOWN",),
            'no such tag; {"a": 1}',
        ),
        (
            b'{"errors":[{"code":"DENIED","message":"quota","detail":"10 GiB are used"}]}',
            ("DENIED",),
            "quota; 10 GiB are used",
        ),
        (
            b'{"errors":[{"code":"UNAUTHORIZED","detail":[{"Type":"repository","Action":"push"}]}]}',
            ("UNAUTHORIZED",),
            '[{"Type": "repository", "Action": "push"}]',
        ),
        (b'{"errors":[{"code":"A","message":"same","detail":"same"}]}', ("A",), "same"),
        (b'{"errors":[{"code":"A","message":"a","detail":null}]}', ("A",), "a"),
        (b'{"errors":[{"code":"A","message":"a","detail":{}}]}', ("A",), "a"),
        (b'{"errors":[{"code":"A","message":"a","detail":7}]}', ("A",), "a"),
        (b'{"error":"invalid_grant","error_description":"the token has expired"}', (),
         "invalid_grant; the token has expired"),
        (b'{"details":"incorrect username or password"}', (), "incorrect username or password"),
        (
            b'{"errors":[{"code":"DENIED","message":"a"},{"code":"UNAUTHORIZED","message":"b"}]}',
            ("DENIED", "UNAUTHORIZED"),
            "a; b",
        ),
        (b'{"message":"oh"}', (), "oh"),
        (b'{"error":"oh"}', (), "oh"),
        (b'{"errors":null}', (), ""),
        (b'{"errors":{"code":1}}', (), ""),
        (b'{"errors":[7,"x",{"code":9,"message":[]},{"code":"A B\\n"}]}', (), ""),
        (b"[1,2]", (), ""),
        (b"", (), ""),
        (b"plain words\r\n", (), "plain words"),
        (b"<html><head><title>502 Bad\nGateway</title></head><body>x</body></html>", (),
         "502 Bad Gateway"),
        (b"<Error><Message>expired</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>", (),
         "expired"),
        (b"<html>nothing to say</html>", (), ""),
        (b"\xff\xfe broken", (), "\ufffd\ufffd broken"),
        (b"[" * 100_000, (), "[" * 500 + "…"),
    ],
)  # fmt: skip
def test_r32_error_body_is_parsed(body, codes, detail):
    error = failure(Answer(400, {}, body))
    assert (error.codes, error.detail) == (codes, detail)


@pytest.mark.parametrize(
    "message",
    [
        "bad token: Bearer abcdefgh.ijkl-mnop_qrst",
        "Authorization: Basic dXNlcjpwYXNzd29yZA==",
        "see https://user:hunter2@cdn.example.org/x?X-Amz-Signature=deadbeef00",
    ],
)
def test_secret_repeated_in_a_body_is_removed(message):
    body = json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode()
    error = failure(Answer(403, {}, body))
    for secret in ("abcdefgh", "dXNlcjpw", "hunter2", "deadbeef00"):
        assert secret not in str(error) + repr(error.__dict__)


def test_a_long_detail_is_cut():
    body = json.dumps({"errors": [{"code": "A", "detail": ["x" * 5000]}]}).encode()
    assert len(failure(Answer(400, {}, body)).detail) <= 501


def test_control_characters_of_a_body_are_escaped():
    error = failure(Answer(400, {}, "a\x1b[31mred\x07\u202eb\x9bc\nd".encode()))
    assert error.detail == "a [31mred b c d"


def test_an_error_body_is_read_up_to_its_limit_only():
    stream = CountingStream()
    with pytest.raises(RegistryError):
        exchange(Giving(HttpResponse(500, body=stream)), REQUEST, "pull")
    assert (stream.count, stream.closed) == (MAX_ERROR_BODY, True)


class CountingStream:
    """Endless."""

    def __init__(self):
        self.count, self.closed = 0, False

    def read(self, size=-1, /):
        assert size > 0
        self.count += size
        return b"x" * size

    def close(self):
        self.closed = True


class Giving:
    def __init__(self, response):
        self.response = response

    def send(self, request):
        return self.response


def test_a_broken_error_body_leaves_the_status():
    assert failure(Answer(503, {}, b"half", breaks=True)).status == 503


def test_an_unexpected_success_says_what_was_expected():
    assert failure(Answer(202), expected=(201,)).detail == "expected 201"


@pytest.mark.parametrize(("text", "pause"), [("7", 7.0), ("rubbish", None), ("-1", None)])
def test_rate_limit_error_has_retry_after(text, pause):
    assert failure(Answer(429, {"Retry-After": text})).retry_after == pause


def read(answer, limit=10):
    return read_bounded(ScriptedTransport(answer).send(REQUEST), limit, "listing")


def test_a_body_up_to_the_limit_is_read():
    assert read(Answer(200, {}, b"0123456789")) == b"0123456789"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(200, {}, b"0123456789a"), SizeLimitError),
        (Answer(200, {"Content-Length": "11"}, b""), SizeLimitError),
        (Answer(200, {"Content-Length": "5"}, b"012"), SizeMismatchError),
    ],
)
def test_oversized_or_encoded_body_is_refused(answer, kind):
    with pytest.raises(kind):
        read(answer)


def test_a_listing_with_a_content_encoding_is_refused():
    response = HttpResponse(200, {"Content-Encoding": "gzip"}, body=CountingStream())
    with pytest.raises(ContentError, match="'list' was sent with Content-Encoding 'gzip'"):
        parse_json(REQUEST, response, "list", b"{}")


@pytest.mark.parametrize("body", [b"<html>", b"", b"[1]", b"7", b"{", b"\xff", b"[" * 99_999])
def test_r27_a_listing_is_a_json_object(body):
    response = HttpResponse(200, {"Content-Type": "text/html"}, body=CountingStream())
    with pytest.raises(RegistryError, match="JSON"):
        parse_json(REQUEST, response, "list", body)


def test_truncated_body_is_requested_again():
    broken = Answer(200, {}, b"ha", breaks=True)
    transport = ScriptedTransport(broken, broken, Answer(200, {}, b"half"))
    assert exchange_body(transport, REQUEST, "pull", limit=10)[1] == b"half"
    assert transport.finished


def test_truncated_body_is_requested_a_limited_number_of_times():
    transport = ScriptedTransport(*[Answer(200, {}, b"ha", breaks=True)] * MAX_BODY_ATTEMPTS)
    with pytest.raises(TransportError):
        exchange_body(transport, REQUEST, "pull", limit=10)
    assert transport.finished


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('299 - "old"', ["old"]),
        ('299 - "one", 299 reg.io "two, three"', ["one", "two, three"]),
        ('110 - "stale"', []),
        ('299 - "say \\"hi\\""', ['say "hi"']),
        ('299 - "a\x1b[31mb"', ["a [31mb"]),
        ("299 - unquoted", []),
    ],
)
def test_r35_warnings(value, expected):
    assert warnings(Headers({"Warning": value})) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            {"ratelimit-limit": "100;w=21600", "RateLimit-Remaining": "76;w=21600"},
            RateLimit(100, 76, 21600),
        ),
        ({"ratelimit-remaining": "0"}, RateLimit(None, 0, None)),
        ({"ratelimit-limit": "100"}, None),
        ({"ratelimit-remaining": "many"}, None),
    ],
)
def test_r33_rate_limits(headers, expected):
    assert rate_limit(Headers(headers)) == expected
