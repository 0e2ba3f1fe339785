"""The ports on sockets, processes, disks and keyrings, and the factory that composes them.

These are its public names. Each is imported on first use.
"""

from __future__ import annotations

from oras_core.lazy import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oras_adapters.client.async_client import AsyncClient
    from oras_adapters.client.async_streams import AsyncLayerStream
    from oras_adapters.client.client import Client
    from oras_adapters.client.streams import LayerStream
    from oras_adapters.compression.compressions import find_compression
    from oras_adapters.compression.zstd_compression import Zstd
    from oras_adapters.credential_stores import config_file_store
    from oras_adapters.credentials.credential_helper import CredentialHelperStore
    from oras_adapters.credentials.docker_config import DockerConfigStore
    from oras_adapters.credentials.keyring_store import KeyringStore
    from oras_adapters.factory import Composition, compose
    from oras_adapters.files.local_files import LocalFileTree, scratch_directory
    from oras_adapters.http.tls import ssl_context
    from oras_adapters.http.urllib3_transport import Timeouts, Urllib3Transport
    from oras_adapters.mirroring.rules import Rules, read_rules
    from oras_adapters.mirroring.runs import run_rules, verify_rules
    from oras_adapters.mirroring.sqlite_ledger import SqliteLedger
    from oras_adapters.mirroring.workers import ComposedRegistries, WorkerSetup
    from oras_adapters.progress.log_progress import LogProgress
    from oras_adapters.progress.rich_progress import RichProgress
    from oras_adapters.registry_server import RegistryServer
    from oras_adapters.settings.settings import (
        ArchiveSettings,
        CacheSettings,
        CredentialSettings,
        HostSettings,
        NetworkSettings,
        ProxySettings,
        Settings,
        TlsSettings,
        TransferSettings,
        load_settings,
    )

__all__ = [
    "ArchiveSettings",
    "AsyncClient",
    "AsyncLayerStream",
    "CacheSettings",
    "Client",
    "ComposedRegistries",
    "Composition",
    "CredentialHelperStore",
    "CredentialSettings",
    "DockerConfigStore",
    "HostSettings",
    "KeyringStore",
    "LayerStream",
    "LocalFileTree",
    "LogProgress",
    "NetworkSettings",
    "ProxySettings",
    "RegistryServer",
    "RichProgress",
    "Rules",
    "Settings",
    "SqliteLedger",
    "Timeouts",
    "TlsSettings",
    "TransferSettings",
    "Urllib3Transport",
    "WorkerSetup",
    "Zstd",
    "compose",
    "config_file_store",
    "find_compression",
    "load_settings",
    "read_rules",
    "run_rules",
    "scratch_directory",
    "ssl_context",
    "verify_rules",
]

_MODULE_OF = {
    "ArchiveSettings": "settings.settings",
    "AsyncClient": "client.async_client",
    "AsyncLayerStream": "client.async_streams",
    "CacheSettings": "settings.settings",
    "Client": "client.client",
    "ComposedRegistries": "mirroring.workers",
    "Composition": "factory",
    "CredentialHelperStore": "credentials.credential_helper",
    "CredentialSettings": "settings.settings",
    "DockerConfigStore": "credentials.docker_config",
    "HostSettings": "settings.settings",
    "KeyringStore": "credentials.keyring_store",
    "LayerStream": "client.streams",
    "LocalFileTree": "files.local_files",
    "LogProgress": "progress.log_progress",
    "NetworkSettings": "settings.settings",
    "ProxySettings": "settings.settings",
    "RegistryServer": "registry_server",
    "RichProgress": "progress.rich_progress",
    "Rules": "mirroring.rules",
    "Settings": "settings.settings",
    "SqliteLedger": "mirroring.sqlite_ledger",
    "Timeouts": "http.urllib3_transport",
    "TlsSettings": "settings.settings",
    "TransferSettings": "settings.settings",
    "Urllib3Transport": "http.urllib3_transport",
    "WorkerSetup": "mirroring.workers",
    "Zstd": "compression.zstd_compression",
    "compose": "factory",
    "config_file_store": "credential_stores",
    "find_compression": "compression.compressions",
    "load_settings": "settings.settings",
    "read_rules": "mirroring.rules",
    "run_rules": "mirroring.runs",
    "scratch_directory": "files.local_files",
    "ssl_context": "http.tls",
    "verify_rules": "mirroring.runs",
}

if not TYPE_CHECKING:
    # Hidden from type checkers: they would accept every misspelt name.

    def __getattr__(name: str) -> object:
        """Import a public name on first use (PEP 562)."""
        return resolve(__name__, _MODULE_OF, name)


def __dir__() -> list[str]:
    """List the names that are not yet imported, too."""
    return sorted({*globals(), *__all__})
