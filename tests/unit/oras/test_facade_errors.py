"""What a registry refuses is what oras-py's callers catch, and says more."""

from __future__ import annotations

import json
import logging
import pickle
import sys
import traceback

import pytest
from requests import exceptions

import oras.errors
import oras.provider
from oras._client.failures import reporting
from oras._client.response import Response
from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    NotFoundError,
    RateLimitedError,
    RegistryError,
    RegistryNotFoundError,
    TlsError,
    TransportError,
    TransportTimeoutError,
    UnsafeRedirectError,
)
from oras_core.ports.http import HttpResponse
from support.opaque import Opaque

URL = "https://h.io/v2/a/manifests/v1"
ERRORS = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}


def respond(status, document=None, headers=None, url=URL):
    body = b"" if document is None else json.dumps(document).encode()
    return Response.of(status, headers or {}, body, url=url)


@pytest.fixture
def client():
    return oras.provider.Registry(insecure=True)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RegistryError),
        (401, AuthenticationError),
        (403, AccessDeniedError),
        (404, RegistryNotFoundError),
        (429, RateLimitedError),
        (500, RegistryError),
        (204, RegistryError),
    ],
)
def test_each_error_status_raises_its_class_and_value_error(client, status, kind):
    with pytest.raises(kind) as caught:
        client._check_200_response(respond(status, ERRORS))
    assert isinstance(caught.value, ValueError)
    assert caught.value.status == status


@pytest.mark.parametrize("status", [200, 201, 202])
def test_success_statuses_pass(client, status):
    client._check_200_response(respond(status))


def test_message_extends_oras_py_s_message(client):
    with pytest.raises(ValueError, match=r"^Issue with ") as caught:
        client._check_200_response(respond(404, ERRORS))
    message = str(caught.value)
    assert message.startswith(f"Issue with {URL}: Not Found")
    assert "MANIFEST_UNKNOWN" in message
    assert "manifest unknown" in message


def test_missing_artifact_raises_not_found_error():
    error = respond(404, ERRORS).error()
    assert isinstance(error, NotFoundError)
    assert isinstance(error, LookupError)
    assert error.codes == ("MANIFEST_UNKNOWN",)


def test_message_omits_the_query():
    error = respond(403, url="https://h.io/blob?X-Signature=secret").error()
    assert "secret" not in str(error) + repr(error)


def test_translated_error_keeps_its_attributes():
    error = respond(429, None, {"Retry-After": "7"}).error()
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 7.0


def test_translated_error_keeps_its_cause_and_traceback():
    cause = KeyError("x")
    refusal = RegistryError("push x", status=507, method="PUT", url=URL, detail="disk full")
    with pytest.raises(ValueError, match="disk full") as caught, reporting():
        raise refusal from cause
    assert caught.value.__cause__ is cause
    assert caught.value.status == 507
    assert "raise refusal" in str(caught.traceback[-1].statement)


def test_other_errors_are_not_translated():
    error = NotFoundError("tag v1", "a layout")
    with pytest.raises(NotFoundError) as caught, reporting():
        raise error
    assert caught.value is error


def test_error_is_translated_once():
    with pytest.raises(ValueError, match="Issue") as caught, reporting(), reporting():
        raise RegistryError("push x", status=507, method="PUT", url=URL)
    assert str(caught.value).count("Issue with") == 1


def test_registry_messages_are_logged(client, caplog):
    errors = {"errors": [{"message": "first"}, {"message": "second"}, {"code": "NONE"}]}
    with caplog.at_level(logging.ERROR, "oras"), pytest.raises(ValueError, match="Issue"):
        client._check_200_response(respond(400, errors))
    assert [record.getMessage() for record in caplog.records] == ["first", "second"]


@pytest.mark.parametrize("document", [None, [], "x", {"errors": None}, {"errors": "x"}, {"a": 1}])
def test_response_without_messages_logs_nothing(client, caplog, document):
    client._parse_response_errors(respond(400, document))
    assert caplog.records == []


def test_responses_of_other_libraries_are_checked(client):
    client._check_200_response(Opaque(status_code=202))
    bad = Opaque(status_code=500, url=URL, reason="Broken", json=dict)
    with pytest.raises(ValueError, match=f"^Issue with {URL}: Broken$"):
        client._check_200_response(bad)


# --- Public names -------------------------------------------------------------------------


@pytest.fixture
def without_requests(monkeypatch):
    """Let the program be one that has not imported `requests`."""
    monkeypatch.delitem(sys.modules, "requests.exceptions", raising=False)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
@pytest.mark.parametrize("imported", [True, False], ids=["requests", "alone"])
def test_traceback_shows_a_public_class_name(client, monkeypatch, status, imported):
    if not imported:
        monkeypatch.delitem(sys.modules, "requests.exceptions", raising=False)
    with pytest.raises(ValueError, match="Issue") as caught:
        client._check_200_response(respond(status))
    shown = "".join(traceback.format_exception_only(caught.value)).partition(":")[0]
    module, _, name = shown.rpartition(".")
    assert module == "oras.errors"
    assert isinstance(caught.value, getattr(oras.errors, name))
    assert name in oras.errors.__all__


def test_every_public_error_is_documented():
    documented = oras.errors.__doc__ or ""
    for name in oras.errors.__all__:
        assert f"`{name}`" in documented


# --- The exceptions of requests -----------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (TransportError("GET", URL, "refused"), (exceptions.ConnectionError,)),
        (TlsError("GET", URL, "unknown CA"), (exceptions.SSLError, exceptions.ConnectionError)),
        (
            TransportTimeoutError("GET", URL, "after 60 s"),
            (exceptions.Timeout, exceptions.ConnectionError, TimeoutError),
        ),
        (
            RegistryNotFoundError("get x", status=404, method="GET", url=URL),
            (exceptions.HTTPError, ValueError, LookupError),
        ),
        (RegistryError("get x", status=500, method="GET", url=URL), (exceptions.HTTPError,)),
        (UnsafeRedirectError(URL, "http://evil", "no"), (exceptions.RequestException,)),
    ],
    ids=lambda part: type(part).__name__ if isinstance(part, Exception) else "",
)
def test_exceptions_of_requests_catch_our_errors_if_requests_is_imported(error, kinds):
    with pytest.raises(exceptions.RequestException) as caught, reporting():
        raise error
    for kind in (type(error), *kinds):
        assert isinstance(caught.value, kind)
    assert str(error) in str(caught.value)
    assert vars(error).items() <= vars(caught.value).items()


def test_http_error_has_response_and_request():
    error = RegistryNotFoundError(
        "get x", status=404, method="GET", url=URL, codes=["MANIFEST_UNKNOWN"], detail="gone"
    )
    with pytest.raises(exceptions.HTTPError) as caught, reporting():
        raise error
    assert caught.value.response.status_code == 404
    assert caught.value.response.url == URL
    assert caught.value.response.json() == {
        "errors": [{"code": "MANIFEST_UNKNOWN", "message": "gone"}]
    }
    assert caught.value.request.method == "GET"


def test_http_error_keeps_a_response_already_read():
    answer = respond(503, ERRORS)
    with pytest.raises(exceptions.HTTPError) as caught:
        answer.raise_for_status()
    assert caught.value.response is answer


def test_connection_lost_within_the_body_is_a_connection_error():
    class Broken:
        def read(self, size=-1, /):
            raise TransportError("GET", URL, "reset")

        def close(self):
            pass

    answer = Response(HttpResponse(200, body=Broken()))
    with pytest.raises(exceptions.ConnectionError, match="reset"):
        next(answer.iter_content())


@pytest.mark.parametrize("imported", [True, False], ids=["requests", "alone"])
def test_translated_error_can_be_pickled(monkeypatch, imported):
    if not imported:
        monkeypatch.delitem(sys.modules, "requests.exceptions", raising=False)
    with pytest.raises(ValueError, match="Issue") as caught, reporting():
        raise RegistryNotFoundError("get x", status=404, method="GET", url=URL)
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is type(caught.value)
    assert (str(again), again.status) == (str(caught.value), 404)


def test_errors_are_not_translated_without_requests(without_requests):
    error = TransportError("GET", URL, "refused")
    with pytest.raises(TransportError) as caught, reporting():
        raise error
    assert caught.value is error
