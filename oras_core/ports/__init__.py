"""The ports: small protocols through which the core does its I/O.

An implementation subclasses nothing; it has the methods. Each port has a contract suite
in `oras_core.testing`.
"""

from __future__ import annotations

from oras_core.lazy import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oras_core.ports.compression import (
        Compression,
        CompressionChooser,
        DamagedStreamError,
        Decompressor,
    )
    from oras_core.ports.content import (
        BlobExpecter,
        ByteSource,
        ByteStream,
        ClonableStream,
        Deleter,
        Fetcher,
        Ingester,
        LocalStorage,
        Mounter,
        MultiTagPusher,
        Placer,
        PredecessorFinder,
        Pusher,
        RangeFetcher,
        ReadOnlyTarget,
        Receiver,
        ReferenceFetcher,
        ReferencePusher,
        ReferrerLister,
        Resolver,
        ResumableSource,
        RootLister,
        Storage,
        Tagger,
        TagLister,
        Target,
        Untagger,
        UnverifiedFetcher,
    )
    from oras_core.ports.credentials import (
        Credential,
        CredentialRefresher,
        CredentialStore,
        Unpicklable,
    )
    from oras_core.ports.digests import DigestKeeper, DigestMemory
    from oras_core.ports.files import (
        CloningFile,
        FileEntry,
        FileKind,
        FileTree,
        HeldLock,
        Linker,
        Locker,
        NameRules,
        PartialKeeper,
        PartialRemover,
        PendingDirectory,
        PendingFile,
        ResumableFile,
    )
    from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport
    from oras_core.ports.progress import ProgressListener, SkipReason

__all__ = [
    "BlobExpecter",
    "ByteSource",
    "ByteStream",
    "ClonableStream",
    "CloningFile",
    "Compression",
    "CompressionChooser",
    "Credential",
    "CredentialRefresher",
    "CredentialStore",
    "DamagedStreamError",
    "Decompressor",
    "Deleter",
    "DigestKeeper",
    "DigestMemory",
    "Fetcher",
    "FileEntry",
    "FileKind",
    "FileTree",
    "Headers",
    "HeldLock",
    "HttpRequest",
    "HttpResponse",
    "HttpTransport",
    "Ingester",
    "Linker",
    "LocalStorage",
    "Locker",
    "Mounter",
    "MultiTagPusher",
    "NameRules",
    "PartialKeeper",
    "PartialRemover",
    "PendingDirectory",
    "PendingFile",
    "Placer",
    "PredecessorFinder",
    "ProgressListener",
    "Pusher",
    "RangeFetcher",
    "ReadOnlyTarget",
    "Receiver",
    "ReferenceFetcher",
    "ReferencePusher",
    "ReferrerLister",
    "Resolver",
    "ResumableFile",
    "ResumableSource",
    "RootLister",
    "SkipReason",
    "Storage",
    "TagLister",
    "Tagger",
    "Target",
    "Unpicklable",
    "Untagger",
    "UnverifiedFetcher",
]

_MODULE_OF = {
    "BlobExpecter": "content",
    "ByteSource": "content",
    "ByteStream": "content",
    "ClonableStream": "content",
    "CloningFile": "files",
    "Compression": "compression",
    "CompressionChooser": "compression",
    "Credential": "credentials",
    "CredentialRefresher": "credentials",
    "CredentialStore": "credentials",
    "DamagedStreamError": "compression",
    "Decompressor": "compression",
    "Deleter": "content",
    "DigestKeeper": "digests",
    "DigestMemory": "digests",
    "Fetcher": "content",
    "FileEntry": "files",
    "FileKind": "files",
    "FileTree": "files",
    "Headers": "http",
    "HeldLock": "files",
    "HttpRequest": "http",
    "HttpResponse": "http",
    "HttpTransport": "http",
    "Ingester": "content",
    "Linker": "files",
    "Locker": "files",
    "LocalStorage": "content",
    "Mounter": "content",
    "MultiTagPusher": "content",
    "NameRules": "files",
    "PartialKeeper": "files",
    "PartialRemover": "files",
    "PendingDirectory": "files",
    "PendingFile": "files",
    "Placer": "content",
    "PredecessorFinder": "content",
    "ProgressListener": "progress",
    "Pusher": "content",
    "RangeFetcher": "content",
    "ReadOnlyTarget": "content",
    "Receiver": "content",
    "ReferenceFetcher": "content",
    "ReferencePusher": "content",
    "ReferrerLister": "content",
    "Resolver": "content",
    "ResumableFile": "files",
    "ResumableSource": "content",
    "RootLister": "content",
    "SkipReason": "progress",
    "Storage": "content",
    "TagLister": "content",
    "Tagger": "content",
    "Target": "content",
    "Unpicklable": "credentials",
    "Untagger": "content",
    "UnverifiedFetcher": "content",
}

if not TYPE_CHECKING:
    # Hidden from type checkers: they would accept every misspelt name.

    def __getattr__(name: str) -> object:
        """Import a public name on first use (PEP 562)."""
        return resolve(__name__, _MODULE_OF, name)


def __dir__() -> list[str]:
    """List the names that are not yet imported, too."""
    return sorted({*globals(), *__all__})
