"""The parts of a client, composed from settings: registries, repositories, folders, stores."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

from attrs import evolve

from oras_adapters.http.urllib3_transport import ProxyChoice, Timeouts, Urllib3Transport
from oras_adapters.settings.settings import ArchiveSettings, Settings, TlsSettings
from oras_core.errors import FileAccessError
from oras_core.forks import ClosedOnExit, ForkSafeLock, PerProcess
from oras_core.model.hosts import is_loopback
from oras_core.model.limits import Limits
from oras_core.model.reference import Reference
from oras_core.ports.content import ReadOnlyTarget
from oras_core.ports.http import HttpTransport
from oras_core.registry.compose import Authorize, OnDemandAuthorizer
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.repository import RemoteRepository
from oras_core.registry.transports.retries import RetryPolicy

if TYPE_CHECKING:
    import ssl

    from oras_adapters.digest_cache import DigestCache
    from oras_adapters.files.local_files import LocalFileTree
    from oras_adapters.files.local_sources import LocalFiles
    from oras_adapters.http.certificate_folders import HostCertificates
    from oras_core.ports.compression import Compression, CompressionChooser
    from oras_core.ports.credentials import CredentialStore
    from oras_core.ports.digests import DigestMemory
    from oras_core.registry.profiles import HostProfile
    from oras_core.stores.cache import ContentCache

__all__ = ["Parts"]

_logger = logging.getLogger(__name__)

_CONFIG_FILES: Final = frozenset({"docker", "podman"})
"""The credential stores that always exist."""


class Parts(ClosedOnExit):
    """The parts of one client. Each part is made once, on first use. Thread-safe.

    A context manager: leaving it closes the connections.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        credentials: CredentialStore | None = None,
        transport: HttpTransport | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Compose as `settings` say.

        Args:
            settings: the settings.
            credentials: a store to use instead of the stores that the settings name.
            transport: a plain transport to use for all hosts, which the caller closes. The
                settings for timeouts, TLS and proxies do not apply to it.
            limits: bounds of what registries send and of what is unpacked.
        """
        self.settings = settings
        self.limits: Limits = limits or Limits()
        self._own_parts = credentials is not None or transport is not None
        self._credentials = credentials
        self._transport = transport
        self._own_transport: Urllib3Transport | None = None
        self._digests: DigestCache | None = None
        self._cache: ContentCache | None = None
        self._registries: dict[str, RemoteRegistry] = {}
        self._lock = ForkSafeLock()

    @property
    def credentials(self) -> CredentialStore:
        """The credential store.

        Raises:
            InvalidConfigurationError: if the settings name an unknown store.
        """
        with self._lock:
            if self._credentials is None:
                from oras_adapters.credential_stores import chosen_store  # noqa: PLC0415 - many registries need none

                self._credentials = chosen_store(self.settings)
            return self._credentials

    def credentials_on_demand(self) -> Callable[[], CredentialStore]:
        """Return a function that returns the credential store, which is made by the first call.

        Raises:
            InvalidConfigurationError: if the settings name an unknown store.
        """
        if not _CONFIG_FILES.issuperset(self.settings.credentials.stores):
            _ = self.credentials  # reported here, before the first request
        return lambda: self.credentials

    def registry(self, host: str) -> RemoteRegistry:
        """Return the registry `HOST` or `HOST:PORT`.

        Raises:
            InvalidReferenceError: if `host` is malformed.
        """
        with self._lock:
            if host not in self._registries:
                self._registries[host] = self.registry_over(self.transport(host), host)
            return self._registries[host]

    def forget(self, host: str) -> None:
        """Drop what is known of a registry: its tokens, and whether a credential was refused."""
        with self._lock:
            self._registries.pop(host, None)

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
        """Return a registry that is reached through a transport of the caller.

        Args:
            transport: a plain transport; redirects, retries and credentials are added.
            host: `HOST` or `HOST:PORT`.
            plain_http: whether to use plain HTTP; by default as the settings say.
            credentials: a store to use instead of the composition's own.
            headers: header fields of every request to the registry.
            authorize: the caller's own authentication, in place of `credentials`.
            retry_policy: how often to try again; by default as the settings say.
        """
        network = self.settings.network
        usual = RetryPolicy(network.attempts, network.backoff, max_pause=network.max_pause)
        if authorize is None and credentials is None:
            authorize = self._authorization(host)
        return RemoteRegistry(
            host,
            transport,
            plain_http=self.plain_http(host) if plain_http is None else plain_http,
            credentials=credentials,
            headers=headers or {},
            retry_policy=retry_policy or usual,
            limits=self.limits,
            profile=lambda: self._profile(host),
            authorize=authorize,
        )

    def _authorization(self, host: str) -> Authorize:
        credentials = self.credentials_on_demand()

        def authorize(transport: HttpTransport, origin: str) -> HttpTransport:
            return OnDemandAuthorizer(
                transport, origin=origin, credentials=credentials, registry=host, limits=self.limits
            )

        return authorize

    def repository(self, reference: Reference | str) -> RemoteRepository:
        """Return the repository of a reference.

        Raises:
            InvalidReferenceError: if `reference` is malformed.
        """
        if isinstance(reference, str):
            reference = Reference.parse(reference)
        return self.registry(reference.registry).repository(reference.repository)

    @property
    def cache(self) -> ContentCache | None:
        """The cache of fetched blobs; None if the settings name no folder for one.

        Raises:
            FileAccessError: if the folder cannot be made.
        """
        chosen = self.settings.cache
        if not chosen.directory:
            return None
        from oras_core.stores.cache import ContentCache  # noqa: PLC0415 - few programs have one

        folder = self.folder(chosen.directory)
        with self._lock:
            if self._cache is None:
                self._cache = ContentCache(folder, max_size=chosen.max_size or None)
            return self._cache

    def cached(self, target: ReadOnlyTarget) -> ReadOnlyTarget:
        """Return a target to read from by way of the cache, if there is one.

        Only repositories are cached: other targets are on disk or in memory.
        """
        if not (self.settings.cache.directory and isinstance(target, RemoteRepository)):
            return target
        from oras_core.stores.cached import CachedSource  # noqa: PLC0415 - as above

        try:
            cache = self.cache
        except FileAccessError as error:
            _logger.warning("the cache is not used: %s", error)
            cache = None
        return target if cache is None else CachedSource(target, cache)

    def compression(self, format_name: str | None = None) -> Compression | CompressionChooser:
        """Return the compression for directories that are pushed.

        Args:
            format_name: the format; by default as the settings say.

        Raises:
            InvalidConfigurationError: if the settings name an unknown compression.
            UnsupportedError: if the settings name a library that is not installed.
        """
        # Imported here: most programs never pack or unpack a directory.
        from oras_adapters.compression.compressions import find_compression  # noqa: PLC0415 - see above

        archive = self.settings.archive
        if format_name is not None and format_name != archive.format:
            archive = ArchiveSettings(format_name)  # the other format's library and level
        return find_compression(archive.format, archive.implementation, archive.level)

    def compressions(self) -> tuple[Compression, ...]:
        """Return all compressions that a pulled directory may have."""
        from oras_adapters.compression.compressions import all_compressions  # noqa: PLC0415 - as above

        return all_compressions()

    @property
    def digests(self) -> DigestMemory | None:
        """The memory of digests; None if the settings do not ask for one."""
        transfer = self.settings.transfer
        if not (transfer.digest_cache and transfer.cache_directory):
            return None
        from oras_adapters.digest_cache import DigestCache  # noqa: PLC0415 - off by default

        with self._lock:
            if self._digests is None:
                self._digests = DigestCache(os.path.join(transfer.cache_directory, "digests.db"))
            return self._digests

    def local_files(self) -> LocalFiles:
        """Return what opens files to push."""
        from oras_adapters.files.local_sources import LocalFiles  # noqa: PLC0415 - pushes need it

        return LocalFiles(self.digests)

    def folder(self, path: str | os.PathLike[str]) -> LocalFileTree:
        """Return a folder to pull into; the folder is created on the first write."""
        from oras_adapters.files.local_files import LocalFileTree  # noqa: PLC0415 - pulls need it

        return LocalFileTree(path, create=True, digests=self.digests)

    def transport(self, host: str) -> HttpTransport:
        """Return the plain transport for `host`, which all hosts share.

        Raises:
            InvalidConfigurationError: if the host's certificate folder is incomplete.
        """
        if self._transport is not None:
            return self._transport
        self._tls(host)  # reported here, before the first request
        with self._lock:
            if self._own_transport is None:
                self._own_transport = self._new_transport()
            return self._own_transport

    def plain_http(self, host: str) -> bool:
        """Tell whether requests to `host` use plain HTTP.

        By default that is so for loopback hosts that have no certificate folder.
        """
        chosen = self.settings.host(host).plain_http
        if chosen is not None:
            return chosen
        return is_loopback(host) and self._certificates(host) is None

    def _tls(self, host: str) -> TlsSettings:
        """Return the TLS settings for `host`, those of its `certs.d` folder included."""
        tls = self.settings.host(host).tls or self.settings.tls
        found = self._certificates(host)
        tls = evolve(tls, certificate_directories=())
        if found is None:
            return tls
        own = bool(tls.client_certificate or tls.client_key)
        return evolve(
            tls,
            extra_authorities=(*tls.extra_authorities, *found.authorities),
            client_certificate=tls.client_certificate if own else found.client_certificate,
            client_key=tls.client_key if own else found.client_key,
        )

    def _certificates(self, host: str) -> HostCertificates | None:
        tls = self.settings.host(host).tls or self.settings.tls
        directories = list(filter(os.path.isdir, tls.certificate_directories))
        if not directories:
            return None
        from oras_adapters.http.certificate_folders import find_certificates  # noqa: PLC0415 - few machines have one

        found = find_certificates(directories, host)
        return found if any(found) else None

    def _new_transport(self) -> Urllib3Transport:
        network = self.settings.network
        # Most hosts have the same settings; reading the authorities takes tens of milliseconds.
        contexts = PerProcess(lambda: cache(_context))
        return Urllib3Transport(
            tls=lambda authority: contexts.get()(self._tls(authority)),
            proxies=_proxies(self.settings),
            timeouts=Timeouts(connect=network.connect_timeout, read=network.read_timeout),
            max_connections=max(self.settings.transfer.concurrency, 1),
        )

    def _profile(self, host: str) -> HostProfile:
        from oras_core.registry.profiles import profile_for  # noqa: PLC0415 - lists of tags need none

        own, connections = self.settings.host(host), self.settings.transfer.range_connections
        if own.range_connections is not None:
            connections = own.range_connections
        profile = evolve(profile_for(host), range_connections=max(connections, 1))
        if own.chunk_size is None:
            return profile
        chunk_size = own.chunk_size or profile.chunk_size
        return evolve(profile, chunked=own.chunk_size > 0, chunk_size=chunk_size)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the settings and limits: another process composes its own parts by them.

        Raises:
            TypeError: if the settings hold a secret, or a part was given by the program.
        """
        if self._own_parts:
            kind = type(self).__name__
            raise TypeError(
                f"cannot pickle a {kind} with a credential store or a transport of the program: "
                "compose one in the worker"
            )
        return _recomposed, (type(self), self.settings, self.limits)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._own_transport is not None:
                self._own_transport.close()
            if self._digests is not None:
                self._digests.close()


def _context(tls: TlsSettings) -> ssl.SSLContext:
    from oras_adapters.http.tls import ssl_context  # noqa: PLC0415 - plain HTTP does without

    return ssl_context(
        verify=tls.verify,
        ca_bundle=tls.ca_bundle or None,
        extra_authorities=tls.extra_authorities,
        client_certificate=tls.client_certificate or None,
        client_key=tls.client_key or None,
    )


def _proxies(settings: Settings) -> ProxyChoice | None:
    proxy = settings.proxy
    if not (proxy.http or proxy.https):
        return None
    from oras_adapters.http.proxies import ProxySettings  # noqa: PLC0415 - few machines need one

    return ProxySettings(http=proxy.http, https=proxy.https, no_proxy=proxy.no_proxy)


def _recomposed(kind: type[Parts], settings: Settings, limits: Limits) -> Parts:
    return kind(settings, limits=limits)
