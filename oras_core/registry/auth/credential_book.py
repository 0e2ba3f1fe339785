"""The credentials of one registry, looked up on first use."""

from __future__ import annotations

import logging

from attrs import evolve

from oras_core.cancellation import acquired
from oras_core.credential_abilities import places, refresh, replace
from oras_core.errors import CredentialError
from oras_core.forks import ForkSafeLock
from oras_core.ports.credentials import Credential, CredentialStore

__all__ = ["CredentialBook"]

_LOGGER = logging.getLogger(__name__)


class CredentialBook:
    """Looks credentials up, once per repository. Thread-safe.

    A lookup may start a program or show a dialog.
    """

    def __init__(self, store: CredentialStore, registry: str) -> None:
        """Look up `registry` and its repositories in `store`."""
        self._store = store
        self._registry = registry
        self._lookup = ForkSafeLock()
        self._found: dict[str, Credential | None] = {}
        self._renewed: dict[Credential, Credential] = {}

    def get(self, repository: str) -> Credential | None:
        """Return the credential for a repository; for the registry, if `repository` is empty.

        Raises:
            CredentialError: if the store cannot be read.
        """
        with acquired(self._lookup):
            return self._get(repository)

    def absence(self, repository: str) -> str:
        """Say where no credential was found; empty if there is one."""
        if self.get(repository) is not None:
            return ""
        looked = places(self._store, self._name(repository))
        where = f"found in {', '.join(dict.fromkeys(looked))}" if looked else "given"
        return f"no credential for {self._registry} was {where}"

    def renew(self, repository: str, refused: Credential | None) -> Credential | None:
        """Look the credential up again after a refusal; None if the store has no other.

        Raises:
            CredentialError: if the store cannot be read.
        """
        with acquired(self._lookup):
            if self._found.get(repository) == refused:
                self._found.pop(repository, None)
                refresh(self._store, self._name(repository))
            credential = self._get(repository)
            return None if credential == refused else credential

    def renew_identity(self, credential: Credential, identity_token: str) -> None:
        """Store the successor of an identity token that may be valid for one use only.

        `get` still returns `credential`, so that its tokens stay valid.
        """
        successor = evolve(credential, identity_token=identity_token)
        with acquired(self._lookup):
            stored = self._renewed.get(credential, credential)
            self._renewed[credential] = successor
            repository = next((name for name, one in self._found.items() if one == credential), "")
            try:
                replace(self._store, self._name(repository), stored, successor)
            except CredentialError as error:
                _LOGGER.warning("the new identity token is kept in memory only: %s", error)

    def _get(self, repository: str) -> Credential | None:
        if repository not in self._found:
            credential = self._store.get(self._name(repository))
            empty = credential is None or credential.is_empty
            self._found[repository] = None if empty else self._known(credential)
        return self._found[repository]

    def _known(self, credential: Credential | None) -> Credential | None:
        """Return the credential that `credential` replaced in the store, or itself."""
        replaced = (old for old, new in self._renewed.items() if new == credential)
        return next(replaced, credential)

    def _name(self, repository: str) -> str:
        return f"{self._registry}/{repository}" if repository else self._registry
