"""R1 to R10: who gets to see the credential, and when."""

from __future__ import annotations

import json
import logging
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve

from oras_core.content.sources import BytesSource
from oras_core.credentials import NoCredentials, StaticCredentials
from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    CredentialError,
    RegistryError,
    TransportError,
    UnsafeRedirectError,
)
from oras_core.ports.credentials import Credential
from oras_core.ports.http import HttpRequest
from oras_core.registry.auth.authorizer import MAX_EXPIRED, Authorizer
from oras_core.registry.auth.scope import MAX_EXPECTED, Scope
from oras_core.registry.compose import registry_transport
from oras_core.registry.transports.retries import RetryPolicy
from support.auth_world import BasicSite, BearerSite, Reply, Seen, TokenSite, World, basic

ORIGIN = "https://r.example"
AUTH = "https://auth.example"
CHALLENGE = 'Bearer realm="https://auth.example/token",service="r.example"'
ALICE = Credential("alice", "open sesame")
SECRETS = ("open sesame", "long-token", "very-secret-token")
DIGEST = "sha256:" + "0" * 64
MANIFEST = f"{ORIGIN}/v2/a/manifests/latest"


class Store:
    """Counts lookups, and returns the credentials in order, the last one repeatedly."""

    def __init__(self, *credentials):
        self.credentials = list(credentials)
        self.asked = []

    def get(self, registry):
        self.asked.append(registry)
        if not self.credentials:
            return None
        first, *rest = self.credentials
        self.credentials = rest or [first]
        return first

    def put(self, registry, credential):
        raise AssertionError("the authorizer stores nothing")

    delete = put


def authorizer(world, credentials=None, origin=ORIGIN, **options):
    return Authorizer(world, origin=origin, credentials=credentials or NoCredentials(), **options)


def get(transport, url=MANIFEST, method="GET", **options):
    return transport.send(HttpRequest(method, url, **options))


def challenge(scope, extra=""):
    return f'{CHALLENGE},scope="{scope}"{extra}'


# --- The registries in use ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("registry", "origin", "field", "repository", "realm", "service", "token_field"),
    [
        (
            "docker.io",
            "https://registry-1.docker.io",
            (
                'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
                'scope="repository:library/alpine:pull"'
            ),
            "library/alpine",
            "https://auth.docker.io/token",
            "registry.docker.io",
            "token",
        ),
        (
            "ghcr.io",
            "https://ghcr.io",
            'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:o/a:pull"',
            "o/a",
            "https://ghcr.io/token",
            "ghcr.io",
            "token",
        ),
        (
            "myreg.azurecr.io",
            "https://myreg.azurecr.io",
            (
                'Bearer realm="https://myreg.azurecr.io/oauth2/token",service="myreg.azurecr.io",'
                'scope="repository:a:pull",error="invalid_token"'
            ),
            "a",
            "https://myreg.azurecr.io/oauth2/token",
            "myreg.azurecr.io",
            "access_token",
        ),
        (
            "us-docker.pkg.dev",
            "https://us-docker.pkg.dev",
            (
                'Bearer realm="https://us-docker.pkg.dev/v2/token",service="us-docker.pkg.dev",'
                'scope="repository:p/r/a:pull"'
            ),
            "p/r/a",
            "https://us-docker.pkg.dev/v2/token",
            "us-docker.pkg.dev",
            "token",
        ),
        (
            "harbor.example",
            "https://harbor.example",
            (
                'Bearer realm="https://harbor.example/service/token",service="harbor-registry",'
                'scope="repository:p/a:pull"'
            ),
            "p/a",
            "https://harbor.example/service/token",
            "harbor-registry",
            "token",
        ),
        (
            "quay.io",
            "https://quay.io",
            'Bearer realm="https://quay.io/v2/auth",service="quay.io",scope="repository:o/a:pull"',
            "o/a",
            "https://quay.io/v2/auth",
            "quay.io",
            "token",
        ),
        (
            "registry.gitlab.com",
            "https://registry.gitlab.com",
            (
                'Bearer realm="https://gitlab.com/jwt/auth",service="container_registry",'
                'scope="repository:g/a:pull",error="invalid_token"'
            ),
            "g/a",
            "https://gitlab.com/jwt/auth",
            "container_registry",
            "token",
        ),
        (
            "acme.jfrog.io",
            "https://acme.jfrog.io",
            (
                'Bearer realm="https://acme.jfrog.io/artifactory/api/docker/local/v2/token",'
                'service="acme.jfrog.io",scope="repository:a:pull"'
            ),
            "a",
            "https://acme.jfrog.io/artifactory/api/docker/local/v2/token",
            "acme.jfrog.io",
            "token",
        ),
        # Behind a proxy that adds a challenge of its own, and in lower case.
        (
            "nexus.example:8443",
            "https://nexus.example:8443",
            (
                'Basic realm="Sonatype Nexus Repository Manager", '
                'bearer Realm=https://nexus.example:8443/v2/token,Service="https://nexus.example:8443/v2/token"'
            ),
            "a",
            "https://nexus.example:8443/v2/token",
            "https://nexus.example:8443/v2/token",
            "token",
        ),
        # A realm that is no address is one of the registry's own.
        (
            "nexus.example",
            "https://nexus.example",
            'Bearer realm="v2/token",service="nexus"',
            "a",
            "https://nexus.example/v2/token",
            "nexus",
            "token",
        ),
    ],
)
@pytest.mark.parametrize("credential", [None, ALICE])
def test_token_registries(
    registry, origin, field, repository, realm, service, token_field, credential
):
    sent = basic("alice", "open sesame") if credential else ""
    token_site, bearer_site = TokenSite(sent, field=token_field, expires_in=300), BearerSite(field)

    def site(seen):
        return (token_site if seen.url.startswith(realm) else bearer_site)(seen)

    realm_origin = "/".join(realm.split("/")[:3])
    world = World({origin: site, realm_origin: site})
    store = Store(credential) if credential else Store()
    transport = authorizer(world, store, origin, registry=registry)
    manifest = f"{origin}/v2/{repository}/manifests/1"
    assert get(transport, manifest).status == 200
    assert get(transport, manifest, "HEAD").status == 200

    asked, token, answered, again = world.seen
    assert [one.line for one in (asked, answered, again)] == [
        f"GET {manifest}",
        f"GET {manifest}",
        f"HEAD {manifest}",
    ]
    assert [one.authorization for one in world.seen] == ["", sent, "Bearer T1", "Bearer T1"]
    base, _, query = token.url.partition("?")
    assert base == realm
    assert f"service={service.replace(':', '%3A').replace('/', '%2F')}" in query.replace("/", "%2F")
    assert token.scopes == [f"repository:{repository}:pull"]
    assert store.asked == [f"{registry}/{repository}"]


def test_ecr_private_takes_basic_only():
    origin = "https://1234.dkr.ecr.eu-west-1.amazonaws.com"
    field = f'Basic realm="{origin}/",service="ecr.amazonaws.com"'
    world = World({origin: BasicSite("AWS", "long-token", challenge=field)})
    transport = authorizer(world, StaticCredentials(Credential("AWS", "long-token")), origin)
    assert get(transport, f"{origin}/v2/a/manifests/1").status == 200
    assert get(transport, f"{origin}/v2/a/manifests/2").status == 200
    wanted = basic("AWS", "long-token")
    assert [one.authorization for one in world.seen] == ["", wanted, wanted]


def test_ecr_public_exchanges_that_token_for_another():
    origin = "https://public.ecr.aws"
    field = f'Bearer realm="{origin}/token/",service="public.ecr.aws",scope="aws"'
    bearer, tokens = BearerSite(field), TokenSite(basic("AWS", "long-token"))
    world = World({origin: lambda seen: (tokens if seen.path == "/token/" else bearer)(seen)})
    transport = authorizer(world, StaticCredentials(Credential("AWS", "long-token")), origin)
    assert get(transport, f"{origin}/v2/r/a/manifests/1").status == 200
    assert world.seen[1].scopes == ["aws", "repository:r/a:pull"]


def test_acr_exchanges_an_identity_token():
    origin = "https://myreg.azurecr.io"
    field = (
        f'Bearer realm="{origin}/oauth2/token",service="myreg.azurecr.io",scope="repository:a:pull"'
    )
    bearer, tokens = BearerSite(field), TokenSite(field="access_token")
    world = World({origin: lambda seen: (tokens if seen.path == "/oauth2/token" else bearer)(seen)})
    store = StaticCredentials(Credential("00000000-0000-0000-0000-000000000000", "", "refresh"))
    assert get(authorizer(world, store, origin), f"{origin}/v2/a/manifests/1").status == 200
    assert world.seen[1].line == f"POST {origin}/oauth2/token"
    assert b"refresh_token=refresh" in world.seen[1].body


def test_gcr_challenges_at_its_base_only():
    origin = "https://gcr.io"
    tokens = TokenSite()

    def gcr(seen):
        if seen.path == "/v2/token":
            return tokens(seen)
        if seen.authorization == "Bearer T1":
            return Reply(200)
        named = (("WWW-Authenticate", f'Bearer realm="{origin}/v2/token",service="gcr.io"'),)
        return Reply(401, named if seen.path == "/v2/" else ())

    world = World({origin: gcr})
    assert get(authorizer(world, origin=origin), f"{origin}/v2/p/a/manifests/1").status == 200
    assert [one.path for one in world.seen] == [
        "/v2/p/a/manifests/1",
        "/v2/",
        "/v2/token",
        "/v2/p/a/manifests/1",
    ]


def test_basic_is_tried_without_a_challenge():
    world = World({ORIGIN: BasicSite("alice", "open sesame", challenge="")})
    transport = authorizer(world, StaticCredentials(ALICE))
    assert get(transport).status == 200
    assert get(transport).status == 200
    assert [one.path for one in world.seen][1] == "/v2/"
    assert [bool(one.authorization) for one in world.seen] == [False, False, True, True]


def test_without_credentials_and_challenge_it_stays_401():
    world = World({ORIGIN: BasicSite("alice", "open sesame", challenge="")})
    transport = authorizer(world)
    response = get(transport)
    assert (response.status, response.body.read()) == (401, b"who are you?")
    get(transport)
    assert [one.path for one in world.seen].count("/v2/") == 1


# --- Scopes -------------------------------------------------------------------------------


@pytest.fixture
def world():
    return World({ORIGIN: BearerSite(CHALLENGE), AUTH: TokenSite()})


def test_upload_requests_push_scope_regardless_of_the_challenge():
    world = World({ORIGIN: BearerSite(challenge("repository:a:pull")), AUTH: TokenSite()})
    get(authorizer(world), f"{ORIGIN}/v2/a/blobs/uploads/", "POST")
    assert [one.scopes for one in world.to(AUTH)] == [["repository:a:pull,push"]]


def test_mount_requests_the_scope_of_its_source(world):
    get(authorizer(world), f"{ORIGIN}/v2/a/blobs/uploads/?mount={DIGEST}&from=b", "POST")
    assert world.to(AUTH)[0].scopes == ["repository:a:pull,push", "repository:b:pull"]


def test_token_is_reused_for_fewer_scopes_but_not_for_more(world):
    transport = authorizer(world)
    for url, method in [
        (MANIFEST, "GET"),
        (f"{ORIGIN}/v2/a/blobs/{DIGEST}", "HEAD"),
        (f"{ORIGIN}/v2/a/blobs/uploads/", "POST"),
        (MANIFEST, "PUT"),
        (MANIFEST, "GET"),
        (f"{ORIGIN}/v2/b/tags/list", "GET"),
    ]:
        assert get(transport, url, method).status == 200
    assert [one.scopes for one in world.to(AUTH)] == [
        ["repository:a:pull"],
        ["repository:a:pull,push"],
        ["repository:b:pull"],
    ]
    assert [one.authorization for one in world.to(ORIGIN)] == [
        "",
        *["Bearer T1"] * 2,
        *["Bearer T2"] * 3,
        "Bearer T3",
    ]


def test_expected_scopes_are_requested_with_the_first_token(world):
    transport = authorizer(world)
    transport.expect(Scope("repository", "a", ("pull", "push")))
    assert world.to(AUTH) == []
    for url, method in [
        (MANIFEST, "HEAD"),
        (f"{ORIGIN}/v2/a/blobs/uploads/", "POST"),
        (MANIFEST, "PUT"),
        (f"{ORIGIN}/v2/b/manifests/latest", "GET"),
    ]:
        assert get(transport, url, method).status == 200
    assert [one.scopes for one in world.to(AUTH)] == [
        ["repository:a:pull,push"],
        ["repository:b:pull"],
    ]


def test_number_of_expected_scopes_is_bounded(world):
    transport = authorizer(world)
    for number in range(MAX_EXPECTED + 1):
        transport.expect(Scope("repository", f"r{number}", ("push",)))
    get(transport, f"{ORIGIN}/v2/r{MAX_EXPECTED}/manifests/latest", "HEAD")
    assert world.to(AUTH)[0].scopes == [f"repository:r{MAX_EXPECTED}:pull"]


def test_scopes_expected_before_the_first_challenge_are_bounded(world):
    transport = registry_transport(world, origin=ORIGIN, credentials=NoCredentials())
    for number in range(MAX_EXPECTED + 1):
        transport.expect(Scope("repository", f"r{number}", ("push",)))
    get(transport, f"{ORIGIN}/v2/r0/manifests/latest", "HEAD")
    get(transport, f"{ORIGIN}/v2/r{MAX_EXPECTED}/manifests/latest", "HEAD")
    assert [one.scopes for one in world.to(AUTH)] == [
        ["repository:r0:pull,push"],
        [f"repository:r{MAX_EXPECTED}:pull"],
    ]


def test_newly_demanded_scope_comes_first():
    site = BearerSite(challenge("repository:z:pull"), valid={"T1"})
    world = World({ORIGIN: site, AUTH: TokenSite()})
    transport = authorizer(world)
    assert get(transport).status == 200
    site.valid = {"T2"}
    site.challenge = challenge("repository:b:pull", ',error="insufficient_scope"')
    assert get(transport).status == 200
    assert world.to(AUTH)[1].scopes == ["repository:b:pull", "repository:a:pull"]


def test_the_base_address_uses_a_cached_token_and_requests_none_without_a_challenge(world):
    transport = authorizer(world)
    get(transport)
    assert get(transport, f"{ORIGIN}/v2/").status == 200
    assert world.seen[-1].authorization == "Bearer T1"
    assert len(world.to(AUTH)) == 1


def test_a_token_without_scopes_is_requested_only_when_demanded():
    time = [0.0]
    world = World({ORIGIN: BearerSite(CHALLENGE), AUTH: TokenSite(expires_in=100)})
    transport = authorizer(world, now=lambda: time[0])
    get(transport)
    time[0] = 100.0
    assert get(transport, f"{ORIGIN}/v2/").status == 200
    assert [one.path for one in world.seen[3:]] == ["/v2/", "/token", "/v2/"]


def test_ping_is_challenged_without_scope(world):
    assert get(authorizer(world, StaticCredentials(Credential())), f"{ORIGIN}/v2/").status == 200
    assert world.to(AUTH)[0].url == f"{AUTH}/token?service=r.example"


def test_upload_url_outside_the_api_keeps_its_token(world):
    where = f"{ORIGIN}/artifacts-uploads/namespaces/p/repositories/r/uploads/AF"
    site = BearerSite(CHALLENGE)
    site.reply = lambda seen: Reply(202, (("Location", where + "?step=2"),))
    world = World({ORIGIN: site, AUTH: TokenSite()})
    transport = authorizer(world)
    get(transport)
    get(transport, f"{ORIGIN}/v2/p/r/a/blobs/uploads/", "POST")
    get(transport, f"{ORIGIN}/v2/other/manifests/1")
    get(transport, where + "?step=2", "PATCH", body=BytesSource(b"x"))
    get(transport, where + "?digest=x", "PUT", body=BytesSource(b"y"))
    assert [one.authorization for one in world.to(ORIGIN)][1:] == [
        "Bearer T1",
        "Bearer T2",
        "Bearer T3",
        "Bearer T2",
        "Bearer T2",
    ]


def test_a_body_is_sent_again_after_the_challenge(world):
    assert get(authorizer(world), MANIFEST, "PUT", body=BytesSource(b"{}")).status == 200
    assert [one.body for one in world.to(ORIGIN)] == [b"{}", b"{}"]


# --- Tokens that are refused --------------------------------------------------------------


def test_a_revoked_token_is_replaced_once():
    site = BearerSite(CHALLENGE)
    world = World({ORIGIN: site, AUTH: TokenSite()})
    transport = authorizer(world)
    get(transport)
    site.valid = {"T2"}
    assert get(transport).status == 200
    assert [one.authorization for one in world.to(ORIGIN)[2:]] == ["Bearer T1", "Bearer T2"]


def test_attempts_at_a_registry_that_refuses_all_tokens_are_bounded():
    world = World({ORIGIN: BearerSite(CHALLENGE, valid=set()), AUTH: TokenSite()})
    transport = authorizer(world)
    first, second = get(transport), get(transport)
    assert (first.status, second.status) == (401, 401)
    assert first.body.read() == b'{"errors": []}'
    assert len(world.to(ORIGIN)) <= 4
    assert len(world.to(AUTH)) <= 2


def test_attempts_at_a_registry_that_demands_more_each_time_are_bounded():
    site = BearerSite("", valid=set())
    world = World({ORIGIN: site, AUTH: TokenSite()})

    def demanding(seen):
        site.challenge = challenge(f"repository:x{len(world.seen)}:pull")
        return BearerSite.__call__(site, seen)

    world = World({ORIGIN: demanding, AUTH: TokenSite()})
    assert get(authorizer(world)).status == 401
    assert len(world.to(ORIGIN)) == 3


def test_an_expired_token_is_not_sent():
    time = [0.0]
    world = World({ORIGIN: BearerSite(CHALLENGE), AUTH: TokenSite(expires_in=100)})
    transport = authorizer(world, now=lambda: time[0])
    get(transport)
    time[0] = 95.0
    get(transport)
    assert [one.authorization for one in world.to(ORIGIN)] == ["", "Bearer T1", "Bearer T2"]


# --- Credentials that are refused ---------------------------------------------------------


def test_a_wrong_password_is_sent_to_the_token_server_once():
    world = World({ORIGIN: BearerSite(CHALLENGE), AUTH: TokenSite(basic("alice", "right"))})
    transport = authorizer(world, StaticCredentials(ALICE))
    for url in (MANIFEST, MANIFEST, f"{ORIGIN}/v2/b/manifests/1"):
        with pytest.raises(AuthenticationError) as caught:
            get(transport, url)
        assert (caught.value.status, caught.value.url) == (401, f"{AUTH}/token")
    assert len(world.to(AUTH)) == 1


def test_a_wrong_password_is_sent_by_basic_once():
    world = World({ORIGIN: BasicSite("alice", "right")})
    transport = authorizer(world, StaticCredentials(ALICE))
    assert [get(transport).status for _ in range(3)] == [401] * 3
    assert [bool(one.authorization) for one in world.seen] == [False, True, False, False]


class WatchedLock:
    """A lock that counts who has come to it."""

    def __init__(self):
        self.lock, self.comers = threading.Lock(), threading.Semaphore(0)
        self.come = set()

    def acquire(self, timeout):
        if threading.get_ident() not in self.come:
            self.come.add(threading.get_ident())
            self.comers.release()
        return self.lock.acquire(timeout=timeout)

    def release(self):
        self.lock.release()


def threads_with(password, trying):
    """Let four threads begin at once, and the first be answered when all want to try."""
    site, together = BasicSite("alice", "open sesame"), threading.Barrier(4)
    mine, lock, order = threading.local(), threading.Lock(), []
    all_inside = threading.Event()

    def meeting(seen):
        if not seen.authorization:
            if not hasattr(mine, "challenged"):  # all are challenged before one may answer
                mine.challenged = True
                together.wait(20)
            return site(seen)
        with lock:
            order.append(seen)
            place = len(order)
        if place == 1:
            assert all(trying.comers.acquire(timeout=20) for _ in range(4))
        elif place == 4:
            all_inside.set()
        if place > 1:
            assert all_inside.wait(20)  # no thread waits for another one any more
        return site(seen)

    world = World({ORIGIN: meeting})
    transport = authorizer(world, StaticCredentials(Credential("alice", password)))
    transport._refusals._trying = trying
    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(get, transport) for _ in range(4)]
        return [future.result(30).status for future in futures], order


def test_threads_send_a_wrong_password_once():
    statuses, passwords = threads_with("wrong", WatchedLock())
    assert statuses == [401] * 4
    assert len(passwords) == 1


def test_threads_waiting_for_an_accepted_password_continue_concurrently():
    statuses, passwords = threads_with("open sesame", WatchedLock())
    assert statuses == [200] * 4
    assert len(passwords) == 4


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_a_password_that_changed_is_looked_up_again(scheme):
    # ECR's passwords last for 12 hours; the helper knows a new one then.
    old, new = Credential("AWS", "old"), Credential("AWS", "new")
    sites = {
        "basic": {ORIGIN: BasicSite("AWS", "new")},
        "bearer": {ORIGIN: BearerSite(CHALLENGE), AUTH: TokenSite(basic("AWS", "new"))},
    }[scheme]
    store = Store(old, new)
    world = World(sites)
    transport = authorizer(world, store)
    assert get(transport).status == 200
    assert get(transport).status == 200
    assert len(store.asked) == 2
    assert [one.authorization for one in world.seen].count(basic("AWS", "old")) == 1


def test_an_accepted_password_is_not_blocked_by_the_refusal_of_one_repository():
    site = BasicSite("alice", "open sesame")

    def picky(seen):
        return Reply(401) if "/v2/secret/" in seen.url else site(seen)

    transport = authorizer(World({ORIGIN: picky}), StaticCredentials(ALICE))
    assert get(transport).status == 200
    assert get(transport, f"{ORIGIN}/v2/secret/manifests/1").status == 401
    assert get(transport).status == 200


def test_a_token_server_that_denies_is_an_error_with_facts():
    denied = json.dumps({"errors": [{"code": "DENIED", "message": "no access"}]}).encode()
    world = World({ORIGIN: BearerSite(CHALLENGE), AUTH: lambda _: Reply(403, body=denied)})
    with pytest.raises(AccessDeniedError) as caught:
        get(authorizer(world))
    assert (caught.value.codes, caught.value.detail) == (("DENIED",), "no access")


# --- Looking credentials up ---------------------------------------------------------------


def test_a_store_is_asked_only_when_a_registry_asks():
    store = Store(ALICE)
    transport = authorizer(World({ORIGIN: lambda _: Reply(200)}), store)
    get(transport)
    assert store.asked == []


def test_a_store_is_asked_once_per_repository(world):
    store = Store()
    transport = authorizer(world, store, registry="r")
    for _ in range(3):
        get(transport)
        get(transport, f"{ORIGIN}/v2/b/tags/list")
        get(transport, f"{ORIGIN}/v2/_catalog")
    assert store.asked == ["r/a", "r/b", "r"]


def test_credentials_are_looked_up_by_path():
    store = StaticCredentials({"r.example/team": ALICE, "r.example": Credential("bob", "pw")})
    accepted = (basic("alice", "open sesame"), basic("bob", "pw"))
    world = World({ORIGIN: BearerSite(CHALLENGE), AUTH: TokenSite(*accepted)})
    transport = authorizer(world, store)
    get(transport, f"{ORIGIN}/v2/team/app/manifests/1")
    get(transport, f"{ORIGIN}/v2/other/manifests/1")
    assert [one.authorization for one in world.to(AUTH)] == list(accepted)


def test_a_broken_store_is_an_error(world):
    class Broken:
        def get(self, registry):
            raise CredentialError("read", "helper", "it hangs")

    with pytest.raises(CredentialError):
        get(authorizer(world, Broken()))


def test_a_registry_token_is_used_as_it_is():
    world = World({ORIGIN: BearerSite(CHALLENGE, valid={"own"})})
    transport = authorizer(world, StaticCredentials(Credential(registry_token="own")))
    assert get(transport).status == 200
    assert get(transport, MANIFEST, "PUT").status == 200
    assert [one.authorization for one in world.seen] == ["", "Bearer own", "Bearer own"]


def test_a_refused_registry_token_is_sent_once():
    world = World({ORIGIN: BearerSite(CHALLENGE, valid=set())})
    transport = authorizer(world, StaticCredentials(Credential(registry_token="own")))
    assert [get(transport).status for _ in range(3)] == [401] * 3
    assert [one.authorization for one in world.seen].count("Bearer own") == 1


# --- Other hosts --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/v2/a/manifests/1",
        "http://r.example/v2/a/manifests/1",
        "https://r.example:8443/v2/a/manifests/1",
        "https://sub.r.example/v2/a/manifests/1",
    ],
)
def test_another_origin_gets_nothing(url):
    challenged = BasicSite("alice", "open sesame")
    origin = "/".join(url.split("/")[:3])
    world = World({ORIGIN: challenged, origin: challenged})
    transport = authorizer(world, StaticCredentials(ALICE))
    assert get(transport).status == 200
    assert get(transport, url).status == 401
    assert world.to(origin)[0].authorization == ""
    assert len(world.to(origin)) == 1


def test_a_request_with_its_own_authorization_passes_unchanged():
    world = World({ORIGIN: BasicSite("alice", "open sesame")})
    transport = authorizer(world, StaticCredentials(ALICE))
    response = get(transport, headers={"authorization": "Bearer mine"})
    assert response.status == 401
    assert [one.authorization for one in world.seen] == ["Bearer mine"]


@pytest.mark.parametrize("credential", [None, ALICE])
@pytest.mark.parametrize(
    "realm",
    [
        "http://auth.example/token",
        "http://r.example/token",
        "file:///etc/passwd",
        "ftp://auth.example/token",
        "https://localhost/token",
        "https://127.0.0.1:8080/token",
        "https://[::1]/token",
        "https://169.254.169.254/latest/api/token",
        "https://10.0.0.1/token",
        "https://2130706433/token",
        "https://u:p@auth.example/token",
        "https://auth.example\\\\@evil.example/token",
    ],
)
def test_unsafe_token_server_gets_no_request(realm, credential):
    world = World({ORIGIN: BearerSite(f'Bearer realm="{realm}",service="s"')})
    store = StaticCredentials(credential) if credential else NoCredentials()
    with pytest.raises(UnsafeRedirectError) as caught:
        get(authorizer(world, store))
    assert len(world.seen) == 1
    assert "refused" in str(caught.value)


@pytest.mark.parametrize(
    ("origin", "realm"),
    [
        ("http://r.example:5000", "http://auth.example"),
        ("http://localhost:5000", "http://127.0.0.1:5001"),
        ("http://127.0.0.1:5000", "http://localhost:5001"),
        ("http://10.0.0.1:5000", "http://10.0.0.2:5001"),
        ("http://localhost:5000", "https://auth.example"),
    ],
)
def test_plain_http_registry_can_have_a_plain_http_token_server(origin, realm):
    site = BearerSite(f'Bearer realm="{realm}/token",service="s"')
    world = World({origin: site, realm: TokenSite(basic("alice", "open sesame"))})
    transport = authorizer(world, StaticCredentials(ALICE), origin)
    assert get(transport, f"{origin}/v2/a/manifests/1").status == 200


# --- Redirected hosts ---------------------------------------------------------------------

CDN = "https://cdn.example"


def composed(world, credentials=None, **options):
    policy = RetryPolicy(attempts=3, backoff=0.0)
    store = credentials or NoCredentials()
    return registry_transport(
        world, origin=ORIGIN, credentials=store, retry_policy=policy, **options
    )


def redirecting(site, location):
    """A registry that redirects authenticated requests."""

    def reply(seen):
        answer = site(seen)
        return Reply(307, (("Location", location),)) if answer.status == 200 else answer

    return reply


def test_presigned_storage_gets_no_token():
    def storage(seen):
        return Reply(400 if seen.authorization else 200, body=b"blob")

    world = World(
        {
            ORIGIN: redirecting(BearerSite(CHALLENGE), f"{CDN}/blob?sig=1"),
            AUTH: TokenSite(),
            CDN: storage,
        }
    )
    response = get(composed(world), f"{ORIGIN}/v2/a/blobs/{DIGEST}")
    assert (response.status, response.body.read()) == (200, b"blob")
    assert response.url == f"{CDN}/blob?sig=1"


def test_challenge_of_a_redirect_target_is_answered_anonymously():
    foreign = f'Bearer realm="{CDN}/token",service="cdn",scope="repository:m/a:pull"'
    tokens, bearer = TokenSite(), BearerSite(foreign)
    world = World(
        {
            ORIGIN: redirecting(BasicSite("alice", "open sesame"), f"{CDN}/v2/m/a/manifests/1"),
            CDN: lambda seen: (tokens if seen.path == "/token" else bearer)(seen),
        }
    )
    transport = composed(world, StaticCredentials(ALICE))
    response = get(transport, headers={"X-Api-Key": "secret", "Accept": "x/y"})
    assert response.status == 200
    asked, token, answered = world.to(CDN)
    assert [one.authorization for one in (asked, token, answered)] == ["", "", "Bearer T1"]
    assert token.scopes == ["repository:m/a:pull"]
    assert "X-Api-Key" not in answered.headers
    assert answered.headers["Accept"] == "x/y"


@pytest.mark.parametrize(
    ("method", "field"),
    [
        ("GET", 'Basic realm="give me your password"'),
        ("GET", ""),
        ("PUT", f'Bearer realm="{CDN}/token"'),
    ],
)
def test_a_redirected_host_gets_one_anonymous_token_only(method, field):
    world = World(
        {
            ORIGIN: redirecting(BasicSite("alice", "open sesame"), f"{CDN}/v2/m/a/manifests/1"),
            CDN: BasicSite("alice", "open sesame", challenge=field),
        }
    )
    response = get(composed(world, StaticCredentials(ALICE)), method=method)
    assert response.status == 401
    assert [one.authorization for one in world.to(CDN)] == [""]


def test_a_redirected_hosts_unsafe_realm_is_refused():
    world = World(
        {
            ORIGIN: redirecting(BasicSite("alice", "open sesame"), f"{CDN}/v2/m/a/manifests/1"),
            CDN: BearerSite('Bearer realm="https://169.254.169.254/token"'),
        }
    )
    with pytest.raises(UnsafeRedirectError):
        get(composed(world, StaticCredentials(ALICE)))


def test_a_redirected_host_that_issues_no_token_leaves_its_401():
    tokens, bearer = TokenSite("nobody"), BearerSite(f'Bearer realm="{CDN}/token"')
    world = World(
        {
            ORIGIN: redirecting(BasicSite("alice", "open sesame"), f"{CDN}/v2/m/a/manifests/1"),
            CDN: lambda seen: (tokens if seen.path == "/token" else bearer)(seen),
        }
    )
    assert get(composed(world, StaticCredentials(ALICE))).status == 401


def test_redirect_of_a_token_server_gets_no_credential():
    world = World(
        {
            ORIGIN: BearerSite(CHALLENGE),
            AUTH: lambda _: Reply(307, (("Location", "https://evil.example/token"),)),
            "https://evil.example": TokenSite(""),
        }
    )
    get(composed(world, StaticCredentials(ALICE)))
    assert world.to("https://evil.example")[0].authorization == ""
    with pytest.raises(UnsafeRedirectError):
        get(composed(world, StaticCredentials(Credential(identity_token="refresh"))))
    assert all(b"refresh" not in one.body for one in world.to("https://evil.example"))


def test_failed_token_request_is_retried():
    tokens, fails = TokenSite(), [503, 429]
    world = World(
        {
            ORIGIN: BearerSite(CHALLENGE),
            AUTH: lambda seen: Reply(fails.pop()) if fails else tokens(seen),
        }
    )
    assert get(composed(world)).status == 200
    assert len(world.to(AUTH)) == 3


# --- Threads ------------------------------------------------------------------------------


def test_threads_share_one_token(world):
    transport = authorizer(world, StaticCredentials(Credential()))
    get(transport, f"{ORIGIN}/v2/other/manifests/1")  # the challenge is known now
    with ThreadPoolExecutor(16) as threads:
        urls = [f"{ORIGIN}/v2/{name}/manifests/1" for name in "ab"] * 16
        assert {one.status for one in threads.map(lambda url: get(transport, url), urls)} == {200}
    assert sorted(one.scopes[0] for one in world.to(AUTH)) == [
        "repository:a:pull",
        "repository:b:pull",
        "repository:other:pull",
    ]


def test_threads_replace_a_revoked_token_once():
    site = BearerSite(CHALLENGE)
    world = World({ORIGIN: site, AUTH: TokenSite()})
    transport = authorizer(world)
    get(transport)
    site.valid = {"T2"}
    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(lambda _: get(transport).status, range(64)))
    assert set(statuses) == {200}
    assert len(world.to(AUTH)) == 2


# --- What shows ---------------------------------------------------------------------------


def test_no_secret_is_logged_or_raised(caplog):
    secrets = ["open sesame", basic("alice", "open sesame")[6:], "very-secret-token", "sig=1"]
    sites = {
        ORIGIN: BearerSite(
            CHALLENGE.replace("/token", "/token?sig=1"), valid={"very-secret-token"}
        ),
        AUTH: lambda _: Reply(200, body=b'{"token": "very-secret-token"}'),
    }
    world = World(sites)
    with caplog.at_level(logging.DEBUG):
        transport = composed(world, StaticCredentials(ALICE))
        assert get(transport).status == 200
        sites[AUTH] = lambda _: Reply(401, body=b"bad password: open sesame")
        failing = composed(World(sites), StaticCredentials(ALICE))
        with pytest.raises(RegistryError) as caught:
            get(failing)
    shown = caplog.text + "".join(traceback.format_exception(caught.value)) + repr(transport)
    for secret in secrets:
        assert secret not in shown
    assert "get a token" in caplog.text


def test_huge_or_truncated_401_body_is_tolerated():
    class Broken:
        def __init__(self, *chunks):
            self.chunks = list(chunks)

        def read(self, size=-1, /):
            if not self.chunks:
                raise AssertionError("read too far")
            chunk = self.chunks.pop(0)
            if isinstance(chunk, Exception):
                raise chunk
            return chunk[:size]

        def close(self):
            pass

    for body in (
        Broken(*[b"x" * 40_000] * 2),
        Broken(b"part", TransportError("GET", MANIFEST, "reset")),
    ):

        class Transport(World):
            def send(self, request, body=body):
                return evolve(super().send(request), body=body)

        transport = Transport({ORIGIN: lambda _: Reply(401, (("WWW-Authenticate", "Basic"),))})
        response = get(authorizer(transport))
        assert response.status == 401
        assert len(response.body.read()) <= 65536


def test_requests_and_responses_are_passed_on_unchanged(world):
    transport = authorizer(world)
    response = get(transport, headers={"Accept": "x/y", "User-Agent": "me/2"})
    assert response.body.read() == b"ok"
    assert {one.headers["User-Agent"] for one in world.seen} == {"me/2"}
    assert isinstance(world.seen[0], Seen)
    assert world.to(ORIGIN)[1].headers["Accept"] == "x/y"


# --- Fewer scopes -------------------------------------------------------------------------


UPLOAD = f"{ORIGIN}/v2/a/blobs/uploads/"


class ReadOnly:
    """A token server that refuses tokens for more than `pull`."""

    def __init__(self, status, accepted=""):
        self.status = status
        self.issuing = TokenSite(accepted or basic("alice", "open sesame"))

    def __call__(self, seen):
        allowed = {f"repository:{name}:pull" for name in "ab"}
        return self.issuing(seen) if set(seen.scopes) <= allowed else Reply(self.status)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("pulled_before", [True, False])
def test_a_refused_push_leaves_pulls_alone(status, pulled_before):
    world = World({ORIGIN: BearerSite(CHALLENGE), AUTH: ReadOnly(status)})
    transport = authorizer(world, StaticCredentials(ALICE))
    if pulled_before:
        assert get(transport).status == 200
    transport.expect(Scope("repository", "a", ("pull", "push")))
    for _ in range(2):
        with pytest.raises(RegistryError) as caught:
            get(transport, UPLOAD, method="POST")
        assert caught.value.status == status
    for name in ("a", "b", "a"):
        assert get(transport, f"{ORIGIN}/v2/{name}/manifests/1").status == 200
    asked = [tuple(one.scopes) for one in world.to(AUTH)]
    assert sorted(set(asked)) == sorted(asked)


@pytest.mark.parametrize("status", [401, 403])
def test_fewer_scopes_are_requested_if_expected_ones_are_refused(status):
    world = World({ORIGIN: BearerSite(CHALLENGE), AUTH: ReadOnly(status)})
    transport = authorizer(world, StaticCredentials(ALICE))
    transport.expect(Scope("repository", "a", ("pull", "push")))
    for _ in range(3):
        assert get(transport).status == 200
    assert [one.scopes for one in world.to(AUTH)] == [
        ["repository:a:pull,push"],
        ["repository:a:pull"],
    ]


def test_a_mount_is_tried_without_the_scope_of_a_source_that_is_refused():
    def picky(seen):
        return Reply(403) if len(seen.scopes) > 1 else Reply(200, body=b'{"token": "T1"}')

    world = World({ORIGIN: BearerSite(CHALLENGE), AUTH: picky})
    transport = authorizer(world, StaticCredentials(ALICE))
    assert get(transport, f"{UPLOAD}?mount={DIGEST}&from=b", method="POST").status == 200
    assert [one.scopes for one in world.to(AUTH)] == [
        ["repository:a:pull,push", "repository:b:pull"],
        ["repository:a:pull,push"],
    ]


def test_a_wrong_password_is_sent_once_for_each_set_of_scopes():
    world = World({ORIGIN: BearerSite(CHALLENGE), AUTH: ReadOnly(401, "nobody")})
    transport = authorizer(world, StaticCredentials(ALICE))
    transport.expect(Scope("repository", "a", ("pull", "push")))
    for name in ("a", "b", "c"):
        with pytest.raises(AuthenticationError):
            get(transport, f"{ORIGIN}/v2/{name}/manifests/1")
        with pytest.raises(AuthenticationError):
            get(transport, f"{ORIGIN}/v2/{name}/blobs/uploads/", method="POST")
    assert [one.scopes for one in world.to(AUTH)] == [
        ["repository:a:pull,push"],
        ["repository:a:pull"],
    ]


def test_a_refused_push_by_basic_leaves_pulls_alone():
    site = BasicSite("alice", "open sesame")

    def read_only(seen):
        return site(seen) if seen.method == "GET" else Reply(401, (("WWW-Authenticate", "Basic"),))

    world = World({ORIGIN: read_only})
    transport = authorizer(world, StaticCredentials(ALICE))
    for _ in range(2):
        assert get(transport, UPLOAD, method="POST").status == 401
    assert get(transport).status == 200
    assert [one.method for one in world.seen if one.authorization] == ["POST", "GET"]


# --- Several token servers, tokens that expire early --------------------------------------


def services(seen):
    """A registry whose repositories `a…` and `b…` have token servers of their own."""
    name = seen.path.split("/")[2]
    if seen.authorization == f"Bearer {name[0]}":
        return Reply(200)
    challenge = f'Bearer realm="{AUTH}/{name[0]}/token",service="{name[0]}"'
    return Reply(401, (("WWW-Authenticate", challenge),))


def issuing(seen):
    """Two token servers on one host; each refuses the other's repositories."""
    service = seen.path.split("/")[1]
    if any(not scope.startswith(f"repository:{service}") for scope in seen.scopes):
        return Reply(403)
    return Reply(200, body=json.dumps({"token": service}).encode())


@pytest.mark.parametrize("server", [issuing, None])
def test_two_token_services_on_one_host(server):
    def lenient(seen):
        return Reply(200, body=json.dumps({"token": seen.path.split("/")[1]}).encode())

    world = World({ORIGIN: services, AUTH: server or lenient})
    transport = authorizer(world, StaticCredentials(ALICE))
    for name in ("a1", "b1", "a1", "b1", "a2", "b2", "b1"):
        assert get(transport, f"{ORIGIN}/v2/{name}/manifests/1").status == 200
    before = len(world.seen)
    for name in ("a1", "b1", "a2", "b2"):
        assert get(transport, f"{ORIGIN}/v2/{name}/manifests/1").status == 200
    assert len(world.seen) == before + 4


class Aging:
    """A clock that each token server, or registry, sets forward."""

    time = 0.0

    def __call__(self):
        return self.time


@pytest.mark.parametrize("expired", [1, 5])
def test_a_token_that_expired_before_its_use_is_replaced(expired):
    clock, left = Aging(), [expired]

    def slow(seen):
        if seen.authorization and left[0]:
            left[0] -= 1
            clock.time += 60
            return Reply(401, (("WWW-Authenticate", challenge("repository:a:pull")),))
        return BearerSite(challenge("repository:a:pull"), valid={f"T{expired + 1}"})(seen)

    world = World({ORIGIN: slow, AUTH: TokenSite()})
    assert get(authorizer(world, now=clock)).status == 200
    assert len(world.to(AUTH)) == expired + 1


def test_attempts_with_tokens_that_expire_at_once_are_bounded():
    clock = Aging()

    def slow(_):
        clock.time += 60
        return Reply(401, (("WWW-Authenticate", challenge("repository:a:pull")),))

    world = World({ORIGIN: slow, AUTH: TokenSite()})
    assert get(authorizer(world, now=clock)).status == 401
    assert len(world.to(AUTH)) <= MAX_EXPIRED + 2
