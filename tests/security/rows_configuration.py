"""Docker's configuration and credential helpers: read, written, and never trusted too far."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from support.credential_helpers import WORKING
from support.hostile_registry import HostileRegistry, Login
from support.threat_cases import (
    CONTENT,
    IDENTITY,
    OLDER,
    PASSWORD,
    SECRETS,
    Case,
    Folders,
    Link,
)

__all__ = ["ROWS"]

CONFIG = ".docker/config.json"
HERE = {"artifact.txt": OLDER}
TAKEN = {"artifact.txt": CONTENT}
BASIC = Login("basic", password=PASSWORD)
OPEN = evolve(BASIC, demands=False)
OTHER = {"auth": base64.b64encode(b"bob:bobs-own").decode()}

LOG_IN = ({"do": "login", "username": "alice", "password": PASSWORD, "hostname": "{host}"},)
LOG_OUT = ({"do": "logout", "hostname": "{host}"},)

Check = Callable[[Folders, HostileRegistry], str]


def _config(document: Any) -> dict[str, str | bytes]:
    return {CONFIG: document if isinstance(document, (str, bytes)) else json.dumps(document)}


def _helper(body: str) -> str:
    return f"#!{sys.executable}\n{body}"


# --- Reading ------------------------------------------------------------------------------

UNREADABLE = [
    Case(
        f"config-{name}",
        f"wants a password, which is in a configuration {does}",
        login=BASIC,
        home=_config(document),
        before=HERE,
        error=error,
    )
    for name, does, document, error in (
        ("not-json", "that is no JSON", '{"auths": {', "CredentialError"),
        (
            "not-json-secret",
            "that breaks off at a secret",
            '{"auths": {"x": "' + PASSWORD,
            "CredentialError",
        ),
        ("list", "that is a list", "[]", "CredentialError"),
        ("deep", "of a hundred thousand brackets", "[" * 100_000, "CredentialError"),
        ("binary", "that is no text", b"\xff\xfe\x00\x01", "CredentialError"),
        ("large", "of 17 MiB", b" " * 17 * 1024 * 1024, "CredentialError"),
        ("auths-list", "whose entries are a list", {"auths": []}, "CredentialError"),
        ("entry-list", "whose entry is a list", {"auths": {"{host}": []}}, "CredentialError"),
        (
            "entry-number",
            "whose password is a number",
            {"auths": {"{host}": {"auth": 7}}},
            "CredentialError",
        ),
        (
            "not-base64",
            "whose password is no base64",
            {"auths": {"{host}": {"auth": "%%%"}}},
            "CredentialError",
        ),
        (
            "no-colon",
            "whose password has no user",
            {"auths": {"{host}": {"auth": "YWxpY2U="}}},
            "CredentialError",
        ),
        ("store-number", "that names a number as helper", {"credsStore": 7}, "CredentialError"),
        ("no-auths", "without entries", {"HttpHeaders": {}}, "AuthenticationError"),
        ("null-auths", "whose entries are null", {"auths": None}, "AuthenticationError"),
        ("nothing", "of no bytes", "", "AuthenticationError"),
        (
            "other-host",
            "of another host",
            {"auths": {"other.example": {"auth": SECRETS["basic"]}}},
            "AuthenticationError",
        ),
        (
            "longer-host",
            "of a host whose name begins alike",
            {"auths": {"{host}0": {"auth": SECRETS["basic"]}}},
            "AuthenticationError",
        ),
        (
            "other-port",
            "of another port",
            {"auths": {"127.0.0.1:1": {"auth": SECRETS["basic"]}}},
            "AuthenticationError",
        ),
    )
]

READABLE = [
    Case(
        f"config-{name}",
        f"wants a password, which is in a configuration {does}",
        login=BASIC,
        home=_config(document),
        before=HERE,
        after=TAKEN,
    )
    for name, does, document in (
        (
            "unknown-keys",
            "with keys that nobody knows",
            {"auths": {"{host}": {"auth": SECRETS["basic"], "x": 1}}, "y": [1]},
        ),
        (
            "https-key",
            "under an address",
            {"auths": {"https://{host}": {"auth": SECRETS["basic"]}}},
        ),
        (
            "https-v1-key",
            "under an address of old",
            {"auths": {"https://{host}/v1/": {"auth": SECRETS["basic"]}}},
        ),
    )
]

# --- Helpers ------------------------------------------------------------------------------


def _named(name: str, does: str, helper: str, **more: Any) -> Case:
    return Case(
        f"helper-{name}",
        f"wants a password, which a helper keeps that is called {does}",
        login=BASIC,
        home={
            **_config({"credHelpers": {"{host}": helper}}),
            "programs/docker-credential-good": _helper(WORKING),
        },
        before=HERE,
        error="CredentialHelperError",
        check=_nothing_ran,
        **more,
    )


def _nothing_ran(folders: Folders, _: HostileRegistry) -> str:
    return "a program ran" if (folders.root / "ran").exists() else ""


def _answering(
    name: str, does: str, body: str, error: str = "CredentialHelperError", **more: Any
) -> Case:
    return Case(
        f"helper-{name}",
        f"wants a password, which a helper keeps that {does}",
        login=BASIC,
        home={
            **_config({"credHelpers": {"{host}": "odd"}}),
            "programs/docker-credential-odd": _helper(body),
        },
        before=HERE,
        error=error,
        **more,
    )


SAYS = "import json, sys\nsys.stdin.read()\n"

HELPERS = [
    _named("path", "by a path", "../../../../tmp/evil"),
    _named("absolute", "by an absolute path", "/tmp/evil"),
    _named("shell", "by what a shell would run", "good; touch {root}/ran"),
    _named("substitution", "by what a shell would substitute", "$(touch {root}/ran)"),
    _named("newline", "by two lines", "good\ntouch ran"),
    _named("option", "with an option behind it", "good --evil"),
    _named("dots", "by dots", ".."),
    evolve(
        _named("relative", "by a path below the working directory", "x/evil"),
        source={"docker-credential-x/evil": _helper("open('../ran', 'w').close()")},
    ),
    _named("missing", "as no program is", "missing"),
    _answering("not-json", "answers no JSON", SAYS + f"print('hello {PASSWORD}')"),
    _answering("list", "answers a list", SAYS + "print('[]')"),
    _answering("no-secret", "answers without a secret", SAYS + "print('{}')"),
    _answering(
        "number",
        "answers a number as secret",
        SAYS + "print(json.dumps({'Username': 'a', 'Secret': 7}))",
    ),
    _answering(
        "fails",
        "fails",
        SAYS + "print('the keychain is locked')\nsys.exit(3)",
        words="keychain is locked",
    ),
    Case(
        "helper-repeats",
        "is logged in to, and the helper fails and repeats what it was given",
        artifact=None,
        login=OPEN,
        home={
            **_config({"credsStore": "odd"}),
            "programs/docker-credential-odd": _helper(
                "import sys\nprint(sys.stdin.read())\nsys.exit(1)"
            ),
        },
        steps=LOG_IN,
        error="CredentialHelperError",
    ),
    _answering(
        "fails-escapes",
        "fails, and steers the terminal",
        SAYS + "print('\\x1b[2J')\nsys.exit(3)",
        words=r"\A[^\x1b]*\Z",
    ),
    _answering(
        "not-found",
        "has none",
        SAYS + "print('credentials not found in native keychain')\nsys.exit(1)",
        "AuthenticationError",
    ),
    Case(
        "helper-right",
        "wants a password, which a helper keeps",
        login=BASIC,
        home={
            **_config(
                {"credHelpers": {"{host}": "odd"}, "auths": {"{host}": {"auth": OTHER["auth"]}}}
            ),
            "programs/docker-credential-odd": _helper(
                SAYS + f"print(json.dumps({{'Username': 'alice', 'Secret': '{PASSWORD}'}}))"
            ),
        },
        before=HERE,
        after=TAKEN,
    ),
    Case(
        "helper-argument",
        "is logged in to, and a helper keeps the password",
        artifact=None,
        login=OPEN,
        home={
            **_config({"credsStore": "good"}),
            "programs/docker-credential-good": _helper(WORKING),
        },
        steps=LOG_IN,
        check=lambda folders, _: _helper_objection(folders),
    ),
]


def _helper_objection(folders: Folders) -> str:
    log = folders.programs / "docker-credential-good.log"
    if not log.exists() or "store" not in log.read_text():
        return "the helper was not asked to store it"
    if PASSWORD in log.read_text():
        return "the password was an argument"
    config = (folders.home / CONFIG).read_text()
    return "the password is in the file too" if SECRETS["basic"] in config else ""


# --- Logging in and out -------------------------------------------------------------------


def _kept(folders: Folders, host: str, *, logged_in: bool) -> str:
    path = folders.home / CONFIG
    document = json.loads(path.read_text())
    expected: dict[str, Any] = {
        "auths": {"other.example": OTHER},
        "unknown": [1],
        "HttpHeaders": {"X": "y"},
    }
    if logged_in:
        expected["auths"][host] = {"auth": SECRETS["basic"]}
    if document != expected:
        return f"the configuration is {sorted(document)}, {sorted(document.get('auths', {}))}"
    mode = path.stat().st_mode & 0o777
    return f"its mode is {mode:o}" if mode & 0o077 else ""


BEFORE = {"auths": {"other.example": OTHER}, "unknown": [1], "HttpHeaders": {"X": "y"}}

LOGINS = [
    Case(
        "login-keeps",
        "is logged in to, and another registry was before",
        artifact=None,
        login=OPEN,
        home=_config(BEFORE),
        steps=LOG_IN,
        check=lambda folders, registry: _kept(folders, registry.address, logged_in=True),
    ),
    Case(
        "login-first",
        "is logged in to, and none was before",
        artifact=None,
        steps=LOG_IN,
        check=lambda folders, registry: _only(
            folders, {registry.address: {"auth": SECRETS["basic"]}}
        ),
    ),
    Case(
        "login-refused",
        "refuses the login",
        artifact=None,
        login=evolve(BASIC, password="another"),
        home=_config(BEFORE),
        steps=LOG_IN,
        error="AuthenticationError",
        check=lambda folders, registry: _kept_as_it_was(folders),
    ),
    Case(
        "login-broken-file",
        "is logged in to, and the configuration is no JSON",
        artifact=None,
        login=OPEN,
        home=_config('{"auths": {'),
        steps=LOG_IN,
        error="CredentialError",
        home_after={CONFIG: b'{"auths": {'},
    ),
    Case(
        "login-linked-file",
        "is logged in to, and the configuration is a link",
        artifact=None,
        login=OPEN,
        home={CONFIG: Link("../dotfiles/config.json"), "dotfiles/config.json": "{}"},
        steps=LOG_IN,
        home_after={CONFIG: Link("../dotfiles/config.json")},
    ),
    Case(
        "logout-keeps",
        "is logged out of, and another registry is not",
        artifact=None,
        login=OPEN,
        home=_config(
            {**BEFORE, "auths": {**BEFORE["auths"], "{host}": {"auth": SECRETS["basic"]}}}
        ),
        steps=LOG_OUT,
        check=lambda folders, registry: _kept(folders, registry.address, logged_in=False),
    ),
    Case(
        "logout-identity",
        "is logged out of, and an identity token was kept",
        artifact=None,
        login=OPEN,
        home=_config({"auths": {"{host}": {"identitytoken": IDENTITY}}}),
        steps=LOG_OUT,
        check=lambda folders, registry: _only(folders, {}),
    ),
    Case(
        "logout-helper",
        "is logged out of, and a helper keeps the password",
        artifact=None,
        login=OPEN,
        home={
            **_config({"credsStore": "good"}),
            "programs/docker-credential-good": _helper(WORKING),
        },
        steps=(*LOG_IN, *LOG_OUT),
        check=lambda folders, _: (
            ""
            if (folders.programs / "docker-credential-good.json").read_text() == "{}"
            else "the helper still has it"
        ),
    ),
]


def _only(folders: Folders, auths: Mapping[str, Any]) -> str:
    path = folders.home / CONFIG
    document = json.loads(path.read_text())
    if document.get("auths", {}) != auths:
        return f"the configuration has {sorted(document.get('auths', {}))}"
    return "others may read it" if auths and path.stat().st_mode & 0o077 else ""


def _kept_as_it_was(folders: Folders) -> str:
    same = json.loads((folders.home / CONFIG).read_text()) == BEFORE
    return "" if same else "the configuration has changed"


ROWS = [
    evolve(case, schemes=("http", "https")) for case in (*UNREADABLE, *READABLE, *HELPERS, *LOGINS)
]
