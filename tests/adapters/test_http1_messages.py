"""HTTP/1.1 messages, byte by byte: what is written, understood and refused (RFC 9112)."""

from __future__ import annotations

import io

import pytest

from oras_adapters.http1_messages import (
    MAX_FIELDS,
    MAX_LINE,
    MessageError,
    encode_head,
    read_head,
)


def head_of(text, method="GET"):
    return read_head(io.BytesIO(text.replace("\n", "\r\n").encode("latin-1")), method)


# --- What is sent -------------------------------------------------------------------------


def test_a_head_is_written_line_by_line():
    fields = [("Host", "example.test"), ("Accept", "a, b"), ("X-Empty", "")]
    assert encode_head("GET", "/v2/?n=1", fields) == (
        b"GET /v2/?n=1 HTTP/1.1\r\nHost: example.test\r\nAccept: a, b\r\nX-Empty: \r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "target", "name", "value"),
    [
        ("GET /", "/", "Host", "x"),
        ("GET\r\n", "/", "Host", "x"),
        ("", "/", "Host", "x"),
        ("GET", "", "Host", "x"),
        ("GET", "/a b", "Host", "x"),
        ("GET", "/a\r\nX:y", "Host", "x"),
        ("GET", "/\u00e4", "Host", "x"),
        ("GET", "/", "Ho st", "x"),
        ("GET", "/", "", "x"),
        ("GET", "/", "Host:", "x"),
        ("GET", "/", "Host", "x\r\nY: z"),
        ("GET", "/", "Host", "x\nY: z"),
        ("GET", "/", "Host", "x\0"),
        ("GET", "/", "Host", "\u20ac"),
    ],
)
def test_what_would_break_a_head_is_refused(method, target, name, value):
    with pytest.raises(ValueError):  # noqa: PT011 - UnicodeEncodeError is one too
        encode_head(method, target, [(name, value)])


# --- What comes back ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "method", "length", "is_chunked", "is_last"),
    [
        ("HTTP/1.1 200 OK\nContent-Length: 5\n\n", "GET", 5, False, False),
        ("HTTP/1.1 200 OK\nContent-Length: 5\n\n", "HEAD", 0, False, False),
        ("HTTP/1.1 204 None\nContent-Length: 5\n\n", "DELETE", 0, False, False),
        ("HTTP/1.1 304 None\n\n", "GET", 0, False, False),
        ("HTTP/1.1 200 OK\n\n", "GET", None, False, True),
        ("HTTP/1.1 200\n\n", "GET", None, False, True),
        ("HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 5\n\n", "GET", 5, False, False),
        ("HTTP/1.1 200 OK\nContent-Length: 5, 5\n\n", "GET", 5, False, False),
        ("HTTP/1.1 200 OK\nContent-Length: 5\nConnection: Close\n\n", "GET", 5, False, True),
        ("HTTP/1.0 200 OK\nContent-Length: 5\n\n", "GET", 5, False, True),
        ("HTTP/1.0 200 OK\nContent-Length: 5\nConnection: keep-alive\n\n", "GET", 5, False, False),
        ("HTTP/1.1 200 OK\nTransfer-Encoding: Chunked\n\n", "GET", None, True, False),
        ("HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n\n", "GET", None, True, False),
        ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked, gzip\n\n", "GET", None, False, True),
        (
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Length: 5\n\n",
            "GET",
            None,
            True,
            True,
        ),
    ],
)
def test_where_a_body_ends(text, method, length, is_chunked, is_last):
    head = head_of(text, method)
    assert (head.length, head.is_chunked, head.is_last) == (length, is_chunked, is_last)


def test_fields_keep_order_case_and_inner_blanks():
    head = head_of("HTTP/1.1 401 Who  are you\nX-One:  a  b \t\nx-one:\nX-Two: :\n\n")
    assert head.reason == "Who  are you"
    assert head.fields == [("X-One", "a  b"), ("x-one", ""), ("X-Two", ":")]


def test_a_value_may_go_on_in_the_next_line():
    assert head_of("HTTP/1.1 200 OK\nX: a\n  b\n\n").fields == [("X", "a b")]


def test_lines_may_end_without_carriage_return():
    head = read_head(io.BytesIO(b"HTTP/1.1 200 OK\nX: a\n\nrest"), "GET")
    assert head.fields == [("X", "a")]


def test_informational_answers_are_passed_over():
    text = "HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nLink: x\n\nHTTP/1.1 201 Made\n\n"
    head = head_of(text)
    assert (head.status, head.fields) == (201, [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "HTTP/2 200 OK\n\n",
        "HTTP/1.1 20 OK\n\n",
        "HTTP/1.1 999 OK\n\n",
        "HTTP/1.1  200 OK\n\n",
        "http/1.1 200 OK\n\n",
        "HTTP/1.1 101 Switching Protocols\n\n",
        "HTTP/1.1 200 OK\nX: a\n",
        "HTTP/1.1 200 OK\nX: a",
        "HTTP/1.1 200 OK\nX : a\n\n",
        "HTTP/1.1 200 OK\n: a\n\n",
        "HTTP/1.1 200 OK\nX: a\0b\n\n",
        "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6\n\n",
        "HTTP/1.1 200 OK\nContent-Length: -5\n\n",
        "HTTP/1.1 200 OK\nContent-Length: +5\n\n",
        "HTTP/1.1 200 OK\nContent-Length: 0x5\n\n",
        "HTTP/1.1 200 OK\nContent-Length: \u00b2\n\n",
        "HTTP/1.1 200 OK\nContent-Length:\n\n",
        f"HTTP/1.1 200 OK\nContent-Length: {'9' * 20}\n\n",
        f"HTTP/1.1 200 OK\nX: {'a' * MAX_LINE}\n\n",
        "HTTP/1.1 200 OK\n" + "X: a\n" * (MAX_FIELDS + 1) + "\n",
    ],
)
def test_what_is_no_answer_is_refused(text):
    with pytest.raises(MessageError):
        head_of(text)
