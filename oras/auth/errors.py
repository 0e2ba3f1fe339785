"""The error by which a backend says that it is pointless to go on."""

from __future__ import annotations

from oras_core.errors import OrasError

__all__ = ["AuthenticationException"]


class AuthenticationException(OrasError):
    """Somebody could not be authenticated, and trying again would not help.

    A backend of one's own may raise it. A registry's 401 is one too, besides being
    `oras_core.errors.AuthenticationError`.
    """
