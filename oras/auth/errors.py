"""The error of a backend that cannot authenticate."""

from __future__ import annotations

from oras_core.errors import OrasError

__all__ = ["AuthenticationException"]


class AuthenticationException(OrasError):
    """Authentication failed, and a retry would not help.

    Custom backends may raise this error. The error for a registry's 401 is both this error and
    `oras_core.errors.AuthenticationError`.
    """
