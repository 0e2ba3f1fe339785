"""The ways of authentication as one table: the answers of registries, and all requests.

A row has simulated servers, a credential, requests of a client, and the golden list of the requests
that are sent: the host, the credential and the fields of a form. The last rows are recorded from
registries in use, shortened.
"""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import pytest
from attrs import field, frozen

from oras_core.credentials import NoCredentials, StaticCredentials
from oras_core.errors import AccessDeniedError, AuthenticationError, UnsafeRedirectError
from oras_core.ports.credentials import Credential
from oras_core.ports.http import HttpRequest
from oras_core.registry.auth.authorizer import Authorizer
from support.auth_world import BasicSite, BearerSite, Reply, TokenSite, World, basic

SECRETS = ("open sesame", "refresh-me", "expired-pass", "fresh-pass", "ghp_pat", "ya29.google")

R = "https://r.example"
AUTH = "https://auth.example"
ALICE = Credential("alice", "open sesame")
AS_ALICE = basic("alice", "open sesame")
REFRESH = Credential(identity_token="refresh-me")
PULL, PUSH = f"GET {R}/v2/a/manifests/1", f"PUT {R}/v2/a/manifests/1"
FORM = "grant_type=refresh_token service={} client_id=oras-sdk scope={} refresh_token={}"
GHCR_SCOPES = "repository%3Auser%2Fimage%3Apull&scope=repository%3Aocto%2Fapp%3Apull%2Cpush"


def bearer(realm=f"{AUTH}/token", service="r.example", scope="repository:a:pull", **more):
    named = {"realm": realm, "service": service, "scope": scope, **more}
    return "Bearer " + ",".join(f'{name}="{value}"' for name, value in named.items() if value)


def answer(status, **document):
    return lambda _: Reply(status, body=json.dumps(document).encode())


def by_method(**sites):
    return lambda seen: sites[seen.method](seen)


def by_path(path, site, otherwise):
    return lambda seen: (site if seen.path == path else otherwise)(seen)


def sequence(*sites):
    """Answer as each of the sites in turn, then always as the last one."""
    left = list(sites)

    def site(seen):
        return (left.pop(0) if len(left) > 1 else left[0])(seen)

    return site


@frozen
class Row:
    name: str
    sites: dict = field(repr=False)
    golden: list = field(repr=False)
    credential: Credential | None = None
    requests: tuple = (PULL,)
    outcome: object = 200
    origin: str = R
    registry: str = ""


def token_url(scope="repository%3Aa%3Apull", service="r.example", realm=f"{AUTH}/token"):
    return f"{realm}?service={service}&scope={scope}"


ROWS = [
    Row(
        "get with basic",
        {R: BearerSite(bearer()), AUTH: TokenSite(AS_ALICE)},
        [(PULL, ""), (f"GET {token_url()}", AS_ALICE), (PULL, "Bearer T1")],
        ALICE,
    ),
    Row(
        "post refresh",
        {R: BearerSite(bearer()), AUTH: TokenSite(field="access_token")},
        [
            (PULL, ""),
            (
                f"POST {AUTH}/token",
                "",
                FORM.format("r.example", "repository:a:pull", "refresh-me"),
            ),
            (PULL, "Bearer T1"),
        ],
        REFRESH,
    ),
    Row(
        "post answered 404, then get, and never post again",
        {
            R: BearerSite(bearer()),
            AUTH: by_method(POST=answer(404), GET=TokenSite(AS_ALICE)),
        },
        [
            (PULL, ""),
            (
                f"POST {AUTH}/token",
                "",
                FORM.format("r.example", "repository:a:pull", "refresh-me"),
            ),
            (f"GET {token_url()}", AS_ALICE),
            (PULL, "Bearer T1"),
            (f"GET {token_url('repository%3Aa%3Apull%2Cpush')}", AS_ALICE),
            (PUSH, "Bearer T2"),
        ],
        Credential("alice", "open sesame", "refresh-me"),
        (PULL, PUSH),
    ),
    Row(
        "access_token only",
        {R: BearerSite(bearer()), AUTH: TokenSite(AS_ALICE, field="access_token")},
        [(PULL, ""), (f"GET {token_url()}", AS_ALICE), (PULL, "Bearer T1")],
        ALICE,
    ),
    Row(
        "anonymous",
        {R: BearerSite(bearer()), AUTH: TokenSite("")},
        [(PULL, ""), (f"GET {token_url()}", ""), (PULL, "Bearer T1")],
    ),
    Row(
        "403 at the token endpoint",
        {R: BearerSite(bearer()), AUTH: answer(403, errors=[{"code": "DENIED"}])},
        [(PULL, ""), (f"GET {token_url()}", AS_ALICE)],
        ALICE,
        outcome=AccessDeniedError,
    ),
    Row(
        "realm on another host: it alone sees the password",
        {R: BearerSite(bearer()), AUTH: TokenSite(AS_ALICE)},
        [(PULL, ""), (f"GET {token_url()}", AS_ALICE), (PULL, "Bearer T1")],
        ALICE,
    ),
    Row(
        "realm on another host without TLS",
        {R: BearerSite(bearer("http://auth.example/token"))},
        [(PULL, "")],
        ALICE,
        outcome=UnsafeRedirectError,
    ),
    Row(
        "basic only",
        {R: BasicSite("alice", "open sesame")},
        [(PULL, ""), (PULL, AS_ALICE), (PUSH, AS_ALICE)],
        ALICE,
        (PULL, PUSH),
    ),
    Row(
        "no challenge, and none at the base: basic is tried",
        {R: BasicSite("alice", "open sesame", challenge="")},
        [(PULL, ""), (f"GET {R}/v2/", ""), (PULL, AS_ALICE)],
        ALICE,
    ),
    Row(
        "no challenge but at the base",
        {
            R: by_path(
                "/v2/",
                BearerSite(bearer(scope=""), valid=set()),
                sequence(lambda _: Reply(401), BearerSite("")),
            ),
            AUTH: TokenSite(""),
        },
        [(PULL, ""), (f"GET {R}/v2/", ""), (f"GET {token_url()}", ""), (PULL, "Bearer T1")],
    ),
    Row(
        "two challenges: bearer",
        {R: BearerSite(f'Basic realm="for people, too", {bearer()}'), AUTH: TokenSite(AS_ALICE)},
        [(PULL, ""), (f"GET {token_url()}", AS_ALICE), (PULL, "Bearer T1")],
        ALICE,
    ),
    Row(
        "a wrong password, sent once whatever is asked",
        {R: BearerSite(bearer()), AUTH: TokenSite("nobody")},
        [(PULL, ""), (f"GET {token_url()}", AS_ALICE)],
        ALICE,
        outcome=AuthenticationError,
    ),
    # --- Registries in use -----------------------------------------------------------------
    Row(
        "docker hub, anonymous",
        {
            "https://registry-1.docker.io": BearerSite(
                bearer(
                    "https://auth.docker.io/token",
                    "registry.docker.io",
                    "repository:library/alpine:pull",
                )
            ),
            "https://auth.docker.io": answer(
                200,
                token="T1",
                access_token="T1",
                expires_in=300,
                issued_at="2024-05-01T10:00:00.000000000Z",
            ),
        },
        [
            ("GET https://registry-1.docker.io/v2/library/alpine/manifests/3", ""),
            (
                f"GET {token_url('repository%3Alibrary%2Falpine%3Apull', 'registry.docker.io', 'https://auth.docker.io/token')}",
                "",
            ),
            ("GET https://registry-1.docker.io/v2/library/alpine/manifests/3", "Bearer T1"),
        ],
        requests=("GET https://registry-1.docker.io/v2/library/alpine/manifests/3",),
        origin="https://registry-1.docker.io",
        registry="docker.io",
    ),
    Row(
        "ghcr, a personal access token, push",
        {
            "https://ghcr.io": by_path(
                "/token",
                TokenSite(basic("octo", "ghp_pat")),
                BearerSite(
                    bearer("https://ghcr.io/token", "ghcr.io", "repository:user/image:pull")
                ),
            )
        },
        [
            ("POST https://ghcr.io/v2/octo/app/blobs/uploads/", ""),
            (
                # The challenge names somebody else's repository; what is asked for counts too.
                f"GET {token_url(GHCR_SCOPES, 'ghcr.io', 'https://ghcr.io/token')}",
                basic("octo", "ghp_pat"),
            ),
            ("POST https://ghcr.io/v2/octo/app/blobs/uploads/", "Bearer T1"),
        ],
        Credential("octo", "ghp_pat"),
        ("POST https://ghcr.io/v2/octo/app/blobs/uploads/",),
        origin="https://ghcr.io",
    ),
    Row(
        "ghcr, a private package for nobody",
        {
            "https://ghcr.io": by_path(
                "/token",
                answer(
                    403,
                    errors=[
                        {"code": "DENIED", "message": "requested access to the resource is denied"}
                    ],
                ),
                BearerSite(bearer("https://ghcr.io/token", "ghcr.io", "repository:octo/app:pull")),
            )
        },
        [
            ("GET https://ghcr.io/v2/octo/app/manifests/1", ""),
            ("GET https://ghcr.io/token?service=ghcr.io&scope=repository%3Aocto%2Fapp%3Apull", ""),
        ],
        requests=("GET https://ghcr.io/v2/octo/app/manifests/1",),
        outcome=AccessDeniedError,
        origin="https://ghcr.io",
    ),
    Row(
        "acr, an identity token that is renewed",
        {
            "https://my.azurecr.io": by_path(
                "/oauth2/token",
                sequence(
                    answer(200, access_token="T1", refresh_token="renewed-token"),
                    answer(200, access_token="T2"),
                ),
                BearerSite(
                    bearer(
                        "https://my.azurecr.io/oauth2/token",
                        "my.azurecr.io",
                        "repository:a:pull",
                        error="invalid_token",
                    )
                ),
            )
        },
        [
            ("GET https://my.azurecr.io/v2/a/manifests/1", ""),
            (
                "POST https://my.azurecr.io/oauth2/token",
                "",
                FORM.format("my.azurecr.io", "repository:a:pull", "refresh-me"),
            ),
            ("GET https://my.azurecr.io/v2/a/manifests/1", "Bearer T1"),
            (
                "POST https://my.azurecr.io/oauth2/token",
                "",
                FORM.format("my.azurecr.io", "repository:a:pull,push", "renewed-token"),
            ),
            ("PUT https://my.azurecr.io/v2/a/manifests/1", "Bearer T2"),
        ],
        Credential("00000000-0000-0000-0000-000000000000", "", "refresh-me"),
        (
            "GET https://my.azurecr.io/v2/a/manifests/1",
            "PUT https://my.azurecr.io/v2/a/manifests/1",
        ),
        origin="https://my.azurecr.io",
    ),
    Row(
        "gar, an access token of google's as the password",
        {
            "https://us-docker.pkg.dev": by_path(
                "/v2/token",
                TokenSite(basic("oauth2accesstoken", "ya29.google"), expires_in=3600),
                BearerSite(
                    bearer(
                        "https://us-docker.pkg.dev/v2/token",
                        "us-docker.pkg.dev",
                        "repository:p/r/a:pull",
                    )
                ),
            )
        },
        [
            ("GET https://us-docker.pkg.dev/v2/p/r/a/manifests/1", ""),
            (
                f"GET {token_url('repository%3Ap%2Fr%2Fa%3Apull', 'us-docker.pkg.dev', 'https://us-docker.pkg.dev/v2/token')}",
                basic("oauth2accesstoken", "ya29.google"),
            ),
            ("GET https://us-docker.pkg.dev/v2/p/r/a/manifests/1", "Bearer T1"),
        ],
        Credential("oauth2accesstoken", "ya29.google"),
        ("GET https://us-docker.pkg.dev/v2/p/r/a/manifests/1",),
        origin="https://us-docker.pkg.dev",
    ),
    Row(
        "quay, a delete asks for everything, since it refuses to hear of deleting",
        {
            "https://quay.io": by_path(
                "/v2/auth",
                TokenSite(AS_ALICE),
                BearerSite(bearer("https://quay.io/v2/auth", "quay.io", "repository:o/a:*")),
            )
        },
        [
            ("DELETE https://quay.io/v2/o/a/manifests/1", ""),
            (
                "GET https://quay.io/v2/auth?service=quay.io&scope=repository%3Ao%2Fa%3A%2A",
                AS_ALICE,
            ),
            ("DELETE https://quay.io/v2/o/a/manifests/1", "Bearer T1"),
        ],
        ALICE,
        ("DELETE https://quay.io/v2/o/a/manifests/1",),
        origin="https://quay.io",
    ),
    Row(
        "gitlab, the token server is another host",
        {
            "https://registry.gitlab.com": BearerSite(
                bearer("https://gitlab.com/jwt/auth", "container_registry", "repository:g/a:pull")
            ),
            "https://gitlab.com": TokenSite(basic("gitlab-ci-token", "open sesame")),
        },
        [
            ("GET https://registry.gitlab.com/v2/g/a/manifests/1", ""),
            (
                f"GET {token_url('repository%3Ag%2Fa%3Apull', 'container_registry', 'https://gitlab.com/jwt/auth')}",
                basic("gitlab-ci-token", "open sesame"),
            ),
            ("GET https://registry.gitlab.com/v2/g/a/manifests/1", "Bearer T1"),
        ],
        Credential("gitlab-ci-token", "open sesame"),
        ("GET https://registry.gitlab.com/v2/g/a/manifests/1",),
        origin="https://registry.gitlab.com",
    ),
    Row(
        "harbor, a robot with a dollar in its name",
        {
            "https://harbor.example": by_path(
                "/service/token",
                TokenSite(basic("robot$ci", "open sesame"), field="token", access_token=""),
                BearerSite(
                    bearer(
                        "https://harbor.example/service/token",
                        "harbor-registry",
                        "repository:p/a:pull",
                    )
                ),
            )
        },
        [
            ("GET https://harbor.example/v2/p/a/manifests/1", ""),
            (
                f"GET {token_url('repository%3Ap%2Fa%3Apull', 'harbor-registry', 'https://harbor.example/service/token')}",
                basic("robot$ci", "open sesame"),
            ),
            ("GET https://harbor.example/v2/p/a/manifests/1", "Bearer T1"),
        ],
        Credential("robot$ci", "open sesame"),
        ("GET https://harbor.example/v2/p/a/manifests/1",),
        origin="https://harbor.example",
    ),
    Row(
        "nexus, basic alone",
        {R: BasicSite("alice", "open sesame", challenge='BASIC realm="Sonatype Nexus"')},
        [(PULL, ""), (PULL, AS_ALICE)],
        ALICE,
    ),
]


def sent(seen):
    line = (seen.line, seen.authorization)
    if not seen.body:
        return line
    return (*line, " ".join(f"{name}={value}" for name, value in parse_qsl(seen.body.decode())))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_requests_equal_the_golden_list(row):
    world = World(row.sites)
    store = StaticCredentials(row.credential) if row.credential else NoCredentials()
    transport = Authorizer(world, origin=row.origin, credentials=store, registry=row.registry)
    for line in row.requests:
        method, _, url = line.partition(" ")
        if isinstance(row.outcome, int):
            assert transport.send(HttpRequest(method, url)).status == row.outcome
        else:
            with pytest.raises(row.outcome):
                transport.send(HttpRequest(method, url))
    assert [sent(seen) for seen in world.seen] == row.golden


# --- Amazon -------------------------------------------------------------------------------

ECR = "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com"


class Helper:
    """A store that gets passwords from elsewhere: the first has expired, it does not know yet."""

    def __init__(self, *passwords):
        self.passwords = list(passwords)
        self.refreshed = []

    def get(self, registry):
        return Credential("AWS", self.passwords[0])

    def refresh(self, registry):
        self.refreshed.append(registry)
        if len(self.passwords) > 1:
            self.passwords.pop(0)

    def put(self, registry, credential): ...

    delete = put


def expired(status, text):
    return lambda _: Reply(status, body=text.encode())


EXPIRED = json.dumps(
    {
        "errors": [
            {
                "code": "DENIED",
                "message": "Your authorization token has expired. Reauthenticate and try again.",
            }
        ]
    }
)


def ecr(seen):
    field = f'Basic realm="{ECR}/",service="ecr.amazonaws.com"'
    if not seen.authorization:
        return Reply(401, (("WWW-Authenticate", field),), b"Not Authorized")
    if seen.authorization == basic("AWS", "expired-pass"):
        return Reply(403, body=EXPIRED.encode())
    return Reply(200)


def test_ecr_403_for_an_expired_password_renews_the_password():
    world, store = World({ECR: ecr}), Helper("expired-pass", "fresh-pass")
    transport = Authorizer(world, origin=ECR, credentials=store)
    url = f"{ECR}/v2/a/manifests/1"
    assert transport.send(HttpRequest("GET", url)).status == 200
    assert transport.send(HttpRequest("GET", url)).status == 200
    old, new = basic("AWS", "expired-pass"), basic("AWS", "fresh-pass")
    assert [seen.authorization for seen in world.seen] == ["", old, new, new]
    assert store.refreshed == [f"{ECR.removeprefix('https://')}/a"]


def test_ecr_403_is_an_error_without_a_newer_password():
    world, store = World({ECR: ecr}), Helper("expired-pass")
    response = Authorizer(world, origin=ECR, credentials=store).send(
        HttpRequest("GET", f"{ECR}/v2/a/manifests/1")
    )
    assert (response.status, response.body.read()) == (403, EXPIRED.encode())
    assert len(world.seen) == 2


def test_other_403_renews_no_password():
    def denying(seen):
        answer = ecr(seen)
        return Reply(403, body=b"no such repository") if answer.status == 403 else answer

    world, store = World({ECR: denying}), Helper("expired-pass", "fresh-pass")
    response = Authorizer(world, origin=ECR, credentials=store).send(
        HttpRequest("GET", f"{ECR}/v2/a/manifests/1")
    )
    assert (response.status, response.body.read()) == (403, b"no such repository")
    assert store.refreshed == []


def test_ecr_public_400_for_an_expired_token_renews_the_token():
    origin = "https://public.ecr.aws"
    challenge = bearer(f"{origin}/token/", "public.ecr.aws", "aws")
    valid = BearerSite(challenge)

    def public(seen):
        if seen.authorization == "Bearer T1" and len(world.to(origin)) > 3:
            return Reply(400, body=b'{"errors": [{"message": "Authorization token expired"}]}')
        return valid(seen)

    world = World({origin: by_path("/token/", TokenSite(""), public)})
    transport = Authorizer(world, origin=origin, credentials=NoCredentials())
    url = f"{origin}/v2/r/a/manifests/1"
    for _ in range(2):
        assert transport.send(HttpRequest("GET", url)).status == 200
    assert [seen.path for seen in world.seen].count("/token/") == 2
    assert world.seen[-1].authorization == "Bearer T2"
