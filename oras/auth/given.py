"""Credentials that the program sets, and their priority over configured ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from attrs import evolve

import oras_adapters
import oras_core
from oras import utils
from oras_core import ports
from oras_core.forks import ForkSafeLock

if TYPE_CHECKING:
    from oras_core.ports.credentials import Credential, CredentialStore

__all__ = ["BackendCredentials", "GivenCredentials", "configured"]


def configured() -> CredentialStore:
    """Return the store that the user's settings select."""
    return oras_adapters.compose().credentials


def _key(registry: str) -> str:
    from oras_core.credentials import config_key  # noqa: PLC0415 - most programs give none

    return config_key(registry.partition("/")[0])


class _Gift(NamedTuple):
    """A credential, and the revision in which it was set."""

    credential: Credential
    revision: int

    def without_token(self) -> _Gift:
        return self._replace(credential=evolve(self.credential, registry_token=""))

    def on_top_of(self, earlier: _Gift | None) -> _Gift:
        """Return this gift; if it is only a token, add the earlier gift's password."""
        token = self.credential.registry_token
        if earlier is None or self.credential != ports.Credential(registry_token=token):
            return self
        return self._replace(credential=evolve(earlier.credential, registry_token=token))


class GivenCredentials:
    """Credentials in memory, each for one registry only (R10). Thread-safe.

    A credential without a registry belongs to `home`, or to the first registry that is used
    afterwards.

    Attributes:
        home: the client's default registry, if it has one.
        revision: changes whenever a credential changes.
    """

    def __init__(self) -> None:
        """Begin without credentials."""
        self.home: str | None = None
        self.revision: int = 0
        self._by_key: dict[str, _Gift] = {}
        self._waiting: _Gift | None = None
        self._latest = ""
        self._lock = ForkSafeLock()

    @property
    def latest(self) -> Credential | None:
        """The credential that was set last, for any registry."""
        with self._lock:
            gift = self._waiting or self._by_key.get(self._latest)
            return gift.credential if gift else None

    def give(self, credential: Credential) -> None:
        """Set a credential for `home`, or for the first registry that is used from now on."""
        with self._lock:
            self.revision += 1
            self._waiting = _Gift(credential, self.revision)

    def give_token(self, token: str) -> None:
        """Set a bearer token in the same way; keep the password of the same registry."""
        with self._lock:
            self.revision += 1
            waiting = self._waiting.credential if self._waiting else ports.Credential()
            self._waiting = _Gift(evolve(waiting, registry_token=token), self.revision)

    def drop_token(self) -> None:
        """Drop the bearer token that was set last; keep the password."""
        with self._lock:
            self.revision += 1
            self._waiting = self._waiting and self._waiting.without_token()
            if self._latest in self._by_key:
                self._by_key[self._latest] = self._by_key[self._latest].without_token()

    def claim(self, registry: str) -> None:
        """Assign a credential that has no registry yet to `registry`."""
        with self._lock:
            self._claim(registry)

    def _claim(self, registry: str) -> None:
        if self._waiting is None:
            return
        key = _key(self.home or registry)
        present = self._by_key.get(key)
        if present is None or present.revision < self._waiting.revision:
            self._by_key[key] = self._waiting.on_top_of(present)
            self._latest, self._waiting = key, None

    def get(self, registry: str) -> Credential | None:
        """Return the credential for `registry`."""
        with self._lock:
            self._claim(registry)
            gift = self._by_key.get(_key(registry))
            return gift.credential if gift else None

    def places(self, registry: str) -> tuple[str, ...]:
        """Say that no other place is looked in."""
        return ("the credentials of the client",)

    def put(self, registry: str, credential: Credential) -> None:
        """Set the credential for `registry`."""
        with self._lock:
            self.revision += 1
            self._latest = _key(registry)
            self._by_key[self._latest] = _Gift(credential, self.revision)

    def delete(self, registry: str) -> None:
        """Drop the credential for `registry`, also an unassigned one that may belong to it."""
        with self._lock:
            self.revision += 1
            self._by_key.pop(_key(registry), None)
            if self.home is None or _key(self.home) == _key(registry):
                self._waiting = None


class BackendCredentials:
    """The stores of the program, then the configured store.

    `localhost` and `127.0.0.1` are the same host.

    Attributes:
        named: returns the current stores of the program, in order of priority.
        configured: the store of the user's configuration.
    """

    def __init__(
        self, named: Callable[[], Sequence[CredentialStore]], configured: CredentialStore
    ) -> None:
        """Ask the stores that `named` returns, then `configured`."""
        self.named = named
        self.configured = configured

    def get(self, registry: str) -> Credential | None:
        """Return the first credential that is not empty; raises as the stores do."""
        for store in (*self.named(), self.configured):
            for name in utils.iter_localhosts(registry):
                credential = store.get(name)
                if credential is not None and not credential.is_empty:
                    return credential
        return None

    def places(self, registry: str) -> tuple[str, ...]:
        """Return the places of all stores."""
        return oras_core.ChainedCredentialStore((*self.named(), self.configured)).places(registry)

    def put(self, registry: str, credential: Credential) -> None:
        """Store `credential` in the configured store."""
        self.configured.put(registry, credential)

    def delete(self, registry: str) -> None:
        """Delete the credential from all stores."""
        oras_core.ChainedCredentialStore((*self.named(), self.configured)).delete(registry)

    def refresh(self, registry: str) -> None:
        """Drop the cached credential of all stores."""
        from oras_core import credential_abilities as abilities  # noqa: PLC0415 - rare

        for store in (*self.named(), self.configured):
            for name in utils.iter_localhosts(registry):
                abilities.refresh(store, name)

    def replace(self, registry: str, old: Credential, new: Credential) -> None:
        """Store `new` in place of `old` in all stores; raises as the stores do."""
        from oras_core import credential_abilities as abilities  # noqa: PLC0415 - rare

        for store in (*self.named(), self.configured):
            for name in utils.iter_localhosts(registry):
                abilities.replace(store, name, old, new)
