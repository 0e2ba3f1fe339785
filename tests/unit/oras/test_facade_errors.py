"""What a registry refuses is what oras-py's callers catch, and says more."""

from __future__ import annotations

import json
import logging

import pytest

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
    TransportError,
)
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


def test_other_errors_pass_as_they_are():
    error = TransportError("GET", URL, "connection refused")
    with pytest.raises(TransportError) as caught, reporting():
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
