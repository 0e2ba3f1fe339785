"""Settings: the only reader of the environment and of configuration files.

`ORAS_…` variables win over the settings file, a TOML file, and that wins over variables
that many programs share (`DOCKER_CONFIG`, `SSL_CERT_FILE`, `HTTPS_PROXY`, …). Nothing is
read unless `load_settings` is called, which the default composition does; an embedder
makes a `Settings` value and hands it to the factory.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from oras_core.errors import InvalidConfigurationError
from oras_core.ports.credentials import Unpicklable

__all__ = [
    "ArchiveSettings",
    "CredentialSettings",
    "EnvironmentCredential",
    "HostSettings",
    "NetworkSettings",
    "ProxySettings",
    "Settings",
    "TlsSettings",
    "TransferSettings",
    "load_settings",
    "source_date_epoch",
]

CONFIG_VARIABLE: Final = "ORAS_CONFIG"
"""Names the settings file, instead of its usual place."""

STORES_VARIABLE: Final = "ORAS_CREDENTIAL_STORES"
"""Names the credential stores, separated by commas."""

ARCHIVE_VARIABLES: Final = {
    "format": "ORAS_ARCHIVE_FORMAT",
    "implementation": "ORAS_ARCHIVE_IMPLEMENTATION",
    "level": "ORAS_ARCHIVE_LEVEL",
}
"""Say how directories are compressed."""

EPOCH_VARIABLE: Final = "SOURCE_DATE_EPOCH"
"""Names the time that a build gives to what it makes."""


@frozen
class CredentialSettings:
    """Where credentials are kept.

    Attributes:
        stores: names of stores, asked in turn; the first one is written to.
        docker_config: the docker `config.json`; empty for none.
        auth_file: podman's `auth.json`, of the same form; empty for none.
        auth_file_fallbacks: files that are read for podman where `auth_file` has nothing.
    """

    stores: tuple[str, ...] = ("docker", "podman")
    docker_config: str = ""
    auth_file: str = ""
    auth_file_fallbacks: tuple[str, ...] = ()


@frozen
class EnvironmentCredential(Unpicklable):
    """A credential that environment variables hold: `ORAS_USER`, `ORAS_PASS`, `ORAS_TOKEN`.

    Attributes:
        user: the user name.
        password: its password.
        token: a bearer token, instead of both.
        registry: whose it is, from `ORAS_REGISTRY`; empty for the first registry that asks.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    registry: str = ""

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle what holds no secret; refuse what does, so that it goes into no file or queue.

        Raises:
            TypeError: if there is a password or a token.
        """
        if self.password or self.token:
            super().__reduce__()
        return type(self), (self.user, "", "", self.registry)


@frozen
class NetworkSettings:
    """How long to wait and how often to try; times are in seconds.

    Attributes:
        connect_timeout: for a connection.
        read_timeout: for anything to move.
        attempts: how often a request is sent at most.
        backoff: the pause before it is sent again; each further one is twice as long.
        max_pause: the longest pause that a registry may ask for.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    attempts: int = 5
    backoff: float = 0.25
    max_pause: float = 60.0


@frozen
class TlsSettings:
    """Whom to trust, and who we are.

    Attributes:
        verify: whether the server's certificate is checked.
        ca_bundle: a PEM file of authorities to trust instead of the system's; empty for those.
        extra_authorities: PEM files of authorities to trust besides those.
        client_certificate: a PEM file with our certificate; empty for none.
        client_key: a PEM file with its key, where that is not in the same file.
        certificate_directories: `certs.d` folders of docker and podman; the first that has
            one for a registry, `HOST` or `HOST:PORT`, counts.
    """

    verify: bool = True
    ca_bundle: str = ""
    extra_authorities: tuple[str, ...] = ()
    client_certificate: str = ""
    client_key: str = ""
    certificate_directories: tuple[str, ...] = ()


@frozen
class ProxySettings:
    """Through which proxies to go; empty for none.

    Attributes:
        http: for `http://` addresses.
        https: for `https://` addresses.
        no_proxy: hosts to be reached directly, separated by commas.
    """

    http: str = field(default="", repr=False)
    https: str = field(default="", repr=False)
    no_proxy: str = ""


@frozen
class TransferSettings:
    """How content is moved.

    Attributes:
        concurrency: how many contents move at the same time.
    """

    concurrency: int = 16


@frozen
class ArchiveSettings:
    """How a directory is compressed when it is pushed; pulls read every known format.

    Attributes:
        format: `gzip` or `zstd`.
        implementation: the library, `auto` for one whose output is the same everywhere.
        level: how hard it tries; None for what is usual.
    """

    format: str = "gzip"
    implementation: str = "auto"
    level: int | None = None


@frozen
class HostSettings:
    """What is different for one registry; None and empty stand for the general rule.

    Attributes:
        plain_http: whether it is spoken to without TLS. Registries on this machine are,
            unless this says otherwise.
        tls: instead of the general TLS settings.
        chunk_size: bytes of a chunk, for uploads in chunks; 0 for whole uploads.
    """

    plain_http: bool | None = None
    tls: TlsSettings | None = None
    chunk_size: int | None = None


@frozen
class Settings:
    """All settings. The defaults are those of a machine without any configuration."""

    credentials: CredentialSettings = field(factory=CredentialSettings)
    network: NetworkSettings = field(factory=NetworkSettings)
    tls: TlsSettings = field(factory=TlsSettings)
    proxy: ProxySettings = field(factory=ProxySettings)
    transfer: TransferSettings = field(factory=TransferSettings)
    archive: ArchiveSettings = field(factory=ArchiveSettings)
    hosts: Mapping[str, HostSettings] = field(factory=dict, hash=False)
    environment: EnvironmentCredential = field(factory=EnvironmentCredential)

    def host(self, registry: str) -> HostSettings:
        """Return what is different for `registry`, `HOST` or `HOST:PORT`."""
        return self.hosts.get(registry) or HostSettings()


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings file, if there is one, and the environment.

    Args:
        environment: the variables; by default those of the process.

    Raises:
        InvalidConfigurationError: naming the file or the variable, and the setting.
    """
    environment = os.environ if environment is None else environment
    settings, written = _from_file(_settings_file(environment))
    shared = {
        (section, name): value
        for (section, name), value in _shared_variables(environment).items()
        if name not in written.get(section, ())
    }
    for (section, name), value in {**shared, **_own_variables(environment)}.items():
        settings = evolve(
            settings, **{section: evolve(getattr(settings, section), **{name: value})}
        )
    return evolve(settings, environment=_credential(environment))


def _from_file(path: Path | None) -> tuple[Settings, Mapping[str, Mapping[str, Any]]]:
    """Return the settings of the file, and the sections as they are written there."""
    if path is None:
        return Settings(), {}
    from oras_adapters.settings.settings_file import read  # noqa: PLC0415 - few have a file, and it takes a while

    return read(path, Settings)


def source_date_epoch(environment: Mapping[str, str] | None = None) -> int | None:
    """Return the time that a reproducible build gives to what it makes; None for no time.

    Args:
        environment: the variables; by default those of the process.

    Returns:
        `SOURCE_DATE_EPOCH`, seconds since 1970-01-01 UTC (reproducible-builds.org).

    Raises:
        InvalidConfigurationError: if it is no number.
    """
    text = (os.environ if environment is None else environment).get(EPOCH_VARIABLE, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise InvalidConfigurationError(EPOCH_VARIABLE, f"{text!r} is no number of seconds")
    return int(text)


def _credential(environment: Mapping[str, str]) -> EnvironmentCredential:
    return EnvironmentCredential(
        environment.get("ORAS_USER", ""),
        environment.get("ORAS_PASS", ""),
        environment.get("ORAS_TOKEN", ""),
        environment.get("ORAS_REGISTRY", ""),
    )


def _settings_file(environment: Mapping[str, str]) -> Path | None:
    named = environment.get(CONFIG_VARIABLE)
    if named:
        path = Path(named)
        if not path.is_file():
            raise InvalidConfigurationError(CONFIG_VARIABLE, f"there is no file {named!r}")
        return path
    base = environment.get("XDG_CONFIG_HOME") or _under_home(environment, ".config")
    usual = Path(base, "oras", "config.toml") if base else None
    return usual if usual is not None and usual.is_file() else None


def _under_home(environment: Mapping[str, str], *parts: str) -> str:
    home = environment.get("HOME") or environment.get("USERPROFILE")
    return str(Path(home, *parts)) if home else ""


def _own_variables(environment: Mapping[str, str]) -> dict[tuple[str, str], Any]:
    stores = environment.get(STORES_VARIABLE, "")
    names = tuple(name.strip() for name in stores.split(",") if name.strip())
    own: dict[tuple[str, str], Any] = {("credentials", "stores"): names} if names else {}
    for name, variable in ARCHIVE_VARIABLES.items():
        if text := environment.get(variable):
            own["archive", name] = _number(variable, text) if name == "level" else text
    return own


def _number(variable: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidConfigurationError(variable, f"{text!r} is no number")
    return int(text)


def _shared_variables(environment: Mapping[str, str]) -> dict[tuple[str, str], Any]:
    docker = environment.get("DOCKER_CONFIG") or _under_home(environment, ".docker")
    candidates = {
        ("credentials", "docker_config"): str(Path(docker, "config.json")) if docker else "",
        ("credentials", "auth_file"): _auth_file(environment),
        ("credentials", "auth_file_fallbacks"): _auth_file_fallbacks(environment),
        ("tls", "certificate_directories"): _certificate_directories(environment),
        ("tls", "ca_bundle"): _first(environment, "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
        # Upper case is not read for http: a CGI program's client could set it (httpoxy).
        ("proxy", "http"): _first(
            environment, "http_proxy", *(() if "REQUEST_METHOD" in environment else ("HTTP_PROXY",))
        ),
        ("proxy", "https"): _first(environment, "https_proxy", "HTTPS_PROXY"),
        ("proxy", "no_proxy"): _first(environment, "no_proxy", "NO_PROXY"),
    }
    return {place: value for place, value in candidates.items() if value}


def _auth_file(environment: Mapping[str, str]) -> str:
    """Return where podman keeps credentials: containers-auth.json(5)."""
    if named := environment.get("REGISTRY_AUTH_FILE"):
        return named
    if sys.platform != "linux":
        return _under_home(environment, ".config", "containers", "auth.json")
    runtime = environment.get("XDG_RUNTIME_DIR")
    if runtime:
        return str(Path(runtime, "containers", "auth.json"))
    # Without a home nobody is there whose file it could be.
    home = _under_home(environment)
    return f"/run/containers/{os.getuid()}/auth.json" if home else ""


def _auth_file_fallbacks(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return what podman reads besides: nothing where the user names a file."""
    base = environment.get("XDG_CONFIG_HOME") or _under_home(environment, ".config")
    if environment.get("REGISTRY_AUTH_FILE") or not base:
        return ()
    return (str(Path(base, "containers", "auth.json")),)


def _certificate_directories(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return podman's folders, then docker's: containers-certs.d(5), `dockerd` rootless or not."""
    bases = (environment.get("XDG_CONFIG_HOME") or _under_home(environment, ".config"), "/etc")
    tools = ("containers", "docker")
    return tuple(str(Path(base, tool, "certs.d")) for tool in tools for base in bases if base)


def _first(environment: Mapping[str, str], *names: str) -> str:
    return next((environment[name] for name in names if environment.get(name)), "")
