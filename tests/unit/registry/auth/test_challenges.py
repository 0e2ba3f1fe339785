"""R1: the challenges of registries in use, and whatever else may come over the wire."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.registry.auth.challenge import (
    MAX_CHALLENGE_HEADER,
    basic_authorization,
    parse_challenges,
    preferred,
)

DOCKER_HUB = (
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
    'scope="repository:library/alpine:pull"'
)
EXPIRED = (
    'Bearer realm="https://gitlab.com/jwt/auth",service="container_registry",'
    'scope="repository:group/app:pull,push",error="invalid_token"'
)


def read(header):
    return [(one.scheme, dict(one.parameters), one.token68) for one in parse_challenges(header)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        (" , ,", []),
        ("Basic", [("basic", {}, "")]),
        ('Basic realm="Harbor"', [("basic", {"realm": "Harbor"}, "")]),
        ("BASIC Realm=x", [("basic", {"realm": "x"}, "")]),
        (
            DOCKER_HUB,
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:library/alpine:pull",
                    },
                    "",
                )
            ],
        ),
        (
            EXPIRED,
            [
                (
                    "bearer",
                    {
                        "realm": "https://gitlab.com/jwt/auth",
                        "service": "container_registry",
                        "scope": "repository:group/app:pull,push",
                        "error": "invalid_token",
                    },
                    "",
                )
            ],
        ),
        (  # several challenges, joined from several fields
            'Basic realm="a, b", Bearer realm="https://r/t", service=s',
            [
                ("basic", {"realm": "a, b"}, ""),
                ("bearer", {"realm": "https://r/t", "service": "s"}, ""),
            ],
        ),
        (
            'Digest realm="d", nonce="n", qop=auth,BEARER realm=https://r/t?a=b&c=d,service=r:5000',
            [
                ("digest", {"realm": "d", "nonce": "n", "qop": "auth"}, ""),
                ("bearer", {"realm": "https://r/t?a=b&c=d", "service": "r:5000"}, ""),
            ],
        ),
        (
            "Negotiate, NTLM TlRMTVNTUAAC==, Basic realm=x",
            [("negotiate", {}, ""), ("ntlm", {}, "TlRMTVNTUAAC=="), ("basic", {"realm": "x"}, "")],
        ),
        ("Negotiate a-b._~+/9=", [("negotiate", {}, "a-b._~+/9=")]),
        (
            r'Basic realm="say \"hi\", \\o/"',
            [("basic", {"realm": r'say "hi", \o/'}, "")],
        ),
        (  # spaces around the sign, and no commas between parameters
            'Bearer realm = "https://r/t" service\t=\ts  scope="a b"',
            [("bearer", {"realm": "https://r/t", "service": "s", "scope": "a b"}, "")],
        ),
        (  # the first of a repeated parameter counts
            'Bearer realm="https://r/t",realm="https://evil/t"',
            [("bearer", {"realm": "https://r/t"}, "")],
        ),
        ('Bearer realm="', [("bearer", {"realm": ""}, "")]),
        ('Bearer realm="open', [("bearer", {"realm": "open"}, "")]),
        ('Bearer realm="open\\', [("bearer", {"realm": "open"}, "")]),
        ("Bearer service=s, realm=", [("bearer", {"service": "s", "realm": ""}, "")]),
        ('Bearer realm="x",@@@,scope=y', [("bearer", {"realm": "x", "scope": "y"}, "")]),
        ("realm=lonely", []),
        (
            'Basic realm="Sonatype Nexus Repository Manager"',
            [("basic", {"realm": "Sonatype Nexus Repository Manager"}, "")],
        ),
    ],
)
def test_wire_cases(header, expected):
    assert read(header) == expected


@pytest.mark.parametrize(
    ("header", "scheme"),
    [
        ('Basic realm="x", Bearer realm="https://r/t"', "bearer"),
        ('Bearer realm="https://r/t", Basic realm="x"', "bearer"),
        ('Bearer service="no realm", Basic realm="x"', "basic"),
        ("Negotiate, Basic", "basic"),
        ("Negotiate", None),
        ("", None),
    ],
)
def test_bearer_is_preferred_then_basic(header, scheme):
    challenge = preferred(parse_challenges(header))
    assert (None if challenge is None else challenge.scheme) == scheme


def test_missing_parameters_are_empty():
    (challenge,) = parse_challenges("Bearer")
    assert (challenge.realm, challenge.service, challenge.scope) == ("", "", "")


_names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True)
_values = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))
_parameters = st.dictionaries(_names, _values, min_size=1, max_size=4).filter(
    lambda found: len({name.lower() for name in found}) == len(found)
)


def _quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.lists(st.tuples(_names, _parameters), max_size=4))
def test_well_formed_fields_are_parsed(challenges):
    header = ", ".join(
        f"{scheme} " + ",".join(f"{name}={_quoted(value)}" for name, value in parameters.items())
        for scheme, parameters in challenges
    )
    assert read(header) == [
        (scheme.lower(), {name.lower(): value for name, value in parameters.items()}, "")
        for scheme, parameters in challenges
    ]


@given(st.text(alphabet=st.sampled_from('ab=", \\\t/;\x00é'), max_size=60))
def test_malformed_fields_raise_no_error(header):
    for challenge in parse_challenges(header):
        assert challenge.scheme == challenge.scheme.lower()


@pytest.mark.parametrize("piece", ['"', "\\", 'a="', "a ", "a=", ",", '"\\', "a=b,", "a a"])
def test_a_huge_field_is_parsed_in_bounded_time(piece):
    start = time.thread_time()
    parse_challenges("Bearer " + piece * (4 * MAX_CHALLENGE_HEADER // len(piece)))
    assert time.thread_time() - start < 2


def test_basic_is_the_base64_of_utf8():
    name, _, value = basic_authorization("jürgen", "pass:wörd").partition(" ")
    assert name == "Basic"
    assert base64.b64decode(value).decode("utf-8") == "jürgen:pass:wörd"
