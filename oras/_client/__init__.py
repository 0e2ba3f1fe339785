"""The implementation of the client. The names here are imported on first use."""

from __future__ import annotations

from oras_core.lazy import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oras._client.pulling import pull
    from oras._client.push_request import PushRequest
    from oras._client.pushing import push, subject_of
    from oras._client.response import Response

__all__ = [
    "PushRequest",
    "Response",
    "pull",
    "push",
    "subject_of",
]

_MODULE_OF = {
    "PushRequest": "push_request",
    "Response": "response",
    "pull": "pulling",
    "push": "pushing",
    "subject_of": "pushing",
}

if not TYPE_CHECKING:
    # Hidden from type checkers: they would accept every misspelt name.

    def __getattr__(name: str) -> object:
        """Import a name on first use (PEP 562)."""
        return resolve(__name__, _MODULE_OF, name)


def __dir__() -> list[str]:
    """List the names that are not yet imported, too."""
    return sorted({*globals(), *__all__})
