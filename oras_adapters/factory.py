"""The only composer: from settings to registries, repositories, folders and credentials.

Everything is made when it is first needed, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock, RLock
from types import TracebackType
from typing import TYPE_CHECKING, Final

from attrs import evolve

from oras_adapters.credentials.credential_helper import CredentialHelperStore
from oras_adapters.credentials.docker_config import DockerConfigStore
from oras_adapters.credentials.keyring_store import KeyringStore
from oras_adapters.files.local_files import LocalFileTree
from oras_adapters.http.certificate_folders import HostCertificates, find_certificates
from oras_adapters.http.proxies import ProxySettings
from oras_adapters.http.tls import ssl_context
from oras_adapters.http.urllib3_transport import Timeouts, Urllib3Transport
from oras_adapters.settings.settings import Settings, TlsSettings, load_settings
from oras_core.credentials import (
    BoundCredential,
    ChainedCredentialStore,
    NoCredentials,
    RememberingCredentialStore,
    RoutedCredentialStore,
    SuccessorCredentialStore,
)
from oras_core.errors import InvalidConfigurationError
from oras_core.model.reference import Reference
from oras_core.ports.credentials import Credential, CredentialStore
from oras_core.ports.http import HttpTransport
from oras_core.registry.compose import Authorize
from oras_core.registry.endpoints import is_loopback
from oras_core.registry.profiles import HostProfile, profile_for
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.repository import RemoteRepository
from oras_core.registry.transports.retries import RetryPolicy

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from oras_core.ports.compression import Compression

__all__ = ["Composition", "compose", "config_file_store"]


class Composition:
    """The parts of one client. Thread-safe.

    A context manager: leaving it closes the connections.
    """

    def __init__(self, settings: Settings, *, credentials: CredentialStore | None = None) -> None:
        """Compose by `settings`.

        Args:
            settings: how.
            credentials: a store to be used instead of the one that the settings choose.
        """
        self.settings = settings
        self._credentials = credentials
        self._transports: dict[TlsSettings, Urllib3Transport] = {}
        self._registries: dict[str, RemoteRegistry] = {}
        self._lock = RLock()

    @property
    def credentials(self) -> CredentialStore:
        """The credential store that the settings choose.

        Raises:
            InvalidConfigurationError: if they name an unknown one.
        """
        with self._lock:
            if self._credentials is None:
                self._credentials = _credential_store(self.settings)
            return self._credentials

    def registry(self, host: str) -> RemoteRegistry:
        """Return the registry `HOST` or `HOST:PORT`.

        Raises:
            InvalidReferenceError: if `host` is neither.
        """
        with self._lock:
            if host not in self._registries:
                self._registries[host] = self.registry_over(self.transport(host), host)
            return self._registries[host]

    def registry_over(
        self,
        transport: HttpTransport,
        host: str,
        *,
        plain_http: bool | None = None,
        credentials: CredentialStore | None = None,
        headers: Mapping[str, str] | None = None,
        authorize: Authorize | None = None,
        retry_policy: RetryPolicy | None = None,
    ) -> RemoteRegistry:
        """Return a registry that is spoken to through a transport of the caller's.

        Args:
            transport: a plain one; redirects, retries and credentials are added.
            host: `HOST` or `HOST:PORT`.
            plain_http: whether without TLS; by default as the settings have it.
            credentials: asked instead of the composition's own.
            headers: go along with every request to the registry.
            authorize: authentication of the caller's own, in place of `credentials`.
            retry_policy: how often to try again; by default as the settings have it.
        """
        network = self.settings.network
        usual = RetryPolicy(network.attempts, network.backoff, max_pause=network.max_pause)
        return RemoteRegistry(
            host,
            transport,
            plain_http=self.plain_http(host) if plain_http is None else plain_http,
            credentials=credentials or self.credentials,
            headers=headers or {},
            retry_policy=retry_policy or usual,
            profile=self._profile(host),
            authorize=authorize,
        )

    def repository(self, reference: Reference | str) -> RemoteRepository:
        """Return the repository that a reference names.

        Raises:
            InvalidReferenceError: if `reference` is malformed.
        """
        if isinstance(reference, str):
            reference = Reference.parse(reference)
        return self.registry(reference.registry).repository(reference.repository)

    def compression(self) -> Compression:
        """Return what directories are compressed by when they are pushed.

        Raises:
            InvalidConfigurationError: if the settings name what is not known.
            UnsupportedError: if they name a library that is not installed.
        """
        # Here and below: most programs never pack or unpack a directory.
        from oras_adapters.compression.compressions import find_compression  # noqa: PLC0415

        archive = self.settings.archive
        return find_compression(archive.format, archive.implementation, archive.level)

    def compressions(self) -> tuple[Compression, ...]:
        """Return what a directory that is pulled may be compressed by."""
        from oras_adapters.compression.compressions import all_compressions  # noqa: PLC0415

        return all_compressions()

    def folder(self, path: str | Path) -> LocalFileTree:
        """Return a folder to pull into; it is made when something is written."""
        return LocalFileTree(path, create=True)

    def transport(self, host: str) -> HttpTransport:
        """Return the plain transport with which `host` is spoken to.

        Raises:
            InvalidConfigurationError: if a folder of certificates for it is incomplete.
        """
        tls = self._tls(host)
        with self._lock:
            if tls not in self._transports:
                self._transports[tls] = self._new_transport(tls)
            return self._transports[tls]

    def plain_http(self, host: str) -> bool:
        """Tell whether `host` is spoken to without TLS.

        Registries on this machine usually are, but for those that have certificates here.
        """
        chosen = self.settings.host(host).plain_http
        if chosen is not None:
            return chosen
        return is_loopback(host) and self._certificates(host) == HostCertificates()

    def _tls(self, host: str) -> TlsSettings:
        """Return whom to trust at `host` and who we are to it, `certs.d` folders looked into."""
        tls = self.settings.host(host).tls or self.settings.tls
        found = self._certificates(host)
        own = bool(tls.client_certificate)
        return evolve(
            tls,
            certificate_directories=(),
            extra_authorities=(*tls.extra_authorities, *found.authorities),
            client_certificate=tls.client_certificate if own else found.client_certificate,
            client_key=tls.client_key if own else found.client_key,
        )

    def _certificates(self, host: str) -> HostCertificates:
        tls = self.settings.host(host).tls or self.settings.tls
        return find_certificates(tls.certificate_directories, host)

    def _new_transport(self, tls: TlsSettings) -> Urllib3Transport:
        network, proxy = self.settings.network, self.settings.proxy
        return Urllib3Transport(
            tls=lambda: ssl_context(
                verify=tls.verify,
                ca_bundle=tls.ca_bundle or None,
                extra_authorities=tls.extra_authorities,
                client_certificate=tls.client_certificate or None,
                client_key=tls.client_key or None,
            ),
            proxies=ProxySettings(http=proxy.http, https=proxy.https, no_proxy=proxy.no_proxy),
            timeouts=Timeouts(connect=network.connect_timeout, read=network.read_timeout),
            max_connections=max(self.settings.transfer.concurrency, 1),
        )

    def _profile(self, host: str) -> HostProfile:
        chunk_size = self.settings.host(host).chunk_size
        profile = profile_for(host)
        if chunk_size is None:
            return profile
        return evolve(profile, chunked=chunk_size > 0, chunk_size=chunk_size or profile.chunk_size)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for transport in self._transports.values():
                transport.close()

    def __enter__(self) -> Composition:
        """Return the composition itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        self.close()


def compose(
    settings: Settings | None = None, *, credentials: CredentialStore | None = None
) -> Composition:
    """Compose a client: by settings of one's own, or by those of the user's machine.

    Raises:
        InvalidConfigurationError: if the user's settings cannot be used.
    """
    return Composition(load_settings() if settings is None else settings, credentials=credentials)


# --- Credential stores --------------------------------------------------------------------

STORES_GROUP: Final = "oras.credential_stores"
"""Entry points of this group are functions without arguments that return a store."""

HELPER_PREFIX: Final = "helper:"


def _credential_store(settings: Settings) -> CredentialStore:
    """Return the store that the settings name, or a chain of them."""
    names = settings.credentials.stores
    stores = {name: _named_store(name, settings) for name in names}
    # Environment variables keep nothing: what is put goes to the first store that does.
    keeper = next((store for name, store in stores.items() if name != "environment"), None)
    if len(stores) == 1:
        return next(iter(stores.values()))
    return ChainedCredentialStore(stores.values(), keeper=keeper)


def _named_store(name: str, settings: Settings) -> CredentialStore:
    built_in: Mapping[str, Callable[[Settings], CredentialStore]] = {
        "docker": lambda settings: config_file_store(settings.credentials.docker_config),
        "podman": _podman_store,
        "keyring": lambda _: KeyringStore(),
        "environment": _environment_store,
    }
    if name in built_in:
        return built_in[name](settings)
    if name.startswith(HELPER_PREFIX):
        return _helper_store(name.removeprefix(HELPER_PREFIX))
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow, and needed for plug-ins only

    registered = {point.name: point for point in entry_points(group=STORES_GROUP)}
    if name not in registered:
        known = ", ".join([*built_in, "helper:NAME", *sorted(registered)])
        raise InvalidConfigurationError(
            "credentials.stores", f"there is no store {name!r}; known are {known}"
        )
    return _registered_store(registered[name])


def _registered_store(point: EntryPoint) -> CredentialStore:
    """Return the store that a package has registered, made by its function.

    Raises:
        InvalidConfigurationError: if that fails, or returns something else.
    """
    what = f"the store {point.name!r} of {point.value}"
    try:
        store: CredentialStore = point.load()()
    except Exception as error:
        reason = f"{what} cannot be made: {type(error).__name__}: {error}"
        raise InvalidConfigurationError("credentials.stores", reason) from error
    lacking = [name for name in ("get", "put", "delete") if not hasattr(store, name)]
    if lacking:
        reason = f"{what} is no store: it has no {', '.join(lacking)}"
        raise InvalidConfigurationError("credentials.stores", reason)
    return store


def config_file_store(path: str) -> CredentialStore:
    """Return a docker config's store, with the helpers that it names for registries (R12)."""
    if not path:
        return NoCredentials()
    config = DockerConfigStore(path)
    helped: dict[str, CredentialStore] = {}
    lock = Lock()

    def responsible(registry: str) -> CredentialStore:
        name = config.helper_for(registry)
        if not name:
            return config
        with lock:
            if name not in helped:
                helped[name] = SuccessorCredentialStore(_helper_store(name), config)
            return helped[name]

    return RoutedCredentialStore(responsible)


def _helper_store(name: str) -> CredentialStore:
    return RememberingCredentialStore(CredentialHelperStore(name))


def _podman_store(settings: Settings) -> CredentialStore:
    """Return podman's files in their order: containers-auth.json(5)."""
    own = settings.credentials
    # Podman looks into docker's file too; where that is a store of its own it has its place.
    docker = () if "docker" in own.stores else (own.docker_config,)
    fallbacks = own.auth_file_fallbacks and (*own.auth_file_fallbacks, *docker)
    paths = dict.fromkeys((own.auth_file, *fallbacks))
    stores = {path: config_file_store(path) for path in paths if path}
    keeper = stores.get(own.auth_file, NoCredentials())
    return ChainedCredentialStore(stores.values(), keeper=keeper)


def _environment_store(settings: Settings) -> CredentialStore:
    own = settings.environment
    credential = Credential(own.user, own.password, registry_token=own.token)
    return NoCredentials() if credential.is_empty else BoundCredential(credential, own.registry)
