"""Logging in and out."""

from __future__ import annotations

from oras.base import BaseClient

__all__ = ["LoginMethods"]


class LoginMethods(BaseClient):
    """Mixed into `oras.provider.Registry`."""
