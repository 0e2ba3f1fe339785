"""References: how people name an artifact in a registry."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen

from oras_core.errors import InvalidReferenceError, redact_url
from oras_core.model.digest import Digest

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["Reference", "is_registry", "is_repository", "is_tag", "names_registry"]

DEFAULT_REGISTRY: Final = "docker.io"
DEFAULT_TAG: Final = "latest"

MAX_NAME: Final = 255
"""Characters of a repository's name, as registries limit it."""

_DOCKER_HUB_NAMES: Final = ("docker.io", "index.docker.io", "registry-1.docker.io")


@cache
def _grammar() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    # Distribution spec, "Pulling manifests": <name> and <reference> as a tag.
    component = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
    label = r"(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])"
    host = rf"(?:{label}(?:\.{label})*\.?|\[[0-9A-Fa-f:.]+\])"
    return (
        re.compile(rf"{host}(?::[0-9]{{1,5}})?\Z"),
        re.compile(rf"{component}(?:/{component})*\Z"),
        re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z"),
    )


def is_registry(text: str) -> bool:
    """Tell whether `text` is a host name or address, maybe with a port."""
    return _grammar()[0].match(text) is not None


def is_repository(text: str) -> bool:
    """Tell whether `text` is a repository name by the distribution spec (R36)."""
    return len(text) <= MAX_NAME and _grammar()[1].match(text) is not None


def is_tag(text: str) -> bool:
    """Tell whether `text` is a tag by the distribution spec (R36)."""
    return _grammar()[2].match(text) is not None


def names_registry(text: str) -> bool:
    """Tell whether a reference begins with a registry (R11).

    `a/b` is a repository; `a.b/c`, `a:5000/b` and `localhost/b` begin with a registry.
    """
    first, slash, _ = text.partition("@")[0].partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")


def _check_registry(_instance: object, _attribute: Attribute[str], value: str) -> None:
    if not is_registry(value):
        raise InvalidReferenceError(value, "the registry is not HOST or HOST:PORT")
    port = value.rpartition(":")[2] if not value.endswith("]") and ":" in value else ""
    if port and not 0 < int(port) < 65536:
        raise InvalidReferenceError(value, f"there is no port {port}")


def _check_repository(_instance: object, _attribute: Attribute[str], value: str) -> None:
    if len(value) > MAX_NAME:
        raise InvalidReferenceError(value, f"the repository has over {MAX_NAME} characters")
    if not is_repository(value):
        hint = " (upper case is not allowed)" if value != value.lower() else ""
        raise InvalidReferenceError(
            value,
            "the repository is not of lower-case letters, digits, '.', '_', '-' "
            f"and '/' between them{hint}",
        )


def _check_tag(_instance: object, _attribute: Attribute[str | None], value: str | None) -> None:
    if value is not None and not is_tag(value):
        raise InvalidReferenceError(
            value,
            "a tag is at most 128 letters, digits, '_', '.' and '-', not first '.' or '-'",
        )


@frozen
class Reference:
    """A registry, a repository in it, and maybe a tag or a digest or both.

    Where both are given the digest wins (R36). Docker Hub's several names become
    `docker.io`, its one-segment repositories get their `library/` (R11).
    """

    registry: str = field(validator=_check_registry)
    repository: str = field(validator=_check_repository)
    tag: str | None = field(validator=_check_tag, default=None)
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str, *, default_registry: str = DEFAULT_REGISTRY) -> Reference:
        """Read `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`.

        The first part is a registry only if it has `.` or `:` or is `localhost` (R11);
        else `default_registry` is meant.

        Raises:
            InvalidReferenceError: naming the part that is wrong.
            InvalidDigestError: for a malformed digest.
        """
        if not isinstance(text, str) or not text:
            raise InvalidReferenceError(text, "expected [REGISTRY/]REPOSITORY[:TAG][@DIGEST]")
        if "://" in text:
            raise InvalidReferenceError(redact_url(text), "leave out the scheme before '://'")
        name, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        if names_registry(name):
            registry, _, path = name.partition("/")
        else:
            registry, path = default_registry, name
        repository, colon, tag = path.partition(":")
        if not repository:
            raise InvalidReferenceError(text, "the repository is missing")
        if colon and not tag:
            raise InvalidReferenceError(text, "the tag after ':' is missing")
        if registry in _DOCKER_HUB_NAMES:
            registry = DEFAULT_REGISTRY
            repository = repository if "/" in repository else f"library/{repository}"
        return cls(registry, repository, tag or None, digest)

    @property
    def reference(self) -> str:
        """What stands in a manifest's URL: the digest, else the tag, else `latest`."""
        return str(self.digest) if self.digest else self.tag or DEFAULT_TAG

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    def with_reference(self, reference: str) -> Reference:
        """Return the same repository with another tag or digest.

        Raises:
            InvalidReferenceError: if `reference` is neither.
            InvalidDigestError: if it looks like a digest and is none.
        """
        if ":" in reference:
            return evolve(self, tag=None, digest=Digest.parse(reference))
        return evolve(self, tag=reference, digest=None)

    def __str__(self) -> str:
        """Return the form that `parse` reads."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"
