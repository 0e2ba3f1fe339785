"""Which methods a subclass, or a patch, has put in the place of the client's own.

`push` and `pull` run on the engine of the core, in parallel and verified. A method that
somebody has replaced is called instead, as oras-py would call it. This is the one place
that decides it.
"""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from oras.base import BaseClient

__all__ = ["PULL_HOOKS", "PUSH_HOOKS", "UPLOAD_HOOKS", "is_overridden"]

UPLOAD_HOOKS: Final = ("put_upload", "chunked_upload", "blob_exists")
"""What `upload_blob` is made of."""

PUSH_HOOKS: Final = ("upload_blob", "upload_manifest", *UPLOAD_HOOKS)
"""Replacing one of these makes `push` go step by step."""

PULL_HOOKS: Final = ("get_manifest", "get_blob", "download_blob")
"""Replacing one of these makes `pull` go step by step."""


def is_overridden(client: BaseClient, *names: str) -> bool:
    """Tell whether one of the methods `names` is not the client's own."""
    return any(not _is_own(client, name) for name in names)


def _is_own(client: BaseClient, name: str) -> bool:
    # A static look-up sees what a subclass defines, what is set on the object, and mocks.
    found = inspect.getattr_static(client, name)
    return isinstance(found, FunctionType) and found.__module__.partition(".")[0] == "oras"
