"""All limits for data from others, each with its reason."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from oras_core.model.values import Value

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
"""Bytes of a manifest: the size that registries must accept (distribution spec, R25)."""

MAX_GRAPH_SIZE: Final = 1024 * 1024 * 1024
"""Bytes of all manifests and indexes of one graph, which a copy keeps in memory. A mirror of
a hundred thousand artifacts needs a quarter of it."""

MAX_ERROR_BODY: Final = 64 * 1024
"""Bytes read of an error response: enough for the messages of known registries (R32)."""

MAX_LISTING_BODY: Final = 16 * 1024 * 1024
"""Bytes of one page of tags: 100,000 tags of 128 characters fit."""

MAX_TOKEN_BODY: Final = 1024 * 1024
"""Bytes of a token response: real ones have a few KiB."""

MAX_PAGES: Final = 10_000
"""Pages of one listing: a registry could name a next page forever (R27)."""

MAX_REDIRECTS: Final = 5
"""Redirects of one request: registries use one or two."""

MAX_ARCHIVE_MEMBERS: Final = 1_000_000
"""Members of one archive: more could exhaust the inodes of a disk."""

MAX_ARCHIVE_BYTES: Final = 1024**4
"""Unpacked bytes of one archive, 1 TiB. Set a lower limit for smaller disks."""


@frozen(eq=False, repr=False)
class Limits(Value):
    """The limits of one client. The constants of the same names give units and reasons."""

    manifest_size: int = MAX_MANIFEST_SIZE
    listing_body: int = MAX_LISTING_BODY
    token_body: int = MAX_TOKEN_BODY
    pages: int = MAX_PAGES
    redirects: int = MAX_REDIRECTS
    archive_members: int = MAX_ARCHIVE_MEMBERS
    archive_bytes: int = MAX_ARCHIVE_BYTES
