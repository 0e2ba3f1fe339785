"""A registry: the composed transport, its header fields, and what it says beside."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from oras_core.content.sources import BytesSource
from oras_core.credentials import StaticCredentials
from oras_core.errors import (
    AuthenticationError,
    InvalidReferenceError,
    RegistryError,
    TransportError,
    UnsupportedError,
)
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.ports.credentials import Credential
from oras_core.ports.http import HttpRequest
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.fields import MAX_WARNINGS, RateLimit
from oras_core.registry.transports.retries import RetryPolicy
from oras_core.testing.registry.auth import TokenService
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.scripted_transport import Answer, ScriptedTransport

ONCE = RetryPolicy(attempts=1)
BLOB = Descriptor.of(b"0123456789", "application/octet-stream")


def scripted(*steps, host="reg.io", **options):
    transport = ScriptedTransport(*steps)
    return RemoteRegistry(host, transport, retry_policy=ONCE, **options), transport


@pytest.mark.parametrize(
    ("host", "plain_http", "base_url", "origin"),
    [
        ("docker.io", False, "https://registry-1.docker.io", "https://registry-1.docker.io"),
        ("localhost:5000", True, "http://localhost:5000", "http://localhost:5000"),
        ("reg.io:443", False, "https://reg.io:443", "https://reg.io"),
    ],
)
def test_host_base_url_and_origin_of_a_registry(host, plain_http, base_url, origin):
    registry, _ = scripted(host=host, plain_http=plain_http)
    assert (registry.host, registry.base_url, registry.origin) == (host, base_url, origin)


@pytest.mark.parametrize("host", ["", "a/b", "https://reg.io", "user@reg.io"])
def test_registry_needs_a_valid_host(host):
    with pytest.raises(InvalidReferenceError):
        scripted(host=host)


def test_construction_sends_no_request():
    registry, transport = scripted()
    registry.repository("app")
    assert transport.requests == []


def test_ping_succeeds():
    registry, transport = scripted(Answer(200, {}, b"{}"))
    registry.ping()
    assert transport.lines == ["GET https://reg.io/v2/"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(401), AuthenticationError),
        (Answer(404), RegistryError),
        (Answer(202), RegistryError),
    ],
)
def test_ping_of_a_server_that_is_not_a_registry_is_an_error(answer, kind):
    registry, _ = scripted(answer, *[answer] * 3)
    with pytest.raises(kind, match=r"reach reg\.io"):
        registry.ping()


def test_a_foreign_exception_is_wrapped():
    registry, _ = scripted(OSError("no route"))
    with pytest.raises(TransportError, match="no route"):
        registry.ping()


# --- Header fields ------------------------------------------------------------------------


def test_user_agent_names_the_library():
    registry, transport = scripted(Answer(200))
    registry.ping()
    assert transport.requests[0].headers["User-Agent"].startswith("oras-sdk")


def test_caller_s_header_fields_are_sent_to_the_registry_only():
    moved = Answer(307, {"Location": "https://store.example.org/blob?sig=s"})
    blob = Answer(200, {}, b"0123456789")
    headers = {"X-Api-Key": "secret", "user-agent": "mine/1"}
    registry, transport = scripted(moved, blob, headers=headers)
    assert registry.repository("app").fetch(BLOB).read() == b"0123456789"
    asked, stored = transport.requests
    assert (asked.headers["X-Api-Key"], asked.headers["User-Agent"]) == ("secret", "mine/1")
    assert stored.url.startswith("https://store.example.org/")
    assert "X-Api-Key" not in stored.headers
    assert stored.headers["User-Agent"] == "mine/1"


def test_an_upload_to_another_host_gets_neither_fields_nor_credentials():
    challenge = Answer(401, {"WWW-Authenticate": 'Basic realm="r"'})
    begun = Answer(202, {"Location": "https://store.example.org/u?sig=s"})
    registry, transport = scripted(
        challenge, Answer(404), Answer(200), begun, Answer(201),
        headers={"X-Api-Key": "secret"},
        credentials=StaticCredentials({"reg.io": Credential("me", "password")}),
    )  # fmt: skip
    registry.repository("app").push(BLOB, BytesSource(b"0123456789"))
    assert "Authorization" in transport.requests[1].headers
    put = transport.requests[4]
    assert put.method == "PUT"
    assert {"Authorization", "X-Api-Key"}.isdisjoint(put.headers)


def test_header_fields_of_a_request_override_the_caller_s():
    registry, transport = scripted(Answer(200), headers={"Accept": "text/plain"})
    request = HttpRequest("GET", "https://reg.io/v2/x", {"accept": "application/json"})
    registry.transport.send(request).close()
    assert transport.requests[0].headers["Accept"] == "application/json"


# --- Notices ------------------------------------------------------------------------------


def test_r35_a_warning_is_logged_once(caplog):
    warned = Answer(200, {"Warning": '299 - "this tag will vanish"'})
    registry, _ = scripted(warned, warned)
    with caplog.at_level(logging.WARNING):
        registry.ping()
        registry.ping()
    assert [record.getMessage() for record in caplog.records] == [
        "reg.io warns: this tag will vanish"
    ]


def test_number_of_logged_warnings_is_limited(caplog):
    registry, _ = scripted(*(Answer(200, {"Warning": f'299 - "{n}"'}) for n in range(100)))
    for _ in range(100):
        registry.ping()
    assert len(caplog.records) == MAX_WARNINGS


def test_r33_latest_rate_limit_is_kept():
    first = Answer(200, {"ratelimit-limit": "100;w=60", "ratelimit-remaining": "9;w=60"})
    registry, _ = scripted(first, Answer(200))
    assert registry.rate_limit is None
    registry.ping()
    registry.ping()
    assert registry.rate_limit == RateLimit(100, 9, 60)


# --- Catalog ------------------------------------------------------------------------------


@pytest.mark.parametrize("page_size", [None, 1, 2])
def test_repositories_are_listed(page_size):
    registry = RemoteRegistry("reg.io", EmbeddedRegistry(), retry_policy=ONCE)
    for name in ("a", "b/c", "d"):
        index = codec.encode_index(manifests=[])
        registry.repository(name).push_manifest(index.content, index.media_type)
    assert sorted(registry.catalog(page_size)) == ["a", "b/c", "d"]


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_r28_a_catalog_is_optional(status):
    registry, _ = scripted(Answer(status), *[Answer(status)] * 3)
    with pytest.raises(UnsupportedError, match=r"repositories of reg\.io"):
        next(registry.catalog())


def test_other_errors_of_a_catalog_are_errors():
    registry, _ = scripted(Answer(500))
    with pytest.raises(RegistryError):
        next(registry.catalog())


# --- Composition --------------------------------------------------------------------------


def test_retries_redirects_and_credentials_are_composed():
    server = EmbeddedRegistry(users={"me": "password"})
    credentials = StaticCredentials({"reg.io": Credential("me", "password")})
    registry = RemoteRegistry("reg.io", server, credentials=credentials)
    registry.repository("app").push(BLOB, BytesSource(b"0123456789"))
    assert registry.repository("app").fetch(BLOB).read() == b"0123456789"
    with pytest.raises(AuthenticationError):
        RemoteRegistry("reg.io", server, retry_policy=ONCE).ping()


def test_threads_share_one_token():
    server = EmbeddedRegistry(token_service=TokenService({"me": "password"}))
    credentials = StaticCredentials({"reg.io": Credential("me", "password")})
    repository = RemoteRegistry("reg.io", server, credentials=credentials).repository("app")
    contents = [bytes([number]) * 1000 for number in range(20)]
    with ThreadPoolExecutor(8) as executor:
        list(
            executor.map(
                lambda c: repository.push(
                    Descriptor.of(c, "application/octet-stream"), BytesSource(c)
                ),
                contents,
            )
        )
    assert sum(sent.path == "/token" for sent in server.requests) == 1
