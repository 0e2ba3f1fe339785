"""An object with exactly the attributes it was given: what a user's own method may return."""

from __future__ import annotations

from types import SimpleNamespace


class Opaque(SimpleNamespace):
    """Raises `AttributeError` for everything else, so that a test sees who looks inside."""
