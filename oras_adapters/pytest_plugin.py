"""Fixtures for pytest: a registry in the process, a registry behind a socket, and a client.

pytest loads this module by the entry point `oras`; `-p no:oras` switches it off. The module
imports the library only when a test requests a fixture.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import pytest

if TYPE_CHECKING:
    from oras_adapters.client.client import Client
    from oras_adapters.registry_server import RegistryServer
    from oras_core.ports.http import HttpTransport
    from oras_core.testing.registry.registry import EmbeddedRegistry

# ruff: noqa: PLC0415 - a test run without these fixtures must not pay for their imports

__all__ = [
    "RegistryOptions",
    "oras_ca_file",
    "oras_client",
    "oras_registry",
    "oras_registry_options",
    "oras_registry_server",
    "oras_transport",
]

SCOPE_OPTION: Final = "oras_registry_scope"
"""The ini option that sets the scope of the fixtures."""

Scope = Literal["function", "session"]


# A dataclass, as pytest has imported `dataclasses`: attrs would cost every test run its import.
@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryOptions:
    """The registry that a test needs.

    Attributes:
        auth: how clients log in: not at all, by Basic authentication, or by bearer tokens.
        users: passwords by name; `oras_client` logs in as the first user.
        tls: whether `oras_registry_server` speaks HTTPS; needs the extra `testing`.
        referrers: whether the registry has a referrers API.
    """

    auth: Literal["none", "basic", "token"] = "none"
    users: Mapping[str, str] = field(default_factory=lambda: {"user": "password"}, repr=False)
    tls: bool = False
    referrers: bool = True


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini option."""
    parser.addini(
        SCOPE_OPTION,
        "scope of the fixtures oras_registry, oras_registry_server and oras_client: "
        "function (a new registry for each test) or session (one for all tests of a process)",
        default="function",
    )


def _scope(fixture_name: str, config: pytest.Config) -> Scope:
    scope = config.getini(SCOPE_OPTION)
    if scope == "function":
        return "function"
    if scope == "session":
        return "session"
    raise pytest.UsageError(
        f"cannot set the scope of {fixture_name}: the ini option {SCOPE_OPTION} is {scope!r}, "
        "not function or session"
    )


@pytest.fixture(scope="session")
def oras_registry_options() -> RegistryOptions:
    """The options of the registry. Override this fixture to change them."""
    return RegistryOptions()


@pytest.fixture(scope=_scope)
def oras_registry(oras_registry_options: RegistryOptions) -> EmbeddedRegistry:
    """An empty registry in this process, without a socket. It answers at any host name."""
    from oras_core.testing.registry.auth import TokenService
    from oras_core.testing.registry.registry import EmbeddedRegistry

    options = oras_registry_options
    return EmbeddedRegistry(
        users=options.users if options.auth == "basic" else None,
        token_service=TokenService(users=options.users) if options.auth == "token" else None,
        referrers=options.referrers,
    )


@pytest.fixture(scope=_scope)
def oras_transport(oras_registry: EmbeddedRegistry) -> HttpTransport:
    """The transport of client and server. Override this fixture to wrap it in faults."""
    return oras_registry


@pytest.fixture(scope="session")
def _oras_certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """The file of a new certificate authority, and the settings of a server it vouches for."""
    from oras_adapters.registry_server.certificates import issue_certificate
    from oras_core.errors import InvalidConfigurationError

    file = tmp_path_factory.mktemp("oras") / "ca.pem"
    try:
        return file, issue_certificate(file)
    except InvalidConfigurationError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def oras_ca_file(_oras_certificates: tuple[Path, ssl.SSLContext]) -> Path:
    """The PEM file of the authority that issued the certificate of `oras_registry_server`."""
    return _oras_certificates[0]


@pytest.fixture(scope=_scope)
def oras_registry_server(
    request: pytest.FixtureRequest,
    oras_registry_options: RegistryOptions,
    oras_transport: HttpTransport,
) -> Iterator[RegistryServer]:
    """`oras_registry` behind a free port of the loopback interface; see its `address`."""
    from oras_adapters.registry_server import RegistryServer

    tls = None
    if oras_registry_options.tls:
        _, tls = request.getfixturevalue("_oras_certificates")
    with RegistryServer(oras_transport, tls=tls) as server:
        yield server


@pytest.fixture(scope=_scope)
def oras_client(
    oras_registry_options: RegistryOptions, oras_transport: HttpTransport
) -> Iterator[Client]:
    """A logged-in client of `oras_registry`. It reads no configuration and opens no socket."""
    from oras_adapters.factory import compose
    from oras_adapters.settings.settings import Settings
    from oras_core.credentials import NoCredentials, StaticCredentials
    from oras_core.ports.credentials import Credential, CredentialStore

    options = oras_registry_options
    credentials: CredentialStore = NoCredentials()
    if options.auth != "none":
        username, password = next(iter(options.users.items()))
        # For all hosts: the registry answers at any name and at the address of the server.
        credentials = StaticCredentials(Credential(username, password))
    composition = compose(Settings(), credentials=credentials, transport=oras_transport)
    with composition.client() as client:
        yield client
