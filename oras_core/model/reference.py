"""References: names of artifacts in registries."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen

from oras_core.errors import InvalidReferenceError, redact_url
from oras_core.model.digest import Digest
from oras_core.model.hosts import DOCKER_HUB, canonical_registry
from oras_core.model.values import Value

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["Reference", "is_registry", "is_repository", "is_tag", "names_registry"]

DEFAULT_REGISTRY: Final = DOCKER_HUB
DEFAULT_TAG: Final = "latest"

MAX_NAME: Final = 255
"""Characters of a repository name; registries have this limit."""


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
    """Tell whether `text` is a host name or address, optionally with a port."""
    return _grammar()[0].match(text) is not None


def is_repository(text: str) -> bool:
    """Tell whether `text` is a repository name (distribution spec, R36)."""
    return len(text) <= MAX_NAME and _grammar()[1].match(text) is not None


def is_tag(text: str) -> bool:
    """Tell whether `text` is a tag (distribution spec, R36)."""
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
        raise InvalidReferenceError(value, f"{port} is not a valid port")


def _check_repository(_instance: object, _attribute: Attribute[str], value: str) -> None:
    if len(value) > MAX_NAME:
        raise InvalidReferenceError(value, f"the repository has over {MAX_NAME} characters")
    if not is_repository(value):
        hint = " (upper case is not allowed)" if value != value.lower() else ""
        raise InvalidReferenceError(
            value,
            "a repository has lower-case letters and digits, separated by '.', '_', '-' "
            f"or '/'{hint}",
        )


def _check_tag(_instance: object, _attribute: Attribute[str | None], value: str | None) -> None:
    if value is not None and not is_tag(value):
        raise InvalidReferenceError(
            value,
            "a tag has at most 128 letters, digits, '_', '.' and '-', and does not begin "
            "with '.' or '-'",
        )


@frozen(eq=False, repr=False)
class Reference(Value):
    """A registry, a repository, and optionally a tag, a digest or both.

    If both are given, the digest is used (R36). All names of Docker Hub become `docker.io`,
    and its repositories of one segment get the prefix `library/` (R11).
    """

    registry: str = field(validator=_check_registry)
    repository: str = field(validator=_check_repository)
    tag: str | None = field(validator=_check_tag, default=None)
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str, *, default_registry: str = DEFAULT_REGISTRY) -> Reference:
        """Parse `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`.

        The first part is a registry if it has `.` or `:` or is `localhost` (R11); otherwise
        `default_registry` is used.

        Raises:
            InvalidReferenceError: with the part that is malformed.
            InvalidDigestError: for a malformed digest.
        """
        if not isinstance(text, str) or not text:
            raise InvalidReferenceError(text, "expected [REGISTRY/]REPOSITORY[:TAG][@DIGEST]")
        if "://" in text:
            raise InvalidReferenceError(redact_url(text), "remove the scheme before '://'")
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
        if canonical_registry(registry) == DOCKER_HUB:
            registry = DEFAULT_REGISTRY
            repository = repository if "/" in repository else f"library/{repository}"
        return cls(registry, repository, tag or None, digest)

    @property
    def reference(self) -> str:
        """The digest, else the tag, else `latest`, as in the URL of the manifest."""
        return str(self.digest) if self.digest else self.tag or DEFAULT_TAG

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    def with_reference(self, reference: str) -> Reference:
        """Return the same repository with another tag or digest.

        Raises:
            InvalidReferenceError: if `reference` is neither.
            InvalidDigestError: if `reference` has a `:` and is not a valid digest.
        """
        if ":" in reference:
            return evolve(self, tag=None, digest=Digest.parse(reference))
        return evolve(self, tag=reference, digest=None)

    def __str__(self) -> str:
        """Return the form that `parse` accepts."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"
