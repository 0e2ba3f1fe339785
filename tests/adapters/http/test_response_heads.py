"""Heads of responses: what both parsers read, and what they refuse."""

from __future__ import annotations

import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oras_adapters.http.heads import (
    MAX_FIELDS,
    MalformedHeadError,
    ResponseHead,
    parse_by_library,
    parser,
)

PARSERS = [parse_by_library, parser()]


@pytest.fixture(params=PARSERS, ids=["by library", "fastest"])
def parse(request):
    return request.param


def head(*lines, end=b"\r\n"):
    return end.join([*lines, b"", b""])


def test_c_parser_is_used_if_installed():
    assert parser() is not parse_by_library


def test_standard_library_parser_is_the_fallback(monkeypatch):
    monkeypatch.setitem(sys.modules, "httptools", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert parser() is parse_by_library


@pytest.mark.parametrize("version", ["0.1.1", "0.5.0"])
def test_an_old_c_parser_is_not_used(monkeypatch, version):
    """Distributions package releases that accept malformed heads."""
    monkeypatch.setattr("httptools.__version__", version)
    assert parser() is parse_by_library


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (head(b"HTTP/1.1 200 OK"), ResponseHead(200, "OK", True, [])),
        (head(b"HTTP/1.0 404 Not Found"), ResponseHead(404, "Not Found", False, [])),
        (head(b"HTTP/1.1 204 "), ResponseHead(204, "", True, [])),
        (head(b"HTTP/1.1 204"), ResponseHead(204, "", True, [])),
        (head(b"HTTP/1.1 103 Early Hints"), ResponseHead(103, "Early Hints", True, [])),
        (
            head(b"HTTP/1.1 401 No", b"A: 1", b"a:  2 ", b"Empty:", b"B: x:y"),
            ResponseHead(401, "No", True, [("A", "1"), ("a", "2"), ("Empty", ""), ("B", "x:y")]),
        ),
        (
            head(b"HTTP/1.1 200 OK", b"Folded: one", b"  two", b"\tthree"),
            ResponseHead(200, "OK", True, [("Folded", "one two three")]),
        ),
        (head(b"HTTP/1.1 200 OK", b"A: 1", end=b"\n"), ResponseHead(200, "OK", True, [("A", "1")])),
        (head(b"HTTP/1.1 200 \xe4h"), ResponseHead(200, "\xe4h", True, [])),
        (head(b"HTTP/1.1 200 \x1b[2Jgone"), ResponseHead(200, "[2Jgone", True, [])),
        (
            head(b"HTTP/1.1 200 OK", b"Content-Length: 3", b"Content-Length: 3"),
            ResponseHead(200, "OK", True, [("Content-Length", "3")] * 2),
        ),
        (
            head(b"HTTP/1.1 200 OK", b"Connection: upgrade", b"Upgrade: h2c"),
            ResponseHead(200, "OK", True, [("Connection", "upgrade"), ("Upgrade", "h2c")]),
        ),
    ],
)
def test_valid_heads_are_parsed(parse, block, expected):
    assert parse(block) == expected


@pytest.mark.parametrize(
    "block",
    [
        b"\r\n",
        head(b"SSH-2.0-OpenSSH"),
        head(b"HTTP/2 200 OK"),
        head(b"HTTP/2.0 200 OK"),
        head(b"HTTP/1.1 20 OK"),
        head(b"HTTP/1.1 2000 OK"),
        head(b"HTTP/1.1  200 OK"),
        head(b"HTTP/1.1 200 OK", b"no colon here"),
        head(b"HTTP/1.1 200 OK", b": no name"),
        head(b"HTTP/1.1 200 OK", b"Space : before the colon"),
        head(b"HTTP/1.1 200 OK", b"A: nul \0"),
        head(b"HTTP/1.1 200 OK", b"A: escape \x1b[2J"),
        head(b"HTTP/1.1 200 OK", b"A: a bare\rCR: x"),
        head(b"HTTP/1.1 200 OK", *[b"A: 1"] * (MAX_FIELDS + 1)),
    ],
)
def test_invalid_heads_are_refused(parse, block):
    with pytest.raises(MalformedHeadError):
        parse(block)


TEXT = st.binary(max_size=12) | st.sampled_from([b"", b" ", b"\t", b"chunked", b"3", b"a, b"])
NAMES = st.sampled_from(
    [b"Content-Length", b"Transfer-Encoding", b"Connection", b"X-Any"]
) | st.binary(max_size=6)


def outcome(parse, block):
    try:
        return parse(block)
    except MalformedHeadError:
        return None


@given(
    version=st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2"]),
    status=st.sampled_from([b"200", b"204", b"100", b"101", b"304", b"999", b"099", b"2"]),
    reason=TEXT,
    fields=st.lists(st.tuples(NAMES, TEXT), max_size=4),
)
@example(b"HTTP/1.1", b"200", b"OK", [(b"Content-Length", b"+3")])
def test_both_parsers_agree(version, status, reason, fields):
    lines = [b" ".join([version, status, reason]), *(b": ".join(field) for field in fields)]
    block = head(*lines)
    block = block[: block.index(b"\r\n\r\n") + 4]  # as the receiver splits heads off
    one, other = (outcome(parse, block) for parse in PARSERS)
    assert one == other
