"""Transports that only the client needs. These names are imported on first use."""

from __future__ import annotations

from oras_core.lazy import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oras._transports.bodies import as_source
    from oras._transports.foreign import PassedError, ThroughDoRequest, ThroughSession
    from oras._transports.loopback import LoopbackTransport

__all__ = [
    "LoopbackTransport",
    "PassedError",
    "ThroughDoRequest",
    "ThroughSession",
    "as_source",
]

_MODULE_OF = {
    "LoopbackTransport": "loopback",
    "PassedError": "foreign",
    "ThroughDoRequest": "foreign",
    "ThroughSession": "foreign",
    "as_source": "bodies",
}

if not TYPE_CHECKING:
    # Hidden from type checkers: they would accept every misspelt name.

    def __getattr__(name: str) -> object:
        """Import a name on first use (PEP 562)."""
        return resolve(__name__, _MODULE_OF, name)


def __dir__() -> list[str]:
    """List the names that are not yet imported, too."""
    return sorted({*globals(), *__all__})
