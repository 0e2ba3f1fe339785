"""`OrasClient`, the client of the user guide: another name of `oras.provider.Registry`.

It is loaded when it is first used, so that `import oras.client` costs next to nothing.
"""

from __future__ import annotations

# Type checkers know the name; importing `typing` for it would be most of this module's cost.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from oras.provider import Registry as OrasClient

__all__ = ["OrasClient"]


if not TYPE_CHECKING:
    # Hidden from type checkers, for which it would make every misspelt name an attribute.

    def __getattr__(name: str) -> object:
        """Load the client (PEP 562)."""
        if name != "OrasClient":
            raise AttributeError(f"module 'oras.client' has no attribute {name!r}")
        from oras.provider import Registry  # noqa: PLC0415 - see above

        globals()[name] = Registry
        return Registry
