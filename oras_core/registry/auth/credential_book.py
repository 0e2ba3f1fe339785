"""The credentials of one registry: looked up once, and how they fared."""

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
"""How long a refused credential is not sent again: sending on locks accounts."""


class Trial:
    """Whether a credential may be sent, and what came of it."""

    def __init__(self, *, allowed: bool) -> None:
        """Begin undecided."""
        self.allowed = allowed
        self.accepted: bool | None = None

    def judge(self, response: HttpResponse) -> None:
        """Take the answer's word for it; 429 and 5xx say nothing about the credential."""
        if response.status == 401:
            self.accepted = False
        elif response.status != 429 and response.status < 500:
            self.accepted = True


class CredentialBook:
    """Asks a store, which may start a program or show a dialog, once per repository.

    Thread-safe. A credential that the registry refused is not sent again for some minutes,
    unless it had been accepted before: then the refusal concerned one repository only.
    """

    def __init__(
        self,
        store: CredentialStore,
        registry: str,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look `registry`, and repositories in it, up in `store`."""
        self._store = store
        self._registry = registry
        self._now = now
        self._lookup = threading.Lock()
        self._found: dict[str, Credential | None] = {}
        self._trying = threading.Lock()
        self._accepted: set[Credential] = set()
        self._refused: dict[Credential, float] = {}

    def get(self, repository: str) -> Credential | None:
        """Return the credential for a repository, or for the registry if it is empty.

        Raises:
            CredentialError: if the store cannot be read.
        """
        with acquired(self._lookup):
            return self._get(repository)

    def renew(self, repository: str, refused: Credential | None) -> Credential | None:
        """Look again after `refused` was refused; None where the store knows no other.

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
        """Send a credential within the block, if `allowed`, and `judge` the answer.

        One that is not yet known to be right is tried by one thread while the others wait: a
        wrong password is sent once, not once per thread.
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
