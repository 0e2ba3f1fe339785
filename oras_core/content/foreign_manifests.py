"""Manifests of types that this library cannot read: their blobs would be lost without an error."""

from __future__ import annotations

import json
import re
from contextlib import closing
from typing import Any, Final

from oras_core.content.verify import read_verified
from oras_core.errors import NotFoundError, UnsupportedError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import Fetcher

__all__ = ["is_foreign_manifest", "refuse_foreign_manifest"]

_NAMES: Final = ("manifest", "index", "list")
"""Words in the media types of manifests, such as `vnd.docker.distribution.manifest.v1+json`."""

_MEMBERS: Final = ("digest", "blobSum")
"""Members by which manifests refer to blobs; `blobSum` is that of Docker's schema 1."""


def refuse_foreign_manifest(
    fetcher: Fetcher, descriptor: Descriptor, operation: str, *, limit: int
) -> None:
    """Refuse a leaf that seems to be a manifest: it takes the place of one, or refers to blobs.

    Args:
        fetcher: the target with the leaf.
        descriptor: an entry of an index, or a tagged blob.
        operation: the operation that has to know the successors, for the error.
        limit: the largest manifest accepted, in bytes.

    Raises:
        UnsupportedError: if the leaf seems to be a manifest; names its media type.
    """
    if descriptor.has_successors:
        return
    if is_foreign_manifest(descriptor) or (
        descriptor.size <= limit and _refers_to_blobs(fetcher, descriptor, limit)
    ):
        raise UnsupportedError(
            operation,
            f"{descriptor.digest} has the media type {descriptor.media_type}, whose references "
            "cannot be read: say how to find its successors",
        )


def is_foreign_manifest(descriptor: Descriptor) -> bool:
    """Tell whether the media type alone says that a leaf is a manifest."""
    words = re.split(r"[^a-z]+", descriptor.media_type.lower())
    return not descriptor.has_successors and any(name in words for name in _NAMES)


def _refers_to_blobs(fetcher: Fetcher, descriptor: Descriptor, limit: int) -> bool:
    try:
        with closing(fetcher.fetch(descriptor)) as stream:
            content = read_verified(stream, descriptor, limit=limit)
        todo: list[Any] = [json.loads(content)]
    except (NotFoundError, ValueError, RecursionError):
        return False
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            named = [value.get(member) for member in _MEMBERS]
            if any(isinstance(digest, str) and ":" in digest for digest in named):
                return True
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)
    return False
