"""Sixteen threads, two registries, four repositories, tokens that end: over real sockets."""

from __future__ import annotations

import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_adapters.registry_server import RegistryServer
from oras_core.content.sources import BytesSource
from oras_core.content.verify import VerifyingReader
from oras_core.credentials import StaticCredentials
from oras_core.model.descriptor import Descriptor
from oras_core.ports.credentials import Credential
from oras_core.ports.http import HttpTransport
from oras_core.registry.auth.authorizer import Authorizer
from oras_core.registry.registry import RemoteRegistry
from oras_core.testing import EmbeddedRegistry
from oras_core.testing.registry.auth import TokenService
from support.auth_world import basic
from support.secret_scan import forms

SECRETS = ("password-of-one", "password-of-two")
REPOSITORIES = ("team/a", "team/b", "team/c", "team/d")
THREADS, LIFETIME = 16, 300.0


class Recorder(HttpTransport):
    """Remembers every header field of every request, and passes the request on."""

    def __init__(self):
        self.answering = None
        self.fields = []
        self.lines = []
        self._lock = threading.Lock()

    def send(self, request):
        with self._lock:
            self.fields.append(dict(request.headers))
            self.lines.append(f"{request.method} {request.url}")
        return self.answering(request)

    def shows(self, secret):
        """Tell whether a secret came, in a field or an address, in whatever form."""
        seen = repr(self.fields) + repr(self.lines)
        return any(form in seen for form in forms(secret))


class Clock:
    time = 0.0

    def __call__(self):
        return self.time


class Site:
    """A registry and its token server, each on a port of its own, and what they saw."""

    def __init__(self, user, password, clock):
        self.user, self.password = user, password
        self.at_registry, self.at_tokens = Recorder(), Recorder()
        self.registry = RegistryServer(self.at_registry)
        self.tokens = RegistryServer(self.at_tokens)
        self.service = TokenService(
            {user: password},
            realm=f"http://{self.tokens.address}/token",
            service=user,
            lifetime=LIFETIME,
            now=clock,
        )
        self.at_registry.answering = EmbeddedRegistry(token_service=self.service).send
        self.at_tokens.answering = self.service.answer
        self.issued = set()

    def __enter__(self):
        self.registry.__enter__()
        self.tokens.__enter__()
        return self

    def __exit__(self, *trouble):
        self.tokens.__exit__(*trouble)
        self.registry.__exit__(*trouble)

    def note_tokens(self):
        self.issued |= set(self.service._grants)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sites(clock):
    with Site("one", SECRETS[0], clock) as one, Site("two", SECRETS[1], clock) as two:
        yield one, two


def test_threads_request_one_token_per_scope_and_expiry_and_share_none_across_registries(
    sites, clock
):
    store = StaticCredentials(
        {site.registry.address: Credential(site.user, site.password) for site in sites}
    )

    def authorize(transport, origin):
        return Authorizer(transport, origin=origin, credentials=store, now=clock)

    with Urllib3Transport(max_connections=THREADS) as transport:
        repositories = [
            RemoteRegistry(
                site.registry.address, transport, plain_http=True, authorize=authorize
            ).repository(name)
            for site in sites
            for name in REPOSITORIES
        ]
        together = threading.Barrier(THREADS)

        def work(number):
            together.wait(60)
            # Not all in one order: threads that want the same meet, and others come between.
            first = number % len(repositories)
            for repository in repositories[first:] + repositories[:first]:
                content = os.urandom(200)
                blob = Descriptor.of(content, "application/octet-stream")
                repository.push(blob, BytesSource(content))
                with closing(repository.fetch(blob)) as stream:
                    assert VerifyingReader(stream, blob).read() == content

        def everybody():
            with ThreadPoolExecutor(THREADS) as threads:
                list(threads.map(work, range(THREADS)))
            for site in sites:
                site.note_tokens()

        everybody()
        clock.time += LIFETIME  # the tokens end, as the client knows
        everybody()
        for site in sites:
            site.service.revoke_all()  # the tokens end without notice
        everybody()

    for site, other in (sites, sites[::-1]):
        asked = Counter(line.partition("scope=")[2] for line in site.at_tokens.lines)
        scopes = [f"repository%3A{name.replace('/', '%2F')}%3Apull%2Cpush" for name in REPOSITORIES]
        assert asked == dict.fromkeys(scopes, 3)
        assert len(site.issued) == 3 * len(REPOSITORIES)
        assert {fields["Authorization"] for fields in site.at_tokens.fields} == {
            basic(site.user, site.password)
        }
        shown = {fields.get("Authorization", "") for fields in site.at_registry.fields}
        assert shown - {""} == {f"Bearer {token}" for token in site.issued}
        assert not site.at_registry.shows(site.password)
        for recorder in (other.at_registry, other.at_tokens):
            assert not recorder.shows(site.password)
            assert not any(recorder.shows(token) for token in site.issued)


def test_recorder_detects_a_password_in_every_form(sites):
    """It would notice a password in any of its forms."""
    recorder = sites[0].at_registry
    for field in (SECRETS[0], basic("one", SECRETS[0]), basic("x", f"y{SECRETS[0]}")):
        recorder.fields[:] = [{"X": field}]
        assert recorder.shows(SECRETS[0])
        assert not recorder.shows(SECRETS[1])
