from __future__ import annotations

import io
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.content.sources import BytesSource
from oras_core.ports.credentials import Credential
from oras_core.ports.http import Headers, HttpRequest, HttpResponse

PRESIGNED = "https://me:s3cret@bucket.example/blob?X-Amz-Signature=s3cret"


# --- Headers ------------------------------------------------------------------------------


def test_fields_are_found_in_any_case():
    headers = Headers({"Content-Type": "text/plain"})
    assert headers["content-type"] == headers["CONTENT-TYPE"] == "text/plain"
    assert "cOnTeNt-TyPe" in headers
    assert headers.get("Accept") is None
    with pytest.raises(KeyError):
        headers["Accept"]


def test_get_and_items_ignore_and_keep_the_case_of_names():
    headers = Headers({"X-Team": "dinosaurs", "Accept": "text/plain"})
    assert headers.get("x-TEAM") == "dinosaurs"
    assert headers.get("absent") is None
    assert headers.get("absent", "") == ""
    assert list(headers.items()) == [("X-Team", "dinosaurs"), ("Accept", "text/plain")]


def test_defaults_complete_headers_and_replace_none():
    headers = Headers({"Accept": "text/plain"})
    completed = headers.with_defaults(Headers({"accept": "*/*", "User-Agent": "test"}))
    assert list(completed.items()) == [("Accept", "text/plain"), ("User-Agent", "test")]
    assert list(headers) == ["Accept"]


def test_names_keep_their_spelling_and_order():
    headers = Headers([("B", "1"), ("a-B", "2")])
    assert list(headers) == ["B", "a-B"]
    assert dict(headers) == {"B": "1", "a-B": "2"}
    assert len(headers) == 2


def test_fields_that_came_twice_are_joined():
    headers = Headers([("Link", "<a>"), ("X", ""), ("link", "<b>"), ("X", "1"), ("LINK", "<c>")])
    assert headers["Link"] == "<a>, <b>, <c>"
    assert headers["x"] == ", 1"
    assert list(headers) == ["Link", "X"]


def test_headers_are_never_changed():
    fields = {"A": "1"}
    headers = Headers(fields)
    fields["A"] = "2"
    more = headers.with_fields({"a": "3", "B": "4"})
    assert dict(headers) == {"A": "1"}
    assert dict(more) == {"a": "3", "B": "4"}
    assert dict(more.without("b", "C")) == {"a": "3"}
    assert more["b"] == "4"
    with pytest.raises(TypeError):
        headers["A"] = "2"


@given(st.lists(st.tuples(st.sampled_from(["A", "a", "B-c", "b-C"]), st.text("xy", max_size=2))))
def test_headers_are_a_mapping_of_distinct_names(pairs):
    headers = Headers(pairs)
    names = [name.lower() for name in headers]
    assert len(set(names)) == len(names) == len(headers)
    for name in names:
        values = [value for key, value in pairs if key.lower() == name]
        assert headers[name] == ", ".join(values)
    assert dict(Headers(headers)) == dict(headers)
    assert dict(pickle.loads(pickle.dumps(headers))) == dict(headers)


@pytest.mark.parametrize(
    "name", ["Authorization", "authorization", "Proxy-Authorization", "COOKIE", "Set-Cookie"]
)
def test_headers_show_no_secret(name):
    headers = Headers({name: "Bearer s3cret", "Accept": "x"})
    assert headers[name] == "Bearer s3cret"
    assert repr(headers) == f"Headers({{{name!r}: '<hidden>', 'Accept': 'x'}})"


@pytest.mark.parametrize("name", ["Location", "location", "Content-Location"])
def test_repr_hides_presigned_urls_r32(name):
    headers = Headers({name: PRESIGNED})
    assert headers[name] == PRESIGNED
    assert repr(headers) == f"Headers({{{name!r}: 'https://bucket.example/blob'}})"


# --- Requests -----------------------------------------------------------------------------


def test_request_accepts_any_mapping_of_headers():
    request = HttpRequest("GET", "https://r.io/v2/", {"Accept": "a"})
    assert isinstance(request.headers, Headers)
    assert HttpRequest("GET", "https://r.io/v2/").headers == {}
    assert HttpRequest("GET", "https://r.io/v2/", [("A", "1"), ("A", "2")]).headers["a"] == "1, 2"


def test_headers_are_set_on_a_copy():
    request = HttpRequest("GET", "https://r.io/", {"a": "1"})
    other = request.with_headers({"A": "2", "Authorization": "s3cret"})
    assert dict(other.headers) == {"A": "2", "Authorization": "s3cret"}
    assert dict(request.headers) == {"a": "1"}
    assert (other.method, other.url) == (request.method, request.url)


def test_a_request_shows_no_secret():
    request = HttpRequest(
        "PUT", PRESIGNED, {"Authorization": "Basic s3cret"}, BytesSource(b"s3cret")
    )
    for shown in (repr(request), str(request), f"{request}"):
        assert "s3cret" not in shown
        assert "https://bucket.example/blob" in shown
    assert request.url == PRESIGNED


# --- Responses ----------------------------------------------------------------------------


def test_leaving_a_response_closes_its_body():
    body = io.BytesIO(b"x")
    with HttpResponse(200, body=body) as response:
        assert response.body.read() == b"x"
        assert not body.closed
    assert body.closed
    response.close()


def test_exception_closes_the_body_and_is_raised():
    body = io.BytesIO(b"x")
    with pytest.raises(KeyError), HttpResponse(200, body=body):
        raise KeyError
    assert body.closed


def test_a_response_shows_no_secret():
    response = HttpResponse(
        307,
        {"Location": PRESIGNED, "Set-Cookie": "sid=s3cret"},
        body=io.BytesIO(b"s3cret"),
        url=PRESIGNED,
    )
    assert "s3cret" not in repr(response)
    assert "status=307" in repr(response)


# --- Credentials --------------------------------------------------------------------------


def test_a_credential_shows_no_secret():
    credential = Credential("me", "s3cret", "s3cret", "s3cret")
    assert "s3cret" not in repr(credential)
    assert "username='me'" in repr(credential)
    with pytest.raises(ValueError, match="me") as caught:
        raise ValueError(credential)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("credential", "is_empty", "has_basic"),
    [
        (Credential(), True, False),
        (Credential("me"), False, False),
        (Credential("", "pw"), False, False),
        (Credential("me", "pw"), False, True),
        (Credential(identity_token="t"), False, False),
        (Credential(registry_token="t"), False, False),
    ],
)
def test_credential_knows_whether_it_is_empty_or_basic(credential, is_empty, has_basic):
    assert credential.is_empty is is_empty
    assert credential.has_basic is has_basic
