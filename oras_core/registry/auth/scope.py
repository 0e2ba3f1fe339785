"""Scopes: the actions that a token allows (distribution's token specification)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import field, frozen

from oras_core.model.reference import is_repository

__all__ = [
    "MAX_EXPECTED",
    "Scope",
    "covers",
    "format_scopes",
    "merge_scopes",
    "parse_scopes",
    "required_scopes",
]

MAX_EXPECTED: Final = 1024
"""Maximum number of expected scopes that are remembered for a registry."""

_ANY: Final = "*"


def _sorted_actions(actions: Iterable[str]) -> tuple[str, ...]:
    unique = set(actions)
    return (_ANY,) if _ANY in unique else tuple(sorted(unique))


@frozen
class Scope:
    """The actions allowed on one resource, e.g. `repository:library/alpine:pull`.

    Attributes:
        kind: `repository` or `registry`; the whole text, if a scope has another form.
        name: the repository's name; may contain colons.
        actions: sorted and unique; `*` replaces all others.
    """

    kind: str
    name: str = ""
    actions: tuple[str, ...] = field(default=(), converter=_sorted_actions)

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Parse `KIND:NAME:ACTION,ACTION`; any other text becomes the kind."""
        kind, first, rest = text.partition(":")
        name, second, actions = rest.rpartition(":")
        if not first or not second or not name:
            return cls(text)
        return cls(kind, name, tuple(action for action in actions.split(",") if action))

    def allows(self, wanted: Scope) -> bool:
        """Tell whether a token with this scope allows `wanted`."""
        if (self.kind, self.name) != (wanted.kind, wanted.name):
            return False
        return _ANY in self.actions or set(wanted.actions) <= set(self.actions)

    def __str__(self) -> str:
        """Return the text that `parse` accepts."""
        return f"{self.kind}:{self.name}:{','.join(self.actions)}" if self.name else self.kind


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """Parse scopes that are separated by spaces, as in a challenge."""
    return tuple(Scope.parse(word) for word in text.split())


def format_scopes(scopes: Iterable[Scope]) -> str:
    """Join scopes with spaces, as OAuth2 demands (R4)."""
    return " ".join(str(scope) for scope in scopes)


def merge_scopes(*groups: Iterable[Scope]) -> tuple[Scope, ...]:
    """Merge the actions of scopes for the same resource; keep the order of first occurrence.

    Some servers read the first scope only: pass the newly demanded ones first (R4).
    """
    merged: dict[tuple[str, str], Scope] = {}
    for group in groups:
        for scope in group:
            key = (scope.kind, scope.name)
            earlier = merged[key].actions if key in merged else ()
            merged[key] = Scope(*key, (*earlier, *scope.actions))
    return tuple(merged.values())


def covers(held: Iterable[Scope], wanted: Iterable[Scope]) -> bool:
    """Tell whether a token with the scopes `held` allows all of `wanted`."""
    have = tuple(held)
    return all(any(scope.allows(want) for scope in have) for want in wanted)


# --- The scopes of a request --------------------------------------------------------------


@cache
def _routes() -> tuple[re.Pattern[str], re.Pattern[str]]:
    # The greedy match finds the last keyword: a repository may be named `a/blobs/b`.
    return (
        re.compile(r"/v2/(?P<name>.+)/blobs/uploads(?:/.*)?\Z"),
        re.compile(r"/v2/(?P<name>.+)/(?:blobs|manifests|tags|referrers)/[^/]+\Z"),
    )


def _repository(name: str, *actions: str) -> tuple[Scope, ...]:
    # The address may come from the registry: it must not inject another scope.
    return (Scope("repository", name, actions),) if is_repository(name) else ()


def required_scopes(method: str, url: str) -> tuple[Scope, ...]:
    """Return the scopes that a request to a registry's API needs; empty for other addresses.

    A challenge may name too few scopes (R5). An upload needs `pull,push`; a mount also needs
    `pull` of its source. A delete needs `*`, the only action that every registry accepts for it.
    """
    parts = urlsplit(url)
    path = unquote(parts.path)
    if path == "/v2/_catalog":
        return (Scope("registry", "catalog", (_ANY,)),)
    uploads, content = _routes()
    upload = uploads.match(path)
    if upload is not None:
        query = parse_qs(parts.query)
        sources = query.get("from", []) if "mount" in query else []
        return merge_scopes(
            _repository(upload["name"], "pull", "push"),
            *(_repository(source, "pull") for source in sources),
        )
    found = content.match(path)
    if found is None:
        return ()
    actions = {"GET": ("pull",), "HEAD": ("pull",), "DELETE": (_ANY,)}
    return _repository(found["name"], *actions.get(method, ("pull", "push")))
