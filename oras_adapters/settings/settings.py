"""Settings, from variables of the environment and from the settings file.

`ORAS_…` variables have priority over the settings file (TOML), which has priority over shared
variables (`DOCKER_CONFIG`, `SSL_CERT_FILE`, `HTTPS_PROXY`, …). Only `load_settings`
reads them; the default composition calls it. An embedder may construct a `Settings` value instead
and pass it to the factory. `source_date_epoch` reads the one variable that is no setting.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from oras_adapters.settings.environment import own_variables, settings_file, shared_variables
from oras_core.errors import InvalidConfigurationError
from oras_core.forks import Unpicklable
from oras_core.model.hosts import canonical_registry
from oras_core.model.values import Value

__all__ = [
    "ArchiveSettings",
    "CacheSettings",
    "CredentialSettings",
    "EnvironmentCredential",
    "HostSettings",
    "NetworkSettings",
    "ProxySettings",
    "Settings",
    "TlsSettings",
    "TransferSettings",
    "chosen_settings",
    "load_settings",
    "source_date_epoch",
]

EPOCH_VARIABLE: Final = "SOURCE_DATE_EPOCH"
"""The variable with the timestamp of a reproducible build."""


@frozen(eq=False, repr=False)
class CredentialSettings(Value):
    """The credential stores.

    Attributes:
        stores: names of stores, asked in order; the first writable one gets new credentials.
        docker_config: path of docker's `config.json`; empty for none.
        auth_file: path of podman's `auth.json`, which has the same format; empty for none.
        auth_file_fallbacks: paths that podman reads if `auth_file` has no credential.
    """

    stores: tuple[str, ...] = ("docker", "podman")
    docker_config: str = ""
    auth_file: str = ""
    auth_file_fallbacks: tuple[str, ...] = ()


@frozen(eq=False, repr=False)
class EnvironmentCredential(Unpicklable, Value):
    """The credential in the environment: `ORAS_USER`, `ORAS_PASS`, `ORAS_TOKEN`.

    Attributes:
        user: the user name.
        password: the password.
        token: a bearer token, instead of both.
        registry: the registry, from `ORAS_REGISTRY`; empty for the first one that is used.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    registry: str = ""

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle a value without secrets; refuse a value with secrets.

        Raises:
            TypeError: if the value has a password or a token.
        """
        if self.password or self.token:
            super().__reduce__()
        return type(self), (self.user, "", "", self.registry)


@frozen(eq=False, repr=False)
class NetworkSettings(Value):
    """Timeouts and retries; times are in seconds.

    Attributes:
        connect_timeout: timeout for resolving a host name and connecting; again for the TLS
            handshake.
        read_timeout: timeout for each read and each write.
        attempts: maximum number of attempts for one request.
        backoff: pause before the first retry; doubles with each further retry.
        max_pause: maximum pause that a registry may demand.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    attempts: int = 5
    backoff: float = 0.25
    max_pause: float = 60.0


@frozen(eq=False, repr=False)
class TlsSettings(Value):
    """Trusted authorities and the client certificate.

    Attributes:
        verify: whether to verify the server's certificate.
        ca_bundle: a PEM file, or a folder of PEM files, with the only trusted authorities; empty
            for those of the system.
        extra_authorities: PEM files of additional authorities.
        client_certificate: a PEM file with the client certificate; empty for none.
        client_key: a PEM file with its key, if the certificate's file does not contain it.
        certificate_directories: `certs.d` folders of docker and podman; the first one with a
            folder for the registry, `HOST` or `HOST:PORT`, is used.
    """

    verify: bool = True
    ca_bundle: str = ""
    extra_authorities: tuple[str, ...] = ()
    client_certificate: str = ""
    client_key: str = ""
    certificate_directories: tuple[str, ...] = ()


@frozen(eq=False, repr=False)
class ProxySettings(Unpicklable, Value):
    """Proxies; empty for none.

    Attributes:
        http: the proxy for `http://` addresses.
        https: the proxy for `https://` addresses.
        no_proxy: hosts to connect to directly, separated by commas.
    """

    http: str = field(default="", repr=False)
    https: str = field(default="", repr=False)
    no_proxy: str = ""

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle proxies without a login; refuse others.

        Raises:
            TypeError: if an address holds user information.
        """
        if "@" in self.http or "@" in self.https:
            super().__reduce__()
        return type(self), (self.http, self.https, self.no_proxy)


@frozen(eq=False, repr=False)
class TransferSettings(Value):
    """Transfers of blobs and manifests.

    Attributes:
        concurrency: maximum number of simultaneous transfers.
        range_connections: maximum number of connections for one blob of 64 MiB and more; 1
            or less for a single one.
        digest_cache: whether to remember the digests of files, so that unchanged files are not
            hashed again.
        cache_directory: the folder of the digest cache; empty for none.
    """

    concurrency: int = 16
    range_connections: int = 4
    digest_cache: bool = False
    cache_directory: str = ""


@frozen(eq=False, repr=False)
class ArchiveSettings(Value):
    """Compression of pushed directories; pulls read every known format.

    Attributes:
        format: `gzip` or `zstd`.
        implementation: the library; `auto` for one whose output is the same everywhere.
        level: the compression level; None for the default.
    """

    format: str = "gzip"
    implementation: str = "auto"
    level: int | None = None


@frozen(eq=False, repr=False)
class CacheSettings(Value):
    """The cache of fetched blobs and manifests.

    Attributes:
        directory: the folder of the cache; empty for no cache.
        max_size: maximum size of the cache, in bytes; 0 for no limit.
    """

    directory: str = ""
    max_size: int = 0


@frozen(eq=False, repr=False)
class HostSettings(Value):
    """Settings for one registry; None for the general setting.

    Attributes:
        plain_http: whether to use HTTP without TLS; by default only for this machine.
        tls: TLS settings that replace the general ones.
        chunk_size: chunk size in bytes of chunked uploads; 0 for monolithic uploads.
        range_connections: maximum number of connections for one large blob.
    """

    plain_http: bool | None = None
    tls: TlsSettings | None = None
    chunk_size: int | None = None
    range_connections: int | None = None


@frozen(eq=False, repr=False)
class Settings(Value):
    """All settings. The defaults are those of a machine without any configuration."""

    credentials: CredentialSettings = field(factory=CredentialSettings)
    network: NetworkSettings = field(factory=NetworkSettings)
    tls: TlsSettings = field(factory=TlsSettings)
    proxy: ProxySettings = field(factory=ProxySettings)
    transfer: TransferSettings = field(factory=TransferSettings)
    archive: ArchiveSettings = field(factory=ArchiveSettings)
    cache: CacheSettings = field(factory=CacheSettings)
    hosts: Mapping[str, HostSettings] = field(factory=dict, hash=False)
    environment: EnvironmentCredential = field(factory=EnvironmentCredential)

    def with_timeout(self, timeout: float | tuple[float, float]) -> Settings:
        """Return the settings with another timeout.

        Args:
            timeout: in seconds, of each connection attempt and of each read and write; or
                both, one after the other.

        Raises:
            InvalidConfigurationError: if a timeout is not a positive number.
        """
        pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        if len(pair) != 2 or not all(isinstance(one, int | float) and one > 0 for one in pair):
            reason = f"{timeout!r} is neither seconds above 0 nor two of them, to connect and read"
            raise InvalidConfigurationError("timeout", reason)
        network = evolve(self.network, connect_timeout=pair[0], read_timeout=pair[1])
        return evolve(self, network=network)

    def with_concurrency(self, concurrency: int) -> Settings:
        """Return the settings with another number of concurrent transfers.

        Raises:
            InvalidConfigurationError: if the number is not positive.
        """
        if not isinstance(concurrency, int) or concurrency < 1:
            raise InvalidConfigurationError(
                "concurrency", f"{concurrency!r} is not a whole number above 0"
            )
        return evolve(self, transfer=evolve(self.transfer, concurrency=concurrency))

    def host(self, registry: str) -> HostSettings:
        """Return the settings for `registry`, `HOST` or `HOST:PORT`.

        Case, a dot at the end of the host and the port 443 make no difference.
        """
        wanted = canonical_registry(registry)
        matches = (own for name, own in self.hosts.items() if canonical_registry(name) == wanted)
        return next(matches, None) or HostSettings()


def chosen_settings(
    settings: object,
    *,
    timeout: float | tuple[float, float] | None = None,
    concurrency: int | None = None,
) -> Settings:
    """Return the settings of a program with its own timeout and concurrency.

    Args:
        settings: a `Settings` value; None for `load_settings()`.
        timeout: as for `Settings.with_timeout`; None for no change.
        concurrency: as for `Settings.with_concurrency`; None for no change.

    Raises:
        InvalidConfigurationError: if a setting cannot be used.
    """
    if settings is None:
        settings = load_settings()
    if not isinstance(settings, Settings):
        reason = "expected a Settings value, such as load_settings() returns"
        raise InvalidConfigurationError("settings", reason)
    if timeout is not None:
        settings = settings.with_timeout(timeout)
    return settings if concurrency is None else settings.with_concurrency(concurrency)


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings file, if there is one, and the environment.

    Args:
        environment: the variables; by default those of the process.

    Raises:
        InvalidConfigurationError: if a setting is invalid; names the file or the variable.
    """
    environment = os.environ if environment is None else environment
    settings, written = _from_file(settings_file(environment))
    shared = {
        (section, name): value
        for (section, name), value in shared_variables(environment).items()
        if name not in written.get(section, ())
    }
    for (section, name), value in {**shared, **own_variables(environment)}.items():
        settings = evolve(
            settings, **{section: evolve(getattr(settings, section), **{name: value})}
        )
    return evolve(settings, environment=_credential(environment))


def _from_file(path: Path | None) -> tuple[Settings, Mapping[str, Mapping[str, Any]]]:
    """Return the settings of the file, and the sections that it contains."""
    if path is None:
        return Settings(), {}
    from oras_adapters.settings.settings_file import read  # noqa: PLC0415 - slow to import, and few users have a file

    return read(path, Settings)


def source_date_epoch(environment: Mapping[str, str] | None = None) -> int | None:
    """Return the timestamp of a reproducible build; None if the variable is not set.

    Args:
        environment: the variables; by default those of the process.

    Returns:
        `SOURCE_DATE_EPOCH`, seconds since 1970-01-01 UTC (reproducible-builds.org).

    Raises:
        InvalidConfigurationError: if the value is not a number.
    """
    text = (os.environ if environment is None else environment).get(EPOCH_VARIABLE, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise InvalidConfigurationError(EPOCH_VARIABLE, f"{text!r} is not a number of seconds")
    return int(text)


def _credential(environment: Mapping[str, str]) -> EnvironmentCredential:
    return EnvironmentCredential(
        environment.get("ORAS_USER", ""),
        environment.get("ORAS_PASS", ""),
        environment.get("ORAS_TOKEN", ""),
        environment.get("ORAS_REGISTRY", ""),
    )
