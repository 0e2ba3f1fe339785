"""Who may see a credential, and where the client may be sent (CVE-2020-15157, CWE-319, CWE-532)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve

from support.hostile_registry import (
    Altered,
    Answer,
    Echo,
    Endless,
    HostileRegistry,
    Login,
    Play,
    Rule,
    WithHeaders,
)
from support.threat_cases import (
    CONTENT,
    IDENTITY,
    OLDER,
    PASSWORD,
    SIGNATURE,
    Artifact,
    Case,
    Folders,
    Layer,
)

__all__ = ["ROWS"]

BLOB = "GET /v2/app/blobs/"
MANIFEST = "GET /v2/app/manifests/"
TAGS = "GET /v2/app/tags/list"
BOTH = ("http", "https")
HERE = {"artifact.txt": OLDER}
TAKEN = {"artifact.txt": CONTENT}

BASIC = Login("basic", password=PASSWORD)
BEARER = Login("bearer", password=PASSWORD)
BY_IDENTITY = Login("bearer", password=PASSWORD, identity=IDENTITY)
KNOWN = evolve(BASIC, demands=False)

LIST_TAGS = ({"do": "get_tags", "container": "{host}/app"},)
PUSH = ({"do": "push", "target": "{host}/app:v1", "files": ["artifact.txt"]},)
SOURCE = {"artifact.txt": CONTENT}

OWN_TOKENS = 'Bearer realm="{origin}/token",service="hostile",scope="repository:app:pull"'
"""The challenge of a registry that issues tokens itself."""

Check = Callable[[Folders, HostileRegistry], str]


def _to(address: str, status: str = "307 Temporary Redirect") -> Answer:
    return Answer(status, {"Location": address})


def _no_cookie(_: Folders, registry: HostileRegistry) -> str:
    return next((f"{r.line} has a cookie" for r in registry.received if "cookie" in r.headers), "")


# --- Redirects that may be followed -------------------------------------------------------


def _followed(name: str, does: str, *rules: Rule, login: Login = BASIC, **more: Any) -> Case:
    return Case(
        f"redirect-{name}",
        does,
        rules=rules,
        login=login,
        before=HERE,
        **{"after": TAKEN, "stranger_at_least": 1, "schemes": BOTH, **more},
    )


FOLLOWED = [
    *(
        _followed(
            f"blob-{status.partition(' ')[0]}",
            f"sends the client for a blob to another host, by {status}",
            Rule(BLOB, (_to("{stranger}/v2/app/blobs/NAME", status),)),
            stranger=(Rule("/blobs/NAME", (Answer(body=CONTENT),)),),
        )
        for status in (
            "301 Moved Permanently",
            "302 Found",
            "303 See Other",
            "307 Temporary Redirect",
            "308 Permanent Redirect",
        )
    ),
    _followed(
        "blob-bearer",
        "sends the client with its token for a blob to another host",
        Rule(BLOB, (_to("{stranger}/b"),)),
        login=BEARER,
        stranger=(Rule("/b", (Answer(body=CONTENT),)),),
    ),
    _followed(
        "blob-relative-scheme",
        "sends the client to another host by an address without a scheme",
        Rule(BLOB, (_to("//{stranger_host}/b"),)),
        stranger=(Rule("/b", (Answer(body=CONTENT),)),),
    ),
    _followed(
        "manifest",
        "sends the client for a manifest to another host",
        Rule(MANIFEST, (_to("{stranger}/v2/app/manifests/v1"),)),
    ),
    _followed(
        "own-header",
        "sends the client to another host with a header field of the user's own",
        Rule(BLOB, (_to("{stranger}/b"),)),
        stranger=(Rule("/b", (Answer(body=CONTENT),)),),
        steps=(
            {"do": "set_header", "name": "X-Api-Key", "value": "team-secret"},
            {"do": "pull", "target": "{host}/app:v1", "outdir": "{out}"},
        ),
    ),
    _followed(
        "twice",
        "sends the client on and on, from host to host",
        Rule(BLOB, (_to("{stranger}/one"),)),
        stranger=(Rule("/one", (_to("{stranger}/two"),)), Rule("/two", (Answer(body=CONTENT),))),
        stranger_at_least=2,
    ),
    _followed(
        "back",
        "sends the client to another host, which sends it back",
        Rule("/public", (Answer(body=CONTENT),)),
        Rule(BLOB, (_to("{stranger}/one"),)),
        stranger=(Rule("/one", (_to("{origin}/public"),)),),
    ),
    _followed(
        "changed",
        "sends the client to another host, which sends other bytes",
        Rule(BLOB, (_to("{stranger}/b"),)),
        stranger=(Rule("/b", (Answer(body=b"x" * len(CONTENT)),)),),
        after=None,
        error="DigestMismatchError",
    ),
    _followed(
        "presigned",
        "sends the client to a signed address",
        Rule(BLOB, (_to("{stranger}/b?X-Amz-Signature={signature}"),)),
        stranger=(Rule("/b", (Answer(body=CONTENT),)),),
    ),
    _followed(
        "presigned-refused",
        "sends the client to a signed address that is refused, and repeated",
        Rule(BLOB, (_to("{stranger}/b?X-Amz-Signature={signature}"),)),
        stranger=(
            Rule(
                "/b",
                (
                    Answer(
                        "403 Forbidden",
                        {"Content-Type": "application/xml"},
                        f"<Error><Message>no</Message><Signature>{SIGNATURE}</Signature></Error>",
                    ),
                ),
            ),
        ),
        after=None,
        error="AccessDeniedError",
    ),
    _followed(
        "presigned-reset",
        "sends the client to a signed address that does not answer",
        Rule(BLOB, (_to("{stranger}/b?X-Amz-Signature={signature}"),)),
        stranger=(Rule("/b", (Answer("500 Oops"),)),),
        after=None,
        error="RegistryError",
        seconds=10,
    ),
    _followed(
        "untrusted",
        "sends the client to a host whose certificate is of nobody",
        Rule(BLOB, (_to("{stranger}/b"),)),
        stranger_tls="untrusted",
        stranger_at_least=0,
        schemes=("https",),
        after=None,
        error="TlsError",
        at_most={BLOB: 2},
    ),
]

CHALLENGED = [
    _followed(
        f"challenge-{name}",
        f"sends the client to another host, which asks {does}",
        Rule(BLOB, (_to("{stranger}/b"),)),
        login=login,
        stranger=(
            Rule("/b", (Answer("401 Unauthorized", {"WWW-Authenticate": challenge}),)),
            Rule("/token", (Answer(body='{"token": "an0nym0us"}'),)),
        ),
        after=None,
        error="AuthenticationError",
    )
    for name, does, login, challenge in (
        ("basic", "for the password", BASIC, 'Basic realm="x"'),
        (
            "bearer-own",
            "for a token of its own token server",
            BEARER,
            'Bearer realm="{stranger}/token",service="x"',
        ),
        (
            "bearer-back",
            "for a token of the registry's token server",
            BEARER,
            'Bearer realm="{origin}/token",service="hostile"',
        ),
        (
            "both",
            "for whatever there is",
            BASIC,
            'Bearer realm="{stranger}/token", Basic realm="x"',
        ),
    )
]

# --- Redirects that are refused -----------------------------------------------------------

TARGETS: tuple[tuple[str, str, str], ...] = (
    (
        "link-local",
        "{scheme}://169.254.169.254/latest/meta-data",
        "the address of a cloud's credentials",
    ),
    ("link-local-decimal", "{scheme}://2852039166/latest", "that address as one number"),
    ("link-local-hex", "{scheme}://0xa9fea9fe/latest", "that address in hexadecimal"),
    ("link-local-octal", "{scheme}://0251.0376.0251.0376/latest", "that address in octal"),
    ("link-local-mapped", "{scheme}://[::ffff:169.254.169.254]/latest", "that address within IPv6"),
    (
        "link-local-nat64",
        "{scheme}://[64:ff9b::a9fe:a9fe]/latest",
        "that address behind a translator",
    ),
    ("link-local-ipv6", "{scheme}://[fe80::1]/latest", "a link-local address of IPv6"),
    ("file", "file:///etc/passwd", "a file"),
    ("ftp", "ftp://{stranger_host}/b", "another protocol"),
    ("gopher", "gopher://{stranger_host}/b", "another protocol"),
    ("javascript", "javascript:alert(1)", "a script"),
    ("data", "data:text/plain,hello", "data"),
    ("unix", "http+unix://%2Fvar%2Frun%2Fdocker.sock/", "a socket of this machine"),
    ("user", "{scheme}://alice:pw@{stranger_host}/b", "an address with a password"),
    (
        "user-host",
        "{scheme}://{host}@{stranger_host}/b",
        "an address that begins as the registry's",
    ),
    ("backslash", "{scheme}://{stranger_host}\\@{host}/b", "an address that is read in two ways"),
    ("control", "{scheme}://{stranger_host}/\x01b", "an address with a control character"),
    ("tab", "{scheme}://{stranger_\thost}/b", "an address with a tab"),
    ("port-large", "{scheme}://{host}9/b", "a port that there is not"),
    ("port-rubbish", "{scheme}://127.0.0.1:abc/b", "a port that is no number"),
    ("ipv6-rubbish", "{scheme}://[::1/b", "half an address"),
    ("wide", "{scheme}://\uff45xample.org/b", "a host of look-alike letters"),
    ("percent-host", "{scheme}://%31%32%37.0.0.1/b", "an escaped host"),
    ("empty", "", "nowhere"),
    ("spaces", "   ", "nowhere but spaces"),
)


def _refused(
    kind: str,
    does: str,
    make: Callable[[str], tuple[Rule, ...]],
    targets: Sequence[str],
    **more: Any,
) -> list[Case]:
    return [
        Case(
            f"{kind}-{name}",
            f"{does} {words}",
            rules=make(target),
            login=BASIC,
            before=HERE,
            stranger_at_most=0,
            schemes=BOTH,
            **{"error": "UnsafeRedirectError", **more},
        )
        for name, target, words in TARGETS
        if name in targets
    ]


ALL = [name for name, _, _ in TARGETS]
SOME = ["link-local", "link-local-decimal", "file", "user", "backslash", "port-rubbish"]

REFUSED = [
    *_refused(
        "redirect-to",
        "sends the client to",
        lambda target: (Rule(BLOB, (_to(target),)),),
        [name for name in ALL if name not in ("wide", "control")],
    ),
    *_refused(
        "redirect-manifest-to",
        "sends the client for a manifest to",
        lambda target: (Rule(MANIFEST, (_to(target),)),),
        SOME,
    ),
    *_refused(
        "link-to",
        "says that the next page of tags is at",
        lambda target: (
            Rule(
                TAGS, (Answer(headers={"Link": f'<{target}>; rel="next"'}, body='{"tags":["a"]}'),)
            ),
        ),
        SOME,
        steps=LIST_TAGS,
    ),
    *_refused(
        "location-to",
        "says that the upload goes on at",
        lambda target: (Rule("POST /v2/app/blobs/uploads", (_to(target, "202 Accepted"),)),),
        SOME,
        steps=PUSH,
        source=SOURCE,
        at_most={"PUT": 0},
    ),
    *_refused(
        "realm-at",
        "says that tokens are to be had at",
        lambda target: (
            Rule(
                MANIFEST,
                (Answer("401 Unauthorized", {"WWW-Authenticate": f'Bearer realm="{target}"'}),),
            ),
        ),
        ["link-local", "link-local-hex", "file", "user"],
    ),
]

DOWNGRADED = [
    evolve(case, before=HERE, login=BASIC, error="UnsafeRedirectError", schemes=("https",))
    for case in (
        Case(
            "downgrade-blob",
            "sends the client for a blob to plain HTTP",
            rules=(Rule(BLOB, (_to("{plain}/b"),)),),
        ),
        Case(
            "downgrade-manifest",
            "sends the client for a manifest to plain HTTP",
            rules=(Rule(MANIFEST, (_to("{plain}/v2/app/manifests/v1"),)),),
        ),
        Case(
            "downgrade-own",
            "sends the client to itself over plain HTTP",
            rules=(Rule(BLOB, (_to("http://{host}/b"),)),),
        ),
        Case(
            "downgrade-link",
            "says that the next page is at plain HTTP",
            rules=(
                Rule(
                    TAGS,
                    (Answer(headers={"Link": '<{plain}/x>; rel="next"'}, body='{"tags":["a"]}'),),
                ),
            ),
            steps=LIST_TAGS,
        ),
        Case(
            "downgrade-location",
            "says that the upload goes on at plain HTTP",
            rules=(Rule("POST /v2/app/blobs/uploads", (_to("{plain}/u", "202 Accepted"),)),),
            steps=PUSH,
            source=SOURCE,
        ),
        Case(
            "downgrade-realm",
            "says that tokens are to be had over plain HTTP",
            rules=(
                Rule(
                    MANIFEST,
                    (
                        Answer(
                            "401 Unauthorized", {"WWW-Authenticate": 'Bearer realm="{plain}/token"'}
                        ),
                    ),
                ),
            ),
        ),
        Case(
            "downgrade-token",
            "sends the client from the token server to plain HTTP",
            rules=(
                Rule(
                    MANIFEST,
                    (
                        Answer(
                            "401 Unauthorized",
                            {"WWW-Authenticate": 'Bearer realm="{origin}/token"'},
                        ),
                    ),
                ),
                Rule("/token", (_to("{plain}/token"),)),
            ),
        ),
    )
]

# --- Pages, uploads and token servers elsewhere -------------------------------------------

ELSEWHERE = [
    Case(
        "link-other-host",
        "says that the next page of tags is at another host",
        rules=(
            Rule(
                TAGS,
                (
                    Answer(
                        headers={"Link": '<{stranger}/v2/app/tags/list>; rel="next"'},
                        body='{"tags":["a"]}',
                    ),
                ),
            ),
        ),
        login=BASIC,
        steps=LIST_TAGS,
        error="UnsafeRedirectError",
        stranger_at_most=0,
        schemes=BOTH,
    ),
    Case(
        "location-other-host",
        "says that the upload goes on at another host",
        rules=(
            Rule("POST /v2/app/blobs/uploads", (_to("{stranger}/u", "202 Accepted"),)),
            Rule("PUT /v2/app/manifests", (Answer("201 Created"),)),
        ),
        stranger=(Rule("PUT", (Answer("201 Created"),)),),
        login=BASIC,
        steps=PUSH,
        source=SOURCE,
        stranger_at_least=1,
        schemes=BOTH,
    ),
    Case(
        "location-other-host-challenge",
        "says that the upload goes on at another host, which asks for the password",
        rules=(Rule("POST /v2/app/blobs/uploads", (_to("{stranger}/u", "202 Accepted"),)),),
        stranger=(
            Rule("", (Answer("401 Unauthorized", {"WWW-Authenticate": 'Basic realm="x"'}),)),
        ),
        login=BASIC,
        steps=PUSH,
        source=SOURCE,
        error="AuthenticationError",
        at_most={"PUT /v2/app/manifests": 0},
        schemes=BOTH,
    ),
    Case(
        "location-moved",
        "sends an upload on to another host, by 307",
        rules=(
            Rule("PUT /v2/app/blobs", (_to("{stranger}/u"),)),
            Rule("PUT /v2/app/manifests", (Answer("201 Created"),)),
        ),
        stranger=(Rule("PUT", (Answer("201 Created"),)),),
        login=BASIC,
        steps=PUSH,
        source=SOURCE,
        stranger_at_least=1,
        schemes=BOTH,
    ),
    Case(
        "location-moved-302",
        "sends an upload on to another host, by 302",
        rules=(Rule("PUT /v2/app/blobs", (_to("{stranger}/u", "302 Found"),)),),
        login=BASIC,
        steps=PUSH,
        source=SOURCE,
        error="RegistryError",
        stranger_at_most=0,
        at_most={"PUT /v2/app/manifests": 0},
        schemes=BOTH,
    ),
    Case(
        "token-moved",
        "sends the client from the token server to another host",
        rules=(Rule("/token", (_to("{stranger}/token"),)),),
        stranger=(Rule("/token", (Answer(body='{"token": "evil"}'),)),),
        login=BEARER,
        before=HERE,
        error="AuthenticationError",
        schemes=BOTH,
    ),
    Case(
        "token-form-moved",
        "sends the client with its identity token from the token server to another host",
        rules=(Rule("/token", (_to("{stranger}/token"),)),),
        stranger=(Rule("/token", (Answer(body='{"token": "evil"}'),)),),
        login=BY_IDENTITY,
        before=HERE,
        error="UnsafeRedirectError",
        stranger_at_most=0,
        schemes=BOTH,
    ),
    Case(
        "two-registries",
        "is a second registry, of which the user has no password, and asks for it",
        stranger=(
            Rule("", (Answer("401 Unauthorized", {"WWW-Authenticate": 'Basic realm="x"'}),)),
        ),
        login=BASIC,
        steps=(
            {"do": "pull", "target": "{host}/app:v1", "outdir": "{out}"},
            {"do": "pull", "target": "{stranger_host}/app:v1", "outdir": "{out}"},
        ),
        error="AuthenticationError",
        after=TAKEN,
        schemes=BOTH,
    ),
    Case(
        "two-registries-token",
        "is a second registry, of which the user has no password, and sees what it is sent",
        login=BEARER,
        steps=(
            {"do": "pull", "target": "{host}/app:v1", "outdir": "{out}"},
            {"do": "pull", "target": "{stranger_host}/app:v1", "outdir": "{out}"},
        ),
        after=TAKEN,
        stranger_at_least=1,
        schemes=BOTH,
    ),
    Case(
        "two-registries-realm",
        "is a second registry, which names the first one's token server as its own",
        stranger=(
            Rule(
                "/v2/",
                (
                    Answer(
                        "401 Unauthorized",
                        {"WWW-Authenticate": OWN_TOKENS},
                    ),
                ),
            ),
        ),
        login=BEARER,
        steps=(
            {"do": "pull", "target": "{host}/app:v1", "outdir": "{out}"},
            {"do": "pull", "target": "{stranger_host}/app:v1", "outdir": "{out}"},
        ),
        error="AuthenticationError",
        after=TAKEN,
        schemes=BOTH,
    ),
]


def _tokens_apart(_: Folders, registry: HostileRegistry) -> str:
    """Make sure that no token of one repository is shown to another."""
    shown = [
        {
            r.headers.get("authorization", "")
            for r in registry.received
            if f"/v2/{name}/" in r.target
        }
        - {""}
        for name in ("app", "other")
    ]
    return "a token of one repository was shown for another" if shown[0] & shown[1] else ""


SCOPES = [
    Case(
        "token-other-repository",
        "has two repositories, each with tokens of its own",
        login=BEARER,
        steps=(
            {"do": "pull", "target": "{host}/app:v1", "outdir": "{out}"},
            {"do": "pull", "target": "{host}/other:v1", "outdir": "{out}"},
        ),
        after=TAKEN,
        check=_tokens_apart,
        schemes=BOTH,
    ),
    Case(
        "cookie-kept",
        "sets a cookie with every answer (R13)",
        rules=(
            Rule(MANIFEST, (WithHeaders(Set_Cookie="sid=1; Path=/"),)),
            Rule(BLOB, (WithHeaders(Set_Cookie="sid=2"),)),
        ),
        steps=(
            {"do": "pull", "target": "{host}/app:v1", "outdir": "{out}"},
            {"do": "pull", "target": "{host}/app:v1", "outdir": "{out}"},
        ),
        after=TAKEN,
        check=_no_cookie,
        schemes=BOTH,
    ),
    Case(
        "cookie-redirected",
        "sets a cookie with a redirect to itself",
        rules=(
            Rule("/public", (Answer(body=CONTENT),)),
            Rule(
                BLOB, (Answer("307 Moved", {"Location": "/public", "Set-Cookie": "sid=1; Path=/"}),)
            ),
        ),
        after=TAKEN,
        check=_no_cookie,
        schemes=BOTH,
    ),
]

# --- Refusals -----------------------------------------------------------------------------

UNAUTHORIZED = Answer("401 Unauthorized", {"WWW-Authenticate": 'Basic realm="x"'})
EIGHT = Artifact([Layer(f"{n}.txt", b"%d\n" % n) for n in range(8)])


def _denied(name: str, does: str, *rules: Rule, login: Login = BASIC, **more: Any) -> Case:
    return Case(
        f"refused-{name}",
        does,
        rules=rules,
        login=login,
        before=HERE,
        **{"error": "AuthenticationError", "schemes": BOTH, **more},
    )


REFUSALS = [
    _denied(
        "password",
        "refuses the password, over and over",
        Rule("/v2/", (UNAUTHORIZED,)),
        shown_at_most=1,
    ),
    _denied(
        "password-parallel",
        "refuses the password for eight blobs at once",
        Rule(BLOB, (UNAUTHORIZED,)),
        login=KNOWN,
        artifact=EIGHT,
        shown_at_most=1,
    ),
    _denied(
        "token",
        "refuses every token",
        Rule(
            "/v2/",
            (
                Answer(
                    "401 Unauthorized",
                    {"WWW-Authenticate": OWN_TOKENS},
                ),
            ),
        ),
        login=BEARER,
        at_most={"/token": 2, "/v2/": 3},
    ),
    _denied(
        "token-server",
        "refuses the password at the token server",
        Rule("/token", (Answer("401 Unauthorized"),)),
        login=BEARER,
        at_most={"/token": 1},
    ),
    _denied(
        "token-server-parallel",
        "refuses the password at the token server for eight blobs at once",
        Rule(
            BLOB,
            (
                Answer(
                    "401 Unauthorized",
                    {"WWW-Authenticate": OWN_TOKENS},
                ),
            ),
        ),
        Rule("/token", (Answer("401 Unauthorized"),)),
        login=evolve(BEARER, demands=False),
        artifact=EIGHT,
        at_most={"/token": 1},
    ),
    _denied(
        "identity",
        "refuses the identity token",
        Rule("/token", (Answer("400 Bad Request", {}, '{"error":"invalid_grant"}'),)),
        login=BY_IDENTITY,
        at_most={"/token": 1},
    ),
    _denied(
        "nobody-asks",
        "says 401 and not how",
        Rule("/v2/", (Answer("401 Unauthorized"),)),
        shown_at_most=1,
    ),
    _denied(
        "negotiate",
        "asks for what nobody can",
        Rule("/v2/", (Answer("401 Unauthorized", {"WWW-Authenticate": "Negotiate"}),)),
        shown_at_most=1,
    ),
    _denied(
        "challenge-huge",
        "asks by a challenge of 60 KB",
        Rule(
            "/v2/",
            (Answer("401 Unauthorized", {"WWW-Authenticate": 'Bearer a="' + "x" * 60_000 + '"'}),),
        ),
        shown_at_most=1,
    ),
    _denied(
        "challenge-quotes",
        "asks by a challenge of open quotes",
        Rule(
            "/v2/",
            (Answer("401 Unauthorized", {"WWW-Authenticate": 'Bearer realm="' + '\\"' * 20_000}),),
        ),
        error="OrasError",
        shown_at_most=1,
    ),
    _denied(
        "challenge-many",
        "asks by ten thousand challenges",
        Rule("/v2/", (Answer("401 Unauthorized", {"WWW-Authenticate": "X a=b, " * 8000}),)),
        shown_at_most=1,
    ),
    _denied(
        "echo-401",
        "repeats the password in a 401",
        Rule("/v2/", (UNAUTHORIZED, Echo("401 Unauthorized"))),
    ),
    _denied(
        "echo-403",
        "repeats the password in a 403",
        Rule("/v2/", (UNAUTHORIZED, Echo("403 Forbidden"))),
        error="AccessDeniedError",
    ),
    _denied(
        "echo-500",
        "repeats the password in a 500",
        Rule("/v2/", (UNAUTHORIZED, Echo("500 Oops"))),
        error="RegistryError",
        seconds=10,
    ),
    _denied(
        "echo-token",
        "repeats the password at the token server",
        Rule("/token", (Echo("401 Unauthorized"),)),
        login=BEARER,
    ),
    _denied(
        "echo-token-403",
        "repeats the password at the token server by 403",
        Rule("/token", (Echo("403 Forbidden"),)),
        login=BEARER,
        error="AccessDeniedError",
    ),
    _denied(
        "echo-identity",
        "repeats the identity token at the token server",
        Rule("/token", (Echo("403 Forbidden"),)),
        login=BY_IDENTITY,
        error="AccessDeniedError",
    ),
    _denied(
        "echo-bearer",
        "repeats the token in a 403",
        Rule(
            "/v2/",
            (
                Answer(
                    "401 Unauthorized",
                    {"WWW-Authenticate": OWN_TOKENS},
                ),
                Echo("403 Forbidden"),
            ),
        ),
        login=BEARER,
        error="AccessDeniedError",
    ),
]

# --- Tokens -------------------------------------------------------------------------------


def _token(name: str, does: str, play: Play, error: str = "RegistryError", **more: Any) -> Case:
    return Case(
        f"token-{name}",
        f"answers for a token {does}",
        rules=(Rule("/token", (play,)),),
        login=BEARER,
        before=HERE,
        error=error,
        **more,
    )


def _said(answer: object) -> Answer:
    return Answer(headers={"Content-Type": "application/json"}, body=json.dumps(answer).encode())


def _lives(lifetime: object) -> Altered:
    """The honest token, with another lifetime."""

    def change(honest: Answer) -> Answer:
        said = {**json.loads(honest.body), "expires_in": lifetime}
        return evolve(honest, body=json.dumps(said).encode())

    return Altered(change)


TOKENS = [
    _token("newline", "with one that would add a header field", _said({"token": "x\r\nX-Evil: 1"})),
    _token("space", "with one that holds spaces", _said({"token": "a b"})),
    _token("unicode", "with one that is no ASCII", _said({"token": "t\u00f6ken"})),
    _token("empty", "with an empty one", _said({"token": ""})),
    _token("number", "with a number", _said({"token": 7})),
    _token("object", "with an object", _said({"token": {"a": 1}})),
    _token("none", "with none", _said({})),
    _token("list", "with a list", _said(["token"])),
    _token("html", "with a web page", Answer(headers={"Content-Type": "text/html"}, body="<html>")),
    _token("deep", "with a hundred thousand brackets", Answer(body=b"[" * 100_000)),
    _token("nothing", "with nothing", Answer()),
    _token("no-content", "with 204", Answer("204 No Content")),
    _token(
        "large",
        "with one of two MiB",
        _said({"token": "x" * 2 * 1024 * 1024}),
        "SizeLimitError",
        memory=24 * 1024 * 1024,
    ),
    _token(
        "endless",
        "with what never ends",
        Endless(b"HTTP/1.1 200 OK\r\n\r\n", b'{"token": "' + b"x" * 60_000),
        "SizeLimitError",
        memory=24 * 1024 * 1024,
    ),
    _token(
        "encoded", "with a compressed one", WithHeaders(Content_Encoding="gzip"), "ContentError"
    ),
    _token(
        "error", "with 500 over and over", Answer("500 Oops"), at_most={"/token": 3}, seconds=10
    ),
    *(
        Case(
            f"token-expires-{name}",
            f"says of a token that it lives {does}",
            rules=(Rule("/token", (_lives(lifetime),)),),
            login=BEARER,
            before=HERE,
            after=TAKEN,
            at_most={"/token": 3},
        )
        for name, does, lifetime in (
            ("negative", "for a negative time", -1),
            ("zero", "for no time", 0),
            ("huge", "for longer than the sun", 10**400),
            ("string", "for a word", "soon"),
            ("null", "null", None),
        )
    ),
]

# --- TLS ----------------------------------------------------------------------------------

TLS = [
    Case(
        f"tls-{name}",
        f"shows {does}",
        login=BASIC,
        before=HERE,
        error="TlsError",
        at_most={"": 0},
        schemes=("https",),
        tls=name,
        seconds=3,
    )
    for name, does in (
        ("untrusted", "a certificate of an authority that nobody trusts"),
        ("wrong-name", "a certificate of another host"),
        ("expired", "a certificate that has expired"),
        ("old", "a version of TLS that is no longer safe"),
    )
] + [
    Case(
        "tls-plain",
        "speaks plain HTTP although its name says https",
        login=BASIC,
        steps=({"do": "pull", "target": "https://{host}/app:v1", "outdir": "{out}"},),
        before=HERE,
        error="TlsError",
        at_most={"": 0},
        schemes=("https",),
        tls="plain",
        seconds=3,
        own=True,
    ),
    Case(
        "tls-untrusted-push",
        "shows a certificate of nobody when it is pushed to",
        login=BASIC,
        steps=PUSH,
        source=SOURCE,
        error="TlsError",
        at_most={"": 0},
        schemes=("https",),
        tls="untrusted",
    ),
    Case(
        "tls-untrusted-login",
        "shows a certificate of nobody when it is logged in to",
        artifact=None,
        steps=(
            {
                "do": "login",
                "username": "alice",
                "password": PASSWORD,
                "hostname": "{host}",
                "tls_verify": True,
            },
        ),
        error="TlsError",
        at_most={"": 0},
        schemes=("https",),
        tls="untrusted",
    ),
]


def _pushed_anew(case: Case) -> Case:
    """Return a row in which what is pushed is not there yet, which is not the row's matter."""
    return evolve(case, artifact=None) if case.steps == PUSH else case


_ALL = [
    *FOLLOWED,
    *CHALLENGED,
    *REFUSED,
    *DOWNGRADED,
    *ELSEWHERE,
    *SCOPES,
    *REFUSALS,
    *(evolve(case, schemes=BOTH) for case in TOKENS),
    *TLS,
]

ROWS = [_pushed_anew(case) for case in _ALL]
