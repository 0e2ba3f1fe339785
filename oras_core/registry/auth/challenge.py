"""`WWW-Authenticate`: what a registry wants to see (RFC 7235, R1)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from attrs import field, frozen

__all__ = ["Challenge", "basic_authorization", "parse_challenges", "preferred"]

MAX_CHALLENGE_HEADER: Final = 64 * 1024
"""Characters of the field that are looked at; real ones have some hundreds."""


def _frozen_mapping(parameters: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(parameters))


@frozen(hash=False)
class Challenge:
    """One way to authenticate that the registry offers.

    Attributes:
        scheme: in lower case: `bearer`, `basic`, …
        parameters: by name in lower case.
        token68: what stands in place of parameters for schemes such as Negotiate.
    """

    scheme: str
    parameters: Mapping[str, str] = field(factory=dict, converter=_frozen_mapping)
    token68: str = ""

    @property
    def realm(self) -> str:
        """The address of the token server, for Bearer; a name for people, for Basic."""
        return self.parameters.get("realm", "")

    @property
    def service(self) -> str:
        """What the token server knows the registry by; may be empty."""
        return self.parameters.get("service", "")

    @property
    def scope(self) -> str:
        """The scopes demanded, as one text; may be empty."""
        return self.parameters.get("scope", "")


@cache
def _grammar() -> tuple[re.Pattern[str], ...]:
    return (
        re.compile(r"[\s,]*"),
        re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"),
        re.compile(r"\s*=\s*"),
        # An end of the field closes what was left open.
        re.compile(r'"((?:[^"\\]|\\.)*)(?:"|\\?\Z)', re.DOTALL),
        # Wider than a token: addresses and scopes come without quotes too.
        re.compile(r"[^\s,\"]*"),
        re.compile(r"[ \t]+([A-Za-z0-9\-._~+/]+=*)\s*(?=,|\Z)"),
        re.compile(r"[^,]*"),
    )


class _Reader:
    """Reads a field from left to right; every step goes forwards."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def challenges(self) -> list[Challenge]:
        """Return what is understood; the rest is passed over."""
        gap, name, equals, _, _, token68, rest = _grammar()
        found: list[tuple[str, dict[str, str], str]] = []
        while self._take(gap) and self._at < len(self._text):
            word = self._take(name)
            if word is None:
                self._take(rest)
            elif self._take(equals):
                value = self._value()
                if found:
                    found[-1][1].setdefault(word[0].lower(), value)
            else:
                token = self._take(token68)
                found.append((word[0].lower(), {}, token[1] if token else ""))
        return [Challenge(*parts) for parts in found]

    def _value(self) -> str:
        _, _, _, quoted, bare, *_ = _grammar()
        found = self._take(quoted)
        if found is not None:
            return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)
        found = self._take(bare)
        return found[0] if found is not None else ""


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Read the field, which may hold several challenges, each with several parameters.

    Several fields are one, joined by commas. Values stand in quotes or not, and hold commas in
    quotes; names and schemes come in any case. Nothing is an error: servers write this field in
    many ways, and what is not understood is passed over.
    """
    return tuple(_Reader(header[:MAX_CHALLENGE_HEADER]).challenges())


def preferred(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the challenge to answer: Bearer, else Basic (R1); None where there is neither."""
    offered = list(challenges)
    for challenge in offered:
        if challenge.scheme == "bearer" and challenge.realm:
            return challenge
    return next((challenge for challenge in offered if challenge.scheme == "basic"), None)


def basic_authorization(username: str, password: str) -> str:
    """Return the `Authorization` field of the Basic scheme (RFC 7617), a secret."""
    pair = f"{username}:{password}".encode()
    return "Basic " + base64.b64encode(pair).decode("ascii")
