from __future__ import annotations

import io
import shutil

import pytest

import oras.client
from oras._client.response import Response
from oras_adapters.registry_server import RegistryServer
from oras_core.errors import RegistryError
from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.testing import EmbeddedRegistry


class Body(io.BytesIO):
    """Counts the reads."""

    def __init__(self, content):
        super().__init__(content)
        self.reads = 0

    def read(self, size=-1, /):
        self.reads += 1
        return super().read(size)


def respond(status=200, content=b"", headers=None, reason="", url="http://h.io/v2/"):
    body = Body(content)
    request = HttpRequest("GET", "http://h.io/v2/asked")
    answer = HttpResponse(status, headers or {}, body=body, reason=reason, url=url)
    return Response(answer, request), body


def test_response_has_the_attributes_of_requests():
    response, _ = respond(201, b'{"a": [1]}', {"Docker-Content-Digest": "sha256:x"})
    assert response.status_code == 201
    assert response.headers["docker-content-digest"] == "sha256:x"
    assert response.headers.get("Location") is None
    assert response.content == b'{"a": [1]}'
    assert response.text == '{"a": [1]}'
    assert response.json() == {"a": [1]}
    assert response.url == "http://h.io/v2/"
    assert repr(response) == "<Response [201]>"


def test_reason_is_the_server_s_or_the_standard_phrase():
    assert respond(404)[0].reason == "Not Found"
    assert respond(404, reason="No Such Thing")[0].reason == "No Such Thing"
    assert respond(799)[0].reason == ""


def test_url_is_the_requested_one_if_the_transport_reports_none():
    assert respond(url="")[0].url == "http://h.io/v2/asked"


def test_body_is_read_once_on_demand():
    response, body = respond(content=b"x" * 10)
    assert body.reads == 0
    assert response.content == response.content
    assert body.closed
    assert response.text == "x" * 10


def test_iter_content_streams_and_closes_the_response():
    response, body = respond(content=b"abcdefg")
    pieces = response.iter_content(3)
    assert next(pieces) == b"abc"
    assert body.reads == 1
    assert list(pieces) == [b"def", b"g"]
    assert body.closed


def test_iter_content_works_after_content():
    response, _ = respond(content=b"abcdefg")
    assert response.content == b"abcdefg"
    assert list(response.iter_content(5)) == [b"abcde", b"fg"]
    assert list(response.iter_content(5)) == [b"abcde", b"fg"]


def test_leaving_the_with_block_closes_an_unread_response():
    response, body = respond(content=b"abc")
    with response as inside:
        assert inside is response
    assert body.closed


def test_text_replaces_invalid_utf_8():
    assert respond(content=b"a\xff")[0].text == "a\ufffd"


def test_json_of_an_invalid_body_is_a_value_error():
    with pytest.raises(ValueError, match="Expecting value"):
        respond(content=b"<html>")[0].json()


@pytest.mark.parametrize(("status", "good"), [(200, True), (399, True), (400, False), (503, False)])
def test_response_is_true_below_400(status, good):
    response, _ = respond(status)
    assert (response.ok, bool(response)) == (good, good)
    if good:
        response.raise_for_status()
    else:
        with pytest.raises(RegistryError) as caught:
            response.raise_for_status()
        assert isinstance(caught.value, ValueError)


def test_response_of_makes_a_response_without_a_request():
    response = Response.of(200, content=b"x")
    assert (response.status_code, response.reason, response.content) == (200, "OK", b"x")
    assert response.request.method == "GET"


# --- The rest of the interface of requests ------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 512])
def test_iter_lines_yields_lines_without_line_ends(size):
    response, _ = respond(content=b"one\r\ntwo\n\nfour")
    assert list(response.iter_lines(size)) == [b"one", b"two", b"", b"four"]
    assert list(respond(content=b"a\xc3\xa4\n")[0].iter_lines(size, True)) == ["aä"]
    assert list(respond(content=b"a||b")[0].iter_lines(size, delimiter=b"|")) == [b"a", b"", b"b"]
    assert list(respond()[0].iter_lines(size)) == []


def test_iteration_yields_the_body():
    response, _ = respond(content=b"x" * 300)
    assert b"".join(response) == b"x" * 300


def test_iter_content_yields_text_with_decode_unicode():
    response, _ = respond(content="äöü".encode())
    assert "".join(response.iter_content(1, decode_unicode=True)) == "äöü"


def test_raw_is_a_file_over_the_unread_body():
    response, body = respond(content=b"x" * 10, headers={"A": "b"})
    assert response.raw.read(4) == b"xxxx"
    assert response.raw.read(1, decode_content=True) == b"x"
    assert next(response.raw.stream(2)) == b"xx"
    target = io.BytesIO()
    shutil.copyfileobj(response.raw, target)
    assert target.getvalue() == b"xxx"
    assert (response.raw.status, response.raw.headers["a"]) == (200, "b")
    response.raw.close()
    assert body.closed


def test_raw_can_be_buffered():
    response, _ = respond(content=b"line one\nline two\n")
    assert io.BufferedReader(response.raw).readline() == b"line one\n"


@pytest.mark.parametrize(
    ("content_type", "encoding", "text"),
    [
        ("text/plain; charset=ISO-8859-1", "iso8859-1", "Ã¤"),
        ('text/plain; charset="utf-8"', "utf-8", "ä"),
        ("application/json", None, "ä"),
        ("text/plain; charset=no-such", None, "ä"),
    ],
)
def test_content_type_sets_the_encoding(content_type, encoding, text):
    response, _ = respond(content="ä".encode(), headers={"Content-Type": content_type})
    assert response.encoding == encoding
    assert response.text == text
    assert response.apparent_encoding == "utf-8"


def test_encoding_can_be_assigned():
    response, _ = respond(content="ä".encode())
    response.encoding = "latin-1"
    assert response.text == "Ã¤"


def test_links_are_parsed():
    response, _ = respond(headers={"Link": '</v2/a?n=1&last=x>; rel="next", <b>; title="a, b"'})
    assert response.links == {
        "next": {"url": "/v2/a?n=1&last=x", "rel": "next"},
        "b": {"url": "b", "title": "a, b"},
    }
    assert respond()[0].links == {}


def test_redirects_and_cookies_are_not_kept():
    response, _ = respond(307, headers={"Location": "/x", "Set-Cookie": "a=b"})
    assert response.is_redirect
    assert response.history == []
    assert dict(response.cookies) == {}


def test_json_takes_the_options_of_the_json_module():
    assert respond(content=b"1.5")[0].json(parse_float=str) == "1.5"


def test_request_and_elapsed_time_are_set():
    with RegistryServer(EmbeddedRegistry()) as server:
        response = oras.client.OrasClient().do_request(f"{server.url}/v2/")
        assert response.request.method == "GET"
        assert response.url == response.request.url == f"{server.url}/v2/"
        assert 0 < response.elapsed.total_seconds() < 60
