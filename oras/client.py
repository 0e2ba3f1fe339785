"""`OrasClient`, the client of the user guide: an alias of `oras.provider.Registry`.

The class is loaded on first access, so `import oras.client` is cheap.
"""

from __future__ import annotations

# Type checkers recognise the name; importing `typing` would double the cost of this module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from oras.provider import Registry as OrasClient

__all__ = ["OrasClient"]


if not TYPE_CHECKING:
    # Hidden from type checkers: with it they would accept every misspelt name.

    def __getattr__(name: str) -> object:
        """Load the client (PEP 562)."""
        if name != "OrasClient":
            raise AttributeError(f"module 'oras.client' has no attribute {name!r}")
        from oras.provider import Registry  # noqa: PLC0415 - see above

        globals()[name] = Registry
        return Registry


def __dir__() -> list[str]:
    """List the public name, also before its first use."""
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})
