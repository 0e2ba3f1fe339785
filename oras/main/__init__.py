"""The package in which oras-py has its login."""

from __future__ import annotations

import importlib

__all__ = ["login"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    import oras.main.login as login  # noqa: PLR0402 - mypy resolves no other form of this cycle
else:

    def __getattr__(name: str) -> object:
        """Import `oras.main.login` on first access (PEP 562)."""
        if name == "login":
            return importlib.import_module("oras.main.login")
        raise AttributeError(f"module 'oras.main' has no attribute {name!r}")
