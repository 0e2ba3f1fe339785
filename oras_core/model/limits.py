"""Every bound that the library sets on what others send, each beside its reason."""

from __future__ import annotations

from typing import Final

from attrs import frozen

__all__ = [
    "MAX_ARCHIVE_BYTES",
    "MAX_ARCHIVE_MEMBERS",
    "MAX_ERROR_BODY",
    "MAX_GRAPH_SIZE",
    "MAX_LISTING_BODY",
    "MAX_MANIFEST_SIZE",
    "MAX_PAGES",
    "MAX_REDIRECTS",
    "MAX_TOKEN_BODY",
    "Limits",
]

MAX_MANIFEST_SIZE: Final = 4 * 1024 * 1024
"""Bytes of a manifest: what the distribution spec tells registries to accept (R25)."""

MAX_GRAPH_SIZE: Final = 1024 * 1024 * 1024
"""Bytes of all manifests and indexes of one graph, which are kept in memory while it is walked:
a mirror of a hundred thousand artifacts needs a quarter of it."""

MAX_ERROR_BODY: Final = 64 * 1024
"""Bytes read of an error's body: enough for every known registry's message (R32)."""

MAX_LISTING_BODY: Final = 16 * 1024 * 1024
"""Bytes of one page of tags: 100,000 tags of 128 characters fit."""

MAX_TOKEN_BODY: Final = 1024 * 1024
"""Bytes of a token server's answer: real ones are a few KiB."""

MAX_PAGES: Final = 10_000
"""Pages of one listing: ends a registry that always names a next one (R27)."""

MAX_REDIRECTS: Final = 5
"""Hops of one request: registries use one or two."""

MAX_ARCHIVE_MEMBERS: Final = 1_000_000
"""Members of one archive: ends an archive bomb that fills the inodes."""

MAX_ARCHIVE_BYTES: Final = 1024**4
"""Unpacked bytes of one archive, 1 TiB: ends a bomb; set it lower where disks are smaller."""


@frozen
class Limits:
    """The bounds in force, for one client. Units are in the constants' notes."""

    manifest_size: int = MAX_MANIFEST_SIZE
    error_body: int = MAX_ERROR_BODY
    listing_body: int = MAX_LISTING_BODY
    token_body: int = MAX_TOKEN_BODY
    pages: int = MAX_PAGES
    redirects: int = MAX_REDIRECTS
    archive_members: int = MAX_ARCHIVE_MEMBERS
    archive_bytes: int = MAX_ARCHIVE_BYTES
