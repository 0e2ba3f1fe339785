"""Challenges: the `WWW-Authenticate` field (RFC 7235, R1)."""

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
"""Maximum number of characters that are parsed; real fields have a few hundred."""


def _frozen_mapping(parameters: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(parameters))


@frozen(hash=False)
class Challenge:
    """One way to authenticate that the registry offers.

    Attributes:
        scheme: in lower case: `bearer`, `basic`, …
        parameters: values by name; names are in lower case.
        token68: the data that schemes such as Negotiate send instead of parameters.
    """

    scheme: str
    parameters: Mapping[str, str] = field(factory=dict, converter=_frozen_mapping)
    token68: str = ""

    @property
    def realm(self) -> str:
        """The token server's address (Bearer), or a human-readable name (Basic)."""
        return self.parameters.get("realm", "")

    @property
    def service(self) -> str:
        """The token server's name for the registry; may be empty."""
        return self.parameters.get("service", "")

    @property
    def scope(self) -> str:
        """The demanded scopes, separated by spaces; may be empty."""
        return self.parameters.get("scope", "")


@cache
def _grammar() -> tuple[re.Pattern[str], ...]:
    return (
        re.compile(r"[\s,]*"),
        re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"),
        re.compile(r"\s*=\s*"),
        # The end of the field also ends an unterminated quoted string.
        re.compile(r'"((?:[^"\\]|\\.)*)(?:"|\\?\Z)', re.DOTALL),
        # Wider than a token: some servers send URLs and scopes without quotes.
        re.compile(r"[^\s,\"]*"),
        re.compile(r"[ \t]+([A-Za-z0-9\-._~+/]+=*)\s*(?=,|\Z)"),
        re.compile(r"[^,]*"),
    )


class _Reader:
    """Parses a field from left to right in linear time."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def challenges(self) -> list[Challenge]:
        """Return the well-formed challenges; skip everything else."""
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
    """Parse a `WWW-Authenticate` field.

    The field may contain several challenges with several parameters each; join several fields
    with commas. Values may be quoted, and quoted values may contain commas. Schemes and names
    match in any case. Malformed parts are skipped, since servers write this field in many ways.
    """
    return tuple(_Reader(header[:MAX_CHALLENGE_HEADER]).challenges())


def preferred(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the challenge to answer: Bearer, else Basic, else None (R1)."""
    offered = list(challenges)
    for challenge in offered:
        if challenge.scheme == "bearer" and challenge.realm:
            return challenge
    return next((challenge for challenge in offered if challenge.scheme == "basic"), None)


def basic_authorization(username: str, password: str) -> str:
    """Return the `Authorization` field of the Basic scheme (RFC 7617), a secret."""
    pair = f"{username}:{password}".encode()
    return "Basic " + base64.b64encode(pair).decode("ascii")
