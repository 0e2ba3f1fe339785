"""An error that repeats the credential is kept silent about; all else stays as it is."""

from __future__ import annotations

import io

import pytest

from oras_core.model.limits import MAX_ERROR_BODY
from oras_core.ports.http import HttpResponse
from oras_core.registry.auth.discretion import without_repeated

SECRET = 'open "sesame"'


def seen(body, status=403, secrets=(SECRET,)):
    return without_repeated(HttpResponse(status, body=io.BytesIO(body)), secrets).body


@pytest.mark.parametrize(
    "body",
    [
        b'open "sesame" is wrong',
        b'{"m": "open \\"sesame\\" is wrong"}',
        b'{"errors":[{"code":"DENIED","detail":{"sent":["open \\"sesame\\""]}}]}',
        b"you sent password=open%20%22sesame%22&service=r",
        b"you sent password=open+%22sesame%22&service=r",
    ],
)
def test_error_that_repeats_the_secret_is_replaced(body):
    assert seen(body).read() == b""
    assert seen(body).read(10) == b""


@pytest.mark.parametrize("size", [-1, 1, 7, 1000])
def test_an_error_without_the_secret_is_unchanged(size):
    stream = seen(b"go away")
    assert b"".join(iter(lambda: stream.read(size), b"")) == b"go away"


def test_a_successful_response_is_unchanged():
    assert seen(b'open "sesame"', status=200).read() == b'open "sesame"'


def test_an_empty_secret_is_ignored():
    assert seen(b"go away", secrets=("", "")).read() == b"go away"


def test_a_secret_beyond_the_limit_of_an_error_body_is_not_read():
    body = b"x" * MAX_ERROR_BODY + SECRET.encode()
    assert seen(body).read() == b"x" * MAX_ERROR_BODY


def test_close_closes_the_inner_transport():
    stream = io.BytesIO(b"go away")
    without_repeated(HttpResponse(403, body=stream), (SECRET,)).body.close()
    assert stream.closed
