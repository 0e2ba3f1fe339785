"""Credential stores in memory, combinations of stores, and registry keys (R11, R12)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Final

from oras_core.credential_abilities import places, refresh, replace
from oras_core.errors import CredentialError
from oras_core.forks import ForkSafeLock, PerProcess
from oras_core.model.hosts import DOCKER_HUB, DOCKER_HUB_INDEX, DOCKER_HUB_NAMES
from oras_core.ports.credentials import (
    Credential,
    CredentialStore,
)

__all__ = [
    "BoundCredential",
    "ChainedCredentialStore",
    "NoCredentials",
    "RememberingCredentialStore",
    "RoutedCredentialStore",
    "StaticCredentials",
    "SuccessorCredentialStore",
    "config_key",
    "key_forms",
    "registry_keys",
]

_DOCKER_HUB_KEY: Final = f"https://{DOCKER_HUB_INDEX}/v1/"

# Suffixes that various tools append to a host.
_SUFFIXES: Final = ("", "/", "/v1/", "/v1", "/v2/", "/v2")


def _host_forms(host: str) -> tuple[str, ...]:
    # Without a scheme, `HOST/v1` could be a repository's path; `HOST/v1/` could not.
    bare = [host + suffix for suffix in _SUFFIXES if not suffix or suffix.endswith("/")]
    urls = [f"{scheme}://{host}{end}" for scheme in ("https", "http") for end in _SUFFIXES]
    return (*bare, *urls)


def key_forms(registry: str) -> tuple[str, ...]:
    """Return all spellings of the key of `registry`, the one to write first.

    Args:
        registry: `HOST[:PORT]`, optionally with a path: see `CredentialStore`.
    """
    name = registry.strip("/").lower()
    host, slash, _ = name.partition("/")
    if slash:
        return (f"{DOCKER_HUB}{name[len(host) :]}" if host in DOCKER_HUB_NAMES else name,)
    if host not in DOCKER_HUB_NAMES:
        return _host_forms(host)
    forms = (form for hub in DOCKER_HUB_NAMES for form in _host_forms(hub))
    return tuple(dict.fromkeys((_DOCKER_HUB_KEY, *forms)))


def registry_keys(registry: str) -> tuple[str, ...]:
    """Return all keys of a docker configuration that apply to `registry`, the best one first.

    Longer paths precede shorter ones, and the host is last. The host may be written as
    `HOST`, `https://HOST`, `https://HOST/v1/` and the like; Docker Hub is
    `https://index.docker.io/v1/` (R11). All keys are in lower case.
    """
    name = registry.strip("/")
    parts = name.split("/")
    levels = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
    return tuple(key for level in levels for key in key_forms(level))


def config_key(registry: str) -> str:
    """Return the key to store a credential for `registry` under."""
    return key_forms(registry)[0]


class StaticCredentials:
    """A store of given credentials. Changes stay in memory."""

    def __init__(self, credentials: Mapping[str, Credential] | Credential) -> None:
        """Hold credentials by registry, or one credential for all registries."""
        self._lock = ForkSafeLock()
        self._default: Credential | None = None
        self._by_key: dict[str, Credential | None] = {}
        if isinstance(credentials, Credential):
            self._default = credentials
        else:
            self._by_key.update((config_key(name), one) for name, one in credentials.items())

    def get(self, registry: str) -> Credential | None:
        """Return the credential for `registry`."""
        with self._lock:
            for key in registry_keys(registry):
                if key in self._by_key:
                    return self._by_key[key]
        return self._default

    def places(self, registry: str) -> tuple[str, ...]:  # noqa: ARG002 - the port's signature
        """Say that no other place is looked in."""
        return ("the given credentials",)

    def put(self, registry: str, credential: Credential) -> None:
        """Keep `credential` until the process ends."""
        with self._lock:
            self._by_key[config_key(registry)] = credential

    def delete(self, registry: str) -> None:
        """Delete the credential for `registry`."""
        with self._lock:
            self._by_key.pop(config_key(registry), None)
            if self._default is not None:
                self._by_key[config_key(registry)] = None


class NoCredentials:
    """A store without credentials: every request is anonymous."""

    def get(self, registry: str) -> Credential | None:  # noqa: ARG002 - the port's signature
        """Return None."""
        return None

    def places(self, registry: str) -> tuple[str, ...]:  # noqa: ARG002 - as above
        """Return nothing."""
        return ()

    def put(self, registry: str, credential: Credential) -> None:  # noqa: ARG002 - as above
        """Refuse.

        Raises:
            CredentialError: always.
        """
        operation = f"keep the credential for {registry}"
        raise CredentialError(operation, "a store without credentials", "it is read-only")

    def delete(self, registry: str) -> None:
        """Do nothing: there is nothing to delete."""


class BoundCredential(NoCredentials):
    """One credential for one registry only (R10).

    Without a registry, the credential belongs to the first registry that is looked up.
    """

    def __init__(self, credential: Credential, registry: str = "") -> None:
        """Hold `credential` for `registry`, or for the first registry that is looked up."""
        self._credential = credential
        self._key = config_key(_host(registry)) if registry else ""
        self._lock = ForkSafeLock()

    def get(self, registry: str) -> Credential | None:
        """Return the credential if it belongs to `registry`."""
        key = config_key(_host(registry))
        with self._lock:
            self._key = self._key or key
            return self._credential if self._key == key else None


def _host(registry: str) -> str:
    return registry.partition("/")[0]


class RememberingCredentialStore:
    """Caches the lookups of a store that keeps credentials by host. Thread-safe.

    Starting a program or unlocking a keychain takes time, and all repositories of a host have
    the same credential. An entry is dropped on `put`, `delete` and `refresh`.
    """

    def __init__(self, store: CredentialStore) -> None:
        """Cache the lookups of `store`."""
        self._store = store
        # A lookup that a forked child has no thread for would never end.
        self._by_process: PerProcess[dict[str, Future[Credential | None]]] = PerProcess(dict)
        self._lock = ForkSafeLock()

    def __repr__(self) -> str:
        """Name the store."""
        return f"RememberingCredentialStore({self._store!r})"

    def places(self, registry: str) -> tuple[str, ...]:
        """Return the places of the store."""
        return places(self._store, registry)

    def get(self, registry: str) -> Credential | None:
        """Return the credential for the host of `registry`; failures are not cached.

        Raises:
            CredentialError: as the store does.
        """
        key = config_key(_host(registry))
        with self._lock:
            known = self._answers.get(key)
            answer = self._answers.setdefault(key, Future())
        if known is not None:
            # Wait for the other thread: do not show two dialogs for one host.
            error = known.exception()
            return known.result() if error is None else self._store.get(registry)
        try:
            credential = self._store.get(registry)
        except BaseException as error:
            self._drop(key, answer)
            answer.set_exception(error)
            raise
        answer.set_result(credential)
        return credential

    @property
    def _answers(self) -> dict[str, Future[Credential | None]]:
        return self._by_process.get()

    def put(self, registry: str, credential: Credential) -> None:
        """Store `credential`; raises as the store does."""
        try:
            self._store.put(registry, credential)
        finally:
            self.refresh(registry)

    def delete(self, registry: str) -> None:
        """Delete the credential; raises as the store does."""
        try:
            self._store.delete(registry)
        finally:
            self.refresh(registry)

    def refresh(self, registry: str) -> None:
        """Drop the cached credential for the host of `registry`."""
        with self._lock:
            self._answers.pop(config_key(_host(registry)), None)
        refresh(self._store, registry)

    def replace(self, registry: str, old: Credential, new: Credential) -> None:
        """Store `new` in place of `old`; raises as the store does."""
        try:
            replace(self._store, registry, old, new)
        finally:
            self.refresh(registry)

    def _drop(self, key: str, answer: Future[Credential | None]) -> None:
        with self._lock:
            if self._answers.get(key) is answer:
                del self._answers[key]


class SuccessorCredentialStore:
    """A store that replaces an earlier store, which may still contain credentials.

    Example: a configuration file with passwords also names a helper. The helper is asked first
    and stores new credentials; `put` and `delete` also remove them from the file (R12).
    """

    def __init__(self, store: CredentialStore, earlier: CredentialStore) -> None:
        """Look up in `store`, then in `earlier`."""
        self._store = store
        self._both = ChainedCredentialStore((store, earlier))
        self._earlier = earlier

    def get(self, registry: str) -> Credential | None:
        """Return the credential for `registry`; raises as the stores do."""
        return self._both.get(registry)

    def places(self, registry: str) -> tuple[str, ...]:
        """Return the places of both stores."""
        return self._both.places(registry)

    def put(self, registry: str, credential: Credential) -> None:
        """Store `credential` in the new store only; raises as the stores do."""
        self._store.put(registry, credential)
        self._earlier.delete(registry)

    def delete(self, registry: str) -> None:
        """Delete the credential from both stores; raises as they do."""
        self._both.delete(registry)

    def refresh(self, registry: str) -> None:
        """Drop the cached credential of both stores."""
        self._both.refresh(registry)

    def replace(self, registry: str, old: Credential, new: Credential) -> None:
        """Store `new` in place of `old`; raises as the stores do."""
        self._both.replace(registry, old, new)


class RoutedCredentialStore:
    """Selects a store by registry, as docker's `credHelpers` does."""

    def __init__(self, responsible: Callable[[str], CredentialStore]) -> None:
        """Use the store that `responsible` returns for a registry."""
        self._responsible = responsible

    def get(self, registry: str) -> Credential | None:
        """Return the credential for `registry`; raises as the store does."""
        return self._responsible(registry).get(registry)

    def places(self, registry: str) -> tuple[str, ...]:
        """Return the places of the store."""
        return places(self._responsible(registry), registry)

    def put(self, registry: str, credential: Credential) -> None:
        """Store `credential`; raises as the store does."""
        self._responsible(registry).put(registry, credential)

    def delete(self, registry: str) -> None:
        """Delete the credential; raises as the store does."""
        self._responsible(registry).delete(registry)

    def refresh(self, registry: str) -> None:
        """Drop the cached credential of the store."""
        refresh(self._responsible(registry), registry)

    def replace(self, registry: str, old: Credential, new: Credential) -> None:
        """Store `new` in place of `old`; raises as the store does."""
        replace(self._responsible(registry), registry, old, new)


class ChainedCredentialStore:
    """Several stores, asked in order (R12). New credentials go to one of them."""

    def __init__(
        self, stores: Iterable[CredentialStore], *, keeper: CredentialStore | None = None
    ) -> None:
        """Ask `stores` in this order.

        Args:
            stores: the stores.
            keeper: the store for new credentials; by default the first of `stores`.
        """
        self._stores = tuple(stores)
        self._keeper = keeper or next(iter(self._stores), NoCredentials())

    def get(self, registry: str) -> Credential | None:
        """Return the first credential that is not empty.

        Raises:
            CredentialError: if an earlier store cannot be read: it may have a credential.
        """
        for store in self._stores:
            credential = store.get(registry)
            if credential is not None and not credential.is_empty:
                return credential
        return None

    def places(self, registry: str) -> tuple[str, ...]:
        """Return the places of all stores."""
        return tuple(place for store in self._stores for place in places(store, registry))

    def put(self, registry: str, credential: Credential) -> None:
        """Store `credential` in the store for new credentials.

        Raises:
            CredentialError: if that store cannot be written, or there is none.
        """
        self._keeper.put(registry, credential)

    def delete(self, registry: str) -> None:
        """Delete the credential from every store, even if one of them fails.

        Raises:
            CredentialError: the error of the first store that failed.
        """
        failures: list[CredentialError] = []
        for store in self._stores:
            try:
                store.delete(registry)
            except CredentialError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def refresh(self, registry: str) -> None:
        """Drop the cached credential of every store."""
        for store in self._stores:
            refresh(store, registry)

    def replace(self, registry: str, old: Credential, new: Credential) -> None:
        """Store `new` in place of `old` in every store; raises as the stores do."""
        for store in self._stores:
            replace(store, registry, old, new)
