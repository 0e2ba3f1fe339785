"""Credential stores in memory, and the names under which a registry is kept (R11, R12)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Final

from oras_core.errors import CredentialError
from oras_core.ports.credentials import Credential, CredentialRefresher, CredentialStore

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
    "refresh",
    "registry_keys",
]

_DOCKER_HUB: Final = ("docker.io", "index.docker.io", "registry-1.docker.io")
_DOCKER_HUB_KEY: Final = "https://index.docker.io/v1/"

# What tools have appended to a host, in their time.
_SUFFIXES: Final = ("", "/", "/v1/", "/v1", "/v2/", "/v2")


def _host_forms(host: str) -> tuple[str, ...]:
    # Without a scheme `HOST/v1` could be a repository's path; with a slash behind it is none.
    bare = [host + suffix for suffix in _SUFFIXES if not suffix or suffix.endswith("/")]
    urls = [f"{scheme}://{host}{end}" for scheme in ("https", "http") for end in _SUFFIXES]
    return (*bare, *urls)


def key_forms(registry: str) -> tuple[str, ...]:
    """Return the keys under which exactly `registry` may be found, the one to write first.

    Args:
        registry: `HOST[:PORT]`, maybe with a path: see `CredentialStore`.
    """
    name = registry.strip("/").lower()
    host, slash, _ = name.partition("/")
    if slash:
        return (f"docker.io{name[len(host) :]}" if host in _DOCKER_HUB else name,)
    if host not in _DOCKER_HUB:
        return _host_forms(host)
    forms = (form for hub in _DOCKER_HUB for form in _host_forms(hub))
    return tuple(dict.fromkeys((_DOCKER_HUB_KEY, *forms)))


def registry_keys(registry: str) -> tuple[str, ...]:
    """Return all keys of a docker configuration that hold for `registry`, the best one first.

    Of a name with a path the longest counts, then ever shorter ones, then the host, which may
    be written as `HOST`, `https://HOST`, `https://HOST/v1/` and the like; Docker Hub is
    `https://index.docker.io/v1/` (R11). All keys are in lower case.
    """
    name = registry.strip("/")
    parts = name.split("/")
    levels = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
    return tuple(key for level in levels for key in key_forms(level))


def config_key(registry: str) -> str:
    """Return the key under which a credential for `registry` is to be stored."""
    return key_forms(registry)[0]


class StaticCredentials:
    """Credentials that were handed in. What is put in later stays in memory."""

    def __init__(self, credentials: Mapping[str, Credential] | Credential) -> None:
        """Hold credentials by registry, or one for whatever registry is asked for."""
        self._lock = threading.Lock()
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

    def put(self, registry: str, credential: Credential) -> None:
        """Keep `credential` until the process ends."""
        with self._lock:
            self._by_key[config_key(registry)] = credential

    def delete(self, registry: str) -> None:
        """Forget the credential for `registry`."""
        with self._lock:
            self._by_key.pop(config_key(registry), None)
            if self._default is not None:
                self._by_key[config_key(registry)] = None


class NoCredentials:
    """A store without credentials: every request is anonymous."""

    def get(self, registry: str) -> Credential | None:  # noqa: ARG002 - the port's signature
        """Return None."""
        return None

    def put(self, registry: str, credential: Credential) -> None:  # noqa: ARG002 - as above
        """Refuse.

        Raises:
            CredentialError: always.
        """
        operation = f"keep the credential for {registry}"
        raise CredentialError(operation, "a store without credentials", "it keeps nothing")

    def delete(self, registry: str) -> None:
        """Do nothing: there is nothing to forget."""


class BoundCredential(NoCredentials):
    """One credential for one registry, and for no other whatever it asks (R10).

    Where it was not said whose it is, it belongs to the first registry that asks.
    """

    def __init__(self, credential: Credential, registry: str = "") -> None:
        """Hold `credential`, for `registry` or for the first one that asks."""
        self._credential = credential
        self._key = config_key(_host(registry)) if registry else ""
        self._lock = threading.Lock()

    def get(self, registry: str) -> Credential | None:
        """Return the credential if it belongs to `registry`."""
        key = config_key(_host(registry))
        with self._lock:
            self._key = self._key or key
            return self._credential if self._key == key else None


def _host(registry: str) -> str:
    return registry.partition("/")[0]


def refresh(store: CredentialStore, registry: str) -> None:
    """Let a store look up anew what was refused, if it is one that remembers."""
    if isinstance(store, CredentialRefresher):
        store.refresh(registry)


class RememberingCredentialStore:
    """Asks a store that knows hosts alone once per host. Thread-safe.

    Starting a program or unlocking a keychain takes a while, and every repository of a host
    gets the same answer. It holds until something is put or deleted, or the registry refuses.
    """

    def __init__(self, store: CredentialStore) -> None:
        """Remember what `store` answers."""
        self._store = store
        self._answers: dict[str, Future[Credential | None]] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Name the store."""
        return f"RememberingCredentialStore({self._store!r})"

    def get(self, registry: str) -> Credential | None:
        """Return the credential for the host of `registry`; a failure is not remembered.

        Raises:
            CredentialError: as the store does.
        """
        key = config_key(_host(registry))
        with self._lock:
            known = self._answers.get(key)
            answer = self._answers.setdefault(key, Future())
        if known is not None:
            # Others wait: two dialogs for one host would be one too many.
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

    def put(self, registry: str, credential: Credential) -> None:
        """Keep `credential`; raises as the store does."""
        try:
            self._store.put(registry, credential)
        finally:
            self.refresh(registry)

    def delete(self, registry: str) -> None:
        """Forget the credential; raises as the store does."""
        try:
            self._store.delete(registry)
        finally:
            self.refresh(registry)

    def refresh(self, registry: str) -> None:
        """Ask the store again, the next time."""
        with self._lock:
            self._answers.pop(config_key(_host(registry)), None)
        refresh(self._store, registry)

    def _drop(self, key: str, answer: Future[Credential | None]) -> None:
        with self._lock:
            if self._answers.get(key) is answer:
                del self._answers[key]


class SuccessorCredentialStore:
    """A store that has taken the place of another, which may still hold something.

    As a helper does that is named in a file with passwords: it is asked first, keeps what
    is put, and what is put or deleted leaves the file as well (R12).
    """

    def __init__(self, store: CredentialStore, earlier: CredentialStore) -> None:
        """Ask `store`, then `earlier`."""
        self._store = store
        self._both = ChainedCredentialStore((store, earlier))
        self._earlier = earlier

    def get(self, registry: str) -> Credential | None:
        """Return the credential for `registry`; raises as the stores do."""
        return self._both.get(registry)

    def put(self, registry: str, credential: Credential) -> None:
        """Keep `credential` in the new store alone; raises as the stores do."""
        self._store.put(registry, credential)
        self._earlier.delete(registry)

    def delete(self, registry: str) -> None:
        """Forget the credential in both; raises as the stores do."""
        self._both.delete(registry)

    def refresh(self, registry: str) -> None:
        """Let both look it up anew."""
        self._both.refresh(registry)


class RoutedCredentialStore:
    """Asks the store that is responsible for a registry, as docker's `credHelpers` choose."""

    def __init__(self, responsible: Callable[[str], CredentialStore]) -> None:
        """Let `responsible` say which store it is."""
        self._responsible = responsible

    def get(self, registry: str) -> Credential | None:
        """Return the credential for `registry`; raises as the store does."""
        return self._responsible(registry).get(registry)

    def put(self, registry: str, credential: Credential) -> None:
        """Keep `credential`; raises as the store does."""
        self._responsible(registry).put(registry, credential)

    def delete(self, registry: str) -> None:
        """Forget the credential; raises as the store does."""
        self._responsible(registry).delete(registry)

    def refresh(self, registry: str) -> None:
        """Let the store look it up anew."""
        refresh(self._responsible(registry), registry)


class ChainedCredentialStore:
    """Several stores, asked one after the other (R12).

    What is put goes into one of them, by default the first.
    """

    def __init__(
        self, stores: Iterable[CredentialStore], *, keeper: CredentialStore | None = None
    ) -> None:
        """Ask `stores` in this order; `keeper` is the one that takes what is put."""
        self._stores = tuple(stores)
        self._keeper = keeper or next(iter(self._stores), NoCredentials())

    def get(self, registry: str) -> Credential | None:
        """Return the first credential that is not empty.

        Raises:
            CredentialError: if a store before it cannot be read: that it has none is not known.
        """
        for store in self._stores:
            credential = store.get(registry)
            if credential is not None and not credential.is_empty:
                return credential
        return None

    def put(self, registry: str, credential: Credential) -> None:
        """Keep `credential` in the store that keeps.

        Raises:
            CredentialError: if that cannot be written, or there is none.
        """
        self._keeper.put(registry, credential)

    def delete(self, registry: str) -> None:
        """Forget the credential in every store, also behind one that fails.

        Raises:
            CredentialError: that of the first store that failed.
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
        """Let every store look it up anew."""
        for store in self._stores:
            refresh(store, registry)
