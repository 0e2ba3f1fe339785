"""Contract suites for the ports, implementations in memory, and faults for tests."""

from __future__ import annotations

from oras_core.lazy import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oras_core.testing.contracts.cancellation import CancellationContract, SilentOrigin
    from oras_core.testing.contracts.clones import CloningFileContract
    from oras_core.testing.contracts.compression import CompressionContract
    from oras_core.testing.contracts.content import TargetContract
    from oras_core.testing.contracts.content_abilities import (
        DeleterContract,
        PredecessorFinderContract,
        ReferenceFetcherContract,
        ReferencePusherContract,
        ReferrerListerContract,
        TagListerContract,
        UntaggerContract,
    )
    from oras_core.testing.contracts.credentials import CredentialStoreContract
    from oras_core.testing.contracts.digests import DigestMemoryContract
    from oras_core.testing.contracts.directories import DirectoryContract
    from oras_core.testing.contracts.files import FileTreeContract
    from oras_core.testing.contracts.http import ContractOrigin, HttpTransportContract
    from oras_core.testing.contracts.ledgers import LedgerContract
    from oras_core.testing.contracts.links import LinkerContract
    from oras_core.testing.contracts.locks import LockerContract
    from oras_core.testing.contracts.partials import PartialKeeperContract
    from oras_core.testing.faults import (
        CompressedBodies,
        Delayed,
        ExpiringTokens,
        Fault,
        OtherHeaders,
        OtherStatus,
        RedirectedBlobs,
        Refused,
        RelativeLocations,
        ResetRequests,
        ResetResponses,
        Scripted,
        StalledResponses,
        WithoutMount,
        WithoutParameters,
        WithoutRange,
        WithoutReferrers,
        requests_for,
    )
    from oras_core.testing.memory_digests import MemoryDigests
    from oras_core.testing.memory_files import MemoryFileTree
    from oras_core.testing.registry.auth import (
        Access,
        BasicAccess,
        Logins,
        OpenAccess,
        TokenService,
    )
    from oras_core.testing.registry.registry import EmbeddedRegistry, RecordedRequest

__all__ = [
    "Access",
    "BasicAccess",
    "CancellationContract",
    "CloningFileContract",
    "CompressedBodies",
    "CompressionContract",
    "ContractOrigin",
    "CredentialStoreContract",
    "Delayed",
    "DeleterContract",
    "DigestMemoryContract",
    "DirectoryContract",
    "EmbeddedRegistry",
    "ExpiringTokens",
    "Fault",
    "FileTreeContract",
    "HttpTransportContract",
    "LedgerContract",
    "LinkerContract",
    "LockerContract",
    "Logins",
    "MemoryDigests",
    "MemoryFileTree",
    "OpenAccess",
    "OtherHeaders",
    "OtherStatus",
    "PartialKeeperContract",
    "PredecessorFinderContract",
    "RecordedRequest",
    "RedirectedBlobs",
    "ReferenceFetcherContract",
    "ReferencePusherContract",
    "ReferrerListerContract",
    "Refused",
    "RelativeLocations",
    "ResetRequests",
    "ResetResponses",
    "Scripted",
    "SilentOrigin",
    "StalledResponses",
    "TagListerContract",
    "TargetContract",
    "TokenService",
    "UntaggerContract",
    "WithoutMount",
    "WithoutParameters",
    "WithoutRange",
    "WithoutReferrers",
    "requests_for",
]

_MODULE_OF = {
    "Access": "registry.auth",
    "BasicAccess": "registry.auth",
    "CancellationContract": "contracts.cancellation",
    "CloningFileContract": "contracts.clones",
    "CompressedBodies": "faults",
    "CompressionContract": "contracts.compression",
    "ContractOrigin": "contracts.http",
    "CredentialStoreContract": "contracts.credentials",
    "Delayed": "faults",
    "DeleterContract": "contracts.content_abilities",
    "DigestMemoryContract": "contracts.digests",
    "DirectoryContract": "contracts.directories",
    "EmbeddedRegistry": "registry.registry",
    "ExpiringTokens": "faults",
    "Fault": "faults",
    "FileTreeContract": "contracts.files",
    "HttpTransportContract": "contracts.http",
    "LedgerContract": "contracts.ledgers",
    "LinkerContract": "contracts.links",
    "LockerContract": "contracts.locks",
    "Logins": "registry.auth",
    "MemoryDigests": "memory_digests",
    "MemoryFileTree": "memory_files",
    "OpenAccess": "registry.auth",
    "OtherHeaders": "faults",
    "OtherStatus": "faults",
    "PartialKeeperContract": "contracts.partials",
    "PredecessorFinderContract": "contracts.content_abilities",
    "RecordedRequest": "registry.registry",
    "RedirectedBlobs": "faults",
    "ReferenceFetcherContract": "contracts.content_abilities",
    "ReferencePusherContract": "contracts.content_abilities",
    "ReferrerListerContract": "contracts.content_abilities",
    "Refused": "faults",
    "RelativeLocations": "faults",
    "ResetRequests": "faults",
    "ResetResponses": "faults",
    "Scripted": "faults",
    "SilentOrigin": "contracts.cancellation",
    "StalledResponses": "faults",
    "TagListerContract": "contracts.content_abilities",
    "TargetContract": "contracts.content",
    "TokenService": "registry.auth",
    "UntaggerContract": "contracts.content_abilities",
    "WithoutMount": "faults",
    "WithoutParameters": "faults",
    "WithoutRange": "faults",
    "WithoutReferrers": "faults",
    "requests_for": "faults",
}

if not TYPE_CHECKING:
    # Hidden from type checkers: they would accept every misspelt name.

    def __getattr__(name: str) -> object:
        """Import a public name on first use (PEP 562)."""
        return resolve(__name__, _MODULE_OF, name)


def __dir__() -> list[str]:
    """List the names that are not yet imported, too."""
    return sorted({*globals(), *__all__})
