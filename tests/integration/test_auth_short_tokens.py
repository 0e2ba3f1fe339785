"""Fifty threads, twenty repositories, and tokens that live for 0.2 seconds."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from oras_core.credentials import StaticCredentials
from oras_core.ports.credentials import Credential
from oras_core.ports.http import HttpRequest
from oras_core.registry.auth.authorizer import MAX_EXPIRED, Authorizer
from support.auth_world import Reply, World, basic

THREADS, REPOSITORIES, LIFETIME, SECONDS = 50, 20, 0.2, 10.0
ORIGIN, AUTH = "https://r.example", "https://auth.example"


@pytest.mark.slow
def test_short_lived_tokens_fail_no_request_and_are_sent_only_for_their_repository():
    issued, lock, wrong = {}, threading.Lock(), []

    def tokens(seen):
        (scope,) = seen.scopes
        with lock:
            token = f"T{len(issued)}"
            issued[token] = scope.split(":")[1], time.monotonic() + LIFETIME
        body = f'{{"token": "{token}", "expires_in": {LIFETIME}}}'
        return Reply(200, body=body.encode())

    def registry(seen):
        name = seen.path.split("/")[2]
        token = seen.authorization.removeprefix("Bearer ")
        owner, end = issued.get(token, (name, 0.0))
        if owner != name:
            wrong.append((owner, name))
        if time.monotonic() < end:
            return Reply(200)
        challenge = f'Bearer realm="{AUTH}/token",service="s",scope="repository:{name}:pull"'
        return Reply(401, (("WWW-Authenticate", challenge),))

    world = World({ORIGIN: registry, AUTH: tokens})
    store = StaticCredentials(Credential("alice", "open sesame"))
    transport = Authorizer(world, origin=ORIGIN, credentials=store)
    end = time.monotonic() + SECONDS

    def work(number):
        statuses = []
        while time.monotonic() < end:
            name = f"r{(number + len(statuses)) % REPOSITORIES}"
            request = HttpRequest("GET", f"{ORIGIN}/v2/{name}/manifests/1")
            statuses.append(transport.send(request).status)
        return statuses

    with ThreadPoolExecutor(THREADS) as threads:
        done = [status for statuses in threads.map(work, range(THREADS)) for status in statuses]
    assert set(done) == {200}
    assert wrong == []
    # One token for a repository at a time, and few that were refused.
    assert len(issued) <= 4 * REPOSITORIES * SECONDS / LIFETIME
    assert len(world.seen) <= (2 + MAX_EXPIRED) * len(done)
    assert {one.authorization for one in world.to(AUTH)} == {basic("alice", "open sesame")}
