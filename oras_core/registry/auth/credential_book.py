"""The credentials of one registry: lookups, and which ones the registry refused."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from oras_core.cancellation import acquired
from oras_core.ports.credentials import Credential, CredentialRefresher, CredentialStore
from oras_core.ports.http import HttpResponse

__all__ = ["CredentialBook", "Trial"]

REFUSAL_SECONDS: Final = 300.0
"""Seconds for which a refused credential is not sent again: repeated failures lock accounts."""


class Trial:
    """One attempt to send a credential: whether it is allowed, and its result."""

    def __init__(self, *, allowed: bool) -> None:
        """Begin without a result."""
        self.allowed = allowed
        self.accepted: bool | None = None

    def judge(self, response: HttpResponse) -> None:
        """Set the result from a response; 429 and 5xx say nothing about the credential."""
        if response.status == 401:
            self.accepted = False
        elif response.status != 429 and response.status < 500:
            self.accepted = True


class CredentialBook:
    """Looks credentials up, once per repository. Thread-safe.

    A lookup may start a program or show a dialog. A credential that the registry refused is not
    sent again for `REFUSAL_SECONDS`, unless the registry accepted it before: then the refusal
    concerns one repository only.
    """

    def __init__(
        self,
        store: CredentialStore,
        registry: str,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look up `registry` and its repositories in `store`."""
        self._store = store
        self._registry = registry
        self._now = now
        self._lookup = threading.Lock()
        self._found: dict[str, Credential | None] = {}
        self._trying = threading.Lock()
        self._accepted: set[Credential] = set()
        self._refused: dict[Credential, float] = {}

    def get(self, repository: str) -> Credential | None:
        """Return the credential for a repository; for the registry, if `repository` is empty.

        Raises:
            CredentialError: if the store cannot be read.
        """
        with acquired(self._lookup):
            return self._get(repository)

    def renew(self, repository: str, refused: Credential | None) -> Credential | None:
        """Look the credential up again after a refusal; None if the store has no other.

        Raises:
            CredentialError: if the store cannot be read.
        """
        with acquired(self._lookup):
            if self._found.get(repository) == refused:
                self._found.pop(repository, None)
                if isinstance(self._store, CredentialRefresher):
                    self._store.refresh(self._name(repository))
            credential = self._get(repository)
            return None if credential == refused else credential

    def _get(self, repository: str) -> Credential | None:
        if repository not in self._found:
            credential = self._store.get(self._name(repository))
            empty = credential is None or credential.is_empty
            self._found[repository] = None if empty else credential
        return self._found[repository]

    def _name(self, repository: str) -> str:
        return f"{self._registry}/{repository}" if repository else self._registry

    @contextmanager
    def trial(self, credential: Credential) -> Iterator[Trial]:
        """Send a credential within the block if `allowed`, and `judge` the response.

        Only one thread at a time sends a credential that was not accepted yet; the others wait.
        A wrong password is therefore sent once, not once per thread.
        """
        with ExitStack() as held:
            if credential not in self._accepted:
                held.enter_context(acquired(self._trying))
            if credential in self._accepted:
                held.close()
            trial = Trial(allowed=self._refused.get(credential, -math.inf) <= self._now())
            yield trial
            if trial.accepted:
                self._accepted.add(credential)
            elif trial.accepted is False and credential not in self._accepted:
                self._refused[credential] = self._now() + REFUSAL_SECONDS
