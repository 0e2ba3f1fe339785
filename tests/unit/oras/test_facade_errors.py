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
def test_each_status_is_its_error_and_a_value_error(client, status, kind):
    with pytest.raises(kind) as caught:
        client._check_200_response(respond(status, ERRORS))
    assert isinstance(caught.value, ValueError)
    assert caught.value.status == status


@pytest.mark.parametrize("status", [200, 201, 202])
def test_three_statuses_are_good(client, status):
    client._check_200_response(respond(status))


def test_the_message_begins_as_oras_py_s_and_goes_on(client):
    with pytest.raises(ValueError, match=r"^Issue with ") as caught:
        client._check_200_response(respond(404, ERRORS))
    message = str(caught.value)
    assert message.startswith(f"Issue with {URL}: Not Found")
    assert "MANIFEST_UNKNOWN" in message
    assert "manifest unknown" in message


def test_a_missing_artifact_can_be_caught_as_what_it_is():
    error = respond(404, ERRORS).error()
    assert isinstance(error, NotFoundError)
    assert isinstance(error, LookupError)
    assert error.codes == ("MANIFEST_UNKNOWN",)


def test_no_query_gets_into_the_message():
    error = respond(403, url="https://h.io/blob?X-Signature=secret").error()
    assert "secret" not in str(error) + repr(error)


def test_facts_survive_the_change_of_class():
    error = respond(429, None, {"Retry-After": "7"}).error()
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 7.0


def test_a_refusal_keeps_its_cause_and_loses_nothing():
    cause = KeyError("x")
    refusal = RegistryError("push x", status=507, method="PUT", url=URL, detail="disk full")
    with pytest.raises(ValueError, match="disk full") as caught, reporting():
        raise refusal from cause
    assert caught.value.__cause__ is cause
    assert caught.value.status == 507
    assert "raise refusal" in str(caught.traceback[-1].statement)


def test_other_errors_pass_unchanged():
    error = NotFoundError("tag v1", "a layout")
    with pytest.raises(NotFoundError) as caught, reporting():
        raise error
    assert caught.value is error


def test_one_that_is_already_an_issue_is_not_wrapped_again():
    with pytest.raises(ValueError, match="Issue") as caught, reporting(), reporting():
        raise RegistryError("push x", status=507, method="PUT", url=URL)
    assert str(caught.value).count("Issue with") == 1


def test_the_registry_s_messages_are_logged(client, caplog):
    errors = {"errors": [{"message": "first"}, {"message": "second"}, {"code": "NONE"}]}
    with caplog.at_level(logging.ERROR, "oras"), pytest.raises(ValueError, match="Issue"):
        client._check_200_response(respond(400, errors))
    assert [record.getMessage() for record in caplog.records] == ["first", "second"]


@pytest.mark.parametrize("document", [None, [], "x", {"errors": None}, {"errors": "x"}, {"a": 1}])
def test_answers_without_messages_log_nothing(client, caplog, document):
    client._parse_response_errors(respond(400, document))
    assert caplog.records == []


def test_another_library_s_answer_is_judged_by_what_it_has(client):
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
def test_the_traceback_shows_a_public_name(client, monkeypatch, status, imported):
    if not imported:
        monkeypatch.delitem(sys.modules, "requests.exceptions", raising=False)
    with pytest.raises(ValueError, match="Issue") as caught:
        client._check_200_response(respond(status))
    shown = "".join(traceback.format_exception_only(caught.value)).partition(":")[0]
    module, _, name = shown.rpartition(".")
    assert module == "oras.errors"
    assert isinstance(caught.value, getattr(oras.errors, name))
    assert name in oras.errors.__all__


def test_every_public_name_is_documented():
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
def test_where_requests_is_imported_its_exceptions_catch_ours(error, kinds):
    with pytest.raises(exceptions.RequestException) as caught, reporting():
        raise error
    for kind in (type(error), *kinds):
        assert isinstance(caught.value, kind)
    assert str(error) in str(caught.value)
    assert vars(error).items() <= vars(caught.value).items()


def test_an_http_error_has_the_response_and_the_request():
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


def test_an_answer_that_was_read_is_the_response():
    answer = respond(503, ERRORS)
    with pytest.raises(exceptions.HTTPError) as caught:
        answer.raise_for_status()
    assert caught.value.response is answer


def test_a_connection_that_breaks_within_the_body_is_a_connection_error():
    class Broken:
        def read(self, size=-1, /):
            raise TransportError("GET", URL, "reset")

        def close(self):
            pass

    answer = Response(HttpResponse(200, body=Broken()))
    with pytest.raises(exceptions.ConnectionError, match="reset"):
        next(answer.iter_content())


@pytest.mark.parametrize("imported", [True, False], ids=["requests", "alone"])
def test_a_translated_error_can_be_pickled(monkeypatch, imported):
    if not imported:
        monkeypatch.delitem(sys.modules, "requests.exceptions", raising=False)
    with pytest.raises(ValueError, match="Issue") as caught, reporting():
        raise RegistryNotFoundError("get x", status=404, method="GET", url=URL)
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is type(caught.value)
    assert (str(again), again.status) == (str(caught.value), 404)


def test_without_requests_nothing_is_translated_for_it(without_requests):
    error = TransportError("GET", URL, "refused")
    with pytest.raises(TransportError) as caught, reporting():
        raise error
    assert caught.value is error
