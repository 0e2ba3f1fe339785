"""Places: how people name an artifact, in a registry or in an OCI image layout on disk."""

from __future__ import annotations

from typing import Final, Literal

from attrs import evolve, frozen

from oras_core.errors import InvalidReferenceError
from oras_core.model.digest import Digest
from oras_core.model.reference import Reference, is_tag, names_registry

__all__ = ["LayoutPlace", "Place", "parse_place"]

EXPECTED: Final = (
    "expected HOST/REPOSITORY[:TAG][@DIGEST], oci:FOLDER[:TAG][@DIGEST] "
    "or oci-archive:FILE[:TAG][@DIGEST]"
)


@frozen
class LayoutPlace:
    """An artifact in an OCI image layout: `oci:FOLDER…` or `oci-archive:FILE…`.

    Attributes:
        kind: `oci` for a folder, `oci-archive` for one tar file.
        path: of the folder or the file, as the operating system writes it.
        tag: None if there is none.
        digest: None if there is none. It takes precedence over the tag.
    """

    kind: Literal["oci", "oci-archive"]
    path: str
    tag: str | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        """Return the form that `parse_place` reads."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.kind}:{self.path}{tag}{digest}"


_KINDS: Final[tuple[Literal["oci"], Literal["oci-archive"]]] = ("oci", "oci-archive")

Place = Reference | LayoutPlace
"""Both name a repository or layout, and in it perhaps a `tag` or a `digest`."""


def parse_place(text: str) -> Place:
    """Read a place as skopeo and oras write it.

    The registry is always named, Docker Hub too: a misspelt `oci:` must not become the name
    of a repository there. In `oci:FOLDER:TAG` the last colon begins the tag, unless a `/`
    follows it.

    Args:
        text: `HOST/REPOSITORY[:TAG][@DIGEST]`, `oci:FOLDER[:TAG][@DIGEST]` or
            `oci-archive:FILE[:TAG][@DIGEST]`.

    Raises:
        InvalidReferenceError: if the text is none of these.
        InvalidDigestError: for a malformed digest.
    """
    if not isinstance(text, str) or not text:
        raise InvalidReferenceError(text, EXPECTED)
    for kind in _KINDS:
        if text.startswith(f"{kind}:"):
            return LayoutPlace(kind, *_split(text, text.removeprefix(f"{kind}:")))
    if "://" not in text and not names_registry(text):
        raise InvalidReferenceError(text, f"{EXPECTED}; on Docker Hub, HOST is docker.io")
    return Reference.parse(text)


def whole(place: Place) -> Place:
    """Return the repository or layout that holds what `place` names."""
    return evolve(place, tag=None, digest=None)


def _split(text: str, rest: str) -> tuple[str, str | None, Digest | None]:
    named, at, digest = rest.rpartition("@")
    if not at or "/" in digest or ":" not in digest:
        named, digest = rest, ""  # the `@` is part of the path
    path, colon, tag = named.rpartition(":")
    if not colon or "/" in tag:
        path, tag = named, ""
    elif not is_tag(tag):
        raise InvalidReferenceError(text, f"{tag!r}, which follows the last ':', is not a tag")
    if not path:
        raise InvalidReferenceError(text, f"the path is missing; {EXPECTED}")
    return path, tag or None, Digest.parse(digest) if digest else None
