"""Fifty threads, twenty repositories, and tokens that live for 0.2 seconds, over sockets."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_adapters.registry_server import RegistryServer
from oras_core.credentials import StaticCredentials
from oras_core.ports.credentials import Credential
from oras_core.ports.http import HttpResponse
from oras_core.registry.auth.authorizer import MAX_EXPIRED
from oras_core.registry.registry import RemoteRegistry
from support.token_server import TokenPolicy, TokenServer
from support.token_signer import TokenSigner

THREADS, REPOSITORIES, LIFETIME = 50, 20, 0.2
USERS = {"alice": "open sesame"}


class TimedSigner(TokenSigner):
    """Remembers when a token expires, and its user: a JWT has whole seconds only."""

    def __init__(self, issuer):
        super().__init__(issuer)
        self.issued = {}

    def sign(self, subject, audience, access, lifetime):
        token = super().sign(subject, audience, access, lifetime)
        self.issued[token] = time.monotonic() + LIFETIME, [entry["name"] for entry in access]
        return token


class Registry:
    """A registry that accepts a token for its own repository alone, for `LIFETIME` seconds."""

    def __init__(self, realm, service, issued):
        self.realm, self.service, self.issued = realm, service, issued
        self.lock = threading.Lock()
        self.statuses = Counter()
        self.strays = set()

    def send(self, request):
        name = request.url.split("/")[4]
        status = 200 if self.accepts(request.headers.get("Authorization", ""), name) else 401
        with self.lock:
            self.statuses[status] += 1
        fields = {"Content-Type": "application/json", "Content-Length": "16"}
        if status == 401:
            scope = f"repository:{name}:pull"
            fields["WWW-Authenticate"] = (
                f'Bearer realm="{self.realm}",service="{self.service}",scope="{scope}"'
            )
        return HttpResponse(status, fields, body=io.BytesIO(b'{"tags": ["v1"]}'))

    def accepts(self, authorization, name):
        if not authorization:
            return False
        end, names = self.issued[authorization.removeprefix("Bearer ")]
        if names != [name]:
            self.strays.add((name, *names))
        return time.monotonic() < end


@pytest.mark.parametrize(
    "seconds", [pytest.param(1, marks=pytest.mark.slow), pytest.param(10, marks=pytest.mark.long)]
)
def test_tokens_that_expire_soon_fail_no_request_and_serve_their_repository_only(seconds):
    policy = TokenPolicy(USERS, expires_in=LIFETIME)
    with TokenServer(policy) as tokens:
        tokens.signer = TimedSigner("token-server.test")
        registry = Registry(tokens.realm, tokens.service, tokens.signer.issued)
        with RegistryServer(registry) as server, Urllib3Transport(max_connections=THREADS) as http:
            client = RemoteRegistry(
                server.address,
                http,
                plain_http=True,
                credentials=StaticCredentials(Credential("alice", USERS["alice"])),
            )
            end = time.monotonic() + seconds

            def work(number):
                done = 0
                while time.monotonic() < end:
                    repository = client.repository(f"r{(number + done) % REPOSITORIES}")
                    assert list(repository.tags()) == ["v1"]
                    done += 1
                return done

            with ThreadPoolExecutor(THREADS) as threads:
                done = sum(threads.map(work, range(THREADS)))
            took = time.monotonic() - (end - seconds)
    assert registry.strays == set()
    assert registry.statuses[200] == done >= THREADS
    # A token at a time for a repository, and as many again that expired before their use.
    asked = len(tokens.requests)
    lifetimes = took / LIFETIME + 1
    assert asked <= REPOSITORIES * 2 * lifetimes
    assert registry.statuses[401] <= min(MAX_EXPIRED * done, THREADS * lifetimes)
    assert {request.scopes for request in tokens.requests} == {
        (f"repository:r{number}:pull",) for number in range(REPOSITORIES)
    }
    assert all(request.authorization and request.status == 200 for request in tokens.requests)
    logging.getLogger(__name__).info(
        "%d requests, %d tokens, %d refused, %.1f s", done, asked, registry.statuses[401], took
    )
