"""The current refresh token of each credential; some are valid for one exchange only (R3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from oras_core.cancellation import acquired
from oras_core.forks import ForkSafeLock
from oras_core.ports.credentials import Credential
from oras_core.registry.auth.refusals import Audience

__all__ = ["RefreshTokens"]


class RefreshTokens:
    """Keeps the refresh tokens that replaced an identity token. Thread-safe.

    A token server may accept a refresh token once and return its successor. Therefore only one
    exchange runs at a time for each server and credential, and the next one sends the successor.
    """

    def __init__(self, renewed: Callable[[Credential, str], None] | None = None) -> None:
        """Begin without successors.

        Args:
            renewed: called with a credential and the successor of its identity token.
        """
        self._renewed = renewed
        self._lock = ForkSafeLock()
        self._exchanges: dict[tuple[str, Credential], ForkSafeLock] = {}
        self._successors: dict[tuple[str, Credential], str] = {}

    @contextmanager
    def exchange(self, audience: Audience) -> Iterator[tuple[str, Callable[[str], None]]]:
        """Exchange a refresh token within the block.

        Yields:
            The token to send, and a function to call with its successor.
        """
        credential = audience.credential or Credential()
        key = (audience.realm, credential)
        with self._lock:
            exchanging = self._exchanges.setdefault(key, ForkSafeLock())
        with acquired(exchanging):
            current = self._successors.get(key, credential.identity_token)

            def renew(successor: str) -> None:
                if successor and successor != current:
                    self._successors[key] = successor
                    if self._renewed is not None:
                        self._renewed(credential, successor)

            yield current, renew
