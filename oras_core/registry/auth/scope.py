"""Scopes: what a token allows (the token specification of the distribution project)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import field, frozen

from oras_core.model.reference import is_repository

__all__ = [
    "Scope",
    "covers",
    "format_scopes",
    "merge_scopes",
    "parse_scopes",
    "required_scopes",
]

_ANY: Final = "*"


def _sorted_actions(actions: Iterable[str]) -> tuple[str, ...]:
    unique = set(actions)
    return (_ANY,) if _ANY in unique else tuple(sorted(unique))


@frozen
class Scope:
    """What may be done to one thing, `repository:library/alpine:pull`.

    Attributes:
        kind: `repository` or `registry`; for a scope of another form the whole text.
        name: of the repository; may hold colons.
        actions: sorted, without repetition; `*` takes the place of all others.
    """

    kind: str
    name: str = ""
    actions: tuple[str, ...] = field(default=(), converter=_sorted_actions)

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Read `KIND:NAME:ACTION,ACTION`; a text of another form is kept whole as the kind."""
        kind, first, rest = text.partition(":")
        name, second, actions = rest.rpartition(":")
        if not first or not second or not name:
            return cls(text)
        return cls(kind, name, tuple(action for action in actions.split(",") if action))

    def allows(self, wanted: Scope) -> bool:
        """Tell whether a token of this scope serves for `wanted`."""
        if (self.kind, self.name) != (wanted.kind, wanted.name):
            return False
        return _ANY in self.actions or set(wanted.actions) <= set(self.actions)

    def __str__(self) -> str:
        """Return the form that `parse` reads."""
        return f"{self.kind}:{self.name}:{','.join(self.actions)}" if self.name else self.kind


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """Read scopes with spaces between them, as a challenge names them."""
    return tuple(Scope.parse(word) for word in text.split())


def format_scopes(scopes: Iterable[Scope]) -> str:
    """Return scopes as one text with spaces between them, as OAuth2 wants it (R4)."""
    return " ".join(str(scope) for scope in scopes)


def merge_scopes(*groups: Iterable[Scope]) -> tuple[Scope, ...]:
    """Return one scope per thing, with the actions of all; the order is that of first mention.

    Some servers read the first scope alone, so the one demanded last belongs in front (R4).
    """
    merged: dict[tuple[str, str], Scope] = {}
    for group in groups:
        for scope in group:
            key = (scope.kind, scope.name)
            earlier = merged[key].actions if key in merged else ()
            merged[key] = Scope(*key, (*earlier, *scope.actions))
    return tuple(merged.values())


def covers(held: Iterable[Scope], wanted: Iterable[Scope]) -> bool:
    """Tell whether a token with the scopes `held` serves for all that are `wanted`."""
    have = tuple(held)
    return all(any(scope.allows(want) for scope in have) for want in wanted)


# --- The scopes of a request --------------------------------------------------------------


@cache
def _routes() -> tuple[re.Pattern[str], re.Pattern[str]]:
    # The last match counts: a repository may be called `a/blobs/b`.
    return (
        re.compile(r"/v2/(?P<name>.+)/blobs/uploads(?:/.*)?\Z"),
        re.compile(r"/v2/(?P<name>.+)/(?:blobs|manifests|tags|referrers)/[^/]+\Z"),
    )


def _repository(name: str, *actions: str) -> tuple[Scope, ...]:
    # An address can come from the registry; it shall not smuggle a scope of its own making in.
    return (Scope("repository", name, actions),) if is_repository(name) else ()


def required_scopes(method: str, url: str) -> tuple[Scope, ...]:
    """Return the scopes that a request to a registry's API needs; none for other addresses.

    They are asked for in advance, since a challenge may name too little (R5): an upload needs
    `pull,push`, a mount `pull` of its source too. A delete asks for `*`, the one word for it
    that every registry takes.
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
