"""The pure core: OCI artifacts as values, and the operations on them, without any I/O.

These are its public names. Each is imported on first use, so that `import oras_core`
costs next to nothing. The ports are in `oras_core.ports`, the errors in
`oras_core.errors`, contract suites and doubles in `oras_core.testing`.

The examples of the verbs use four objects: `registry`, a `RemoteRegistry`; `repository`, the
repository `team/model` in it; `tree`, a folder; and `vault`, a credential store.
"""

from __future__ import annotations

# Type checkers know the name; importing `typing` would cost more than the rest of this module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from oras_core.archives.gzip_streams import Gzip
    from oras_core.cancellation import CancelToken, current_token
    from oras_core.content.graph import successors
    from oras_core.content.sources import BytesSource, FileSource, OpenedSource
    from oras_core.copying.copy import copy, copy_graph
    from oras_core.copying.extended import ReferrerFilter, extended_copy
    from oras_core.copying.options import Copied, CopyOptions
    from oras_core.credentials import (
        ChainedCredentialStore,
        NoCredentials,
        RoutedCredentialStore,
        StaticCredentials,
    )
    from oras_core.mirroring.job import Job
    from oras_core.mirroring.ledger import Ledger, MemoryLedger
    from oras_core.mirroring.plan import Mirror, plan_mirror
    from oras_core.mirroring.running import RunOptions, run_mirrors
    from oras_core.mirroring.selection import Selection
    from oras_core.mirroring.verification import verify_job, verify_mirror
    from oras_core.mirroring.working import run_job
    from oras_core.model.annotations import Annotations, AnnotationSet
    from oras_core.model.descriptor import Descriptor
    from oras_core.model.digest import Digest
    from oras_core.model.globs import PathSelection
    from oras_core.model.index import Index
    from oras_core.model.limits import Limits
    from oras_core.model.manifest import Manifest
    from oras_core.model.paths import SafePath, sanitize_path
    from oras_core.model.platform import Platform
    from oras_core.model.reference import Reference
    from oras_core.packing.manifest import pack_manifest
    from oras_core.registry.profiles import HostProfile
    from oras_core.registry.registry import RemoteRegistry
    from oras_core.registry.repository import RemoteRepository
    from oras_core.registry.transports.retries import RetryPolicy
    from oras_core.stores.file import FileStore
    from oras_core.stores.layout.archive import archived_layout, unpack_layout
    from oras_core.stores.layout.store import OciLayoutStore
    from oras_core.stores.memory import MemoryStore
    from oras_core.verbs.attach import attach
    from oras_core.verbs.backup import backup, backup_to_archive, restore, restore_from_archive
    from oras_core.verbs.discover import Referrers, discover
    from oras_core.verbs.index import (
        IndexChange,
        create_index,
        describe_entry,
        read_index,
        update_index,
    )
    from oras_core.verbs.inspect import Content, fetch_config, fetch_manifest
    from oras_core.verbs.login import login, logout
    from oras_core.verbs.mirror import Mirrored, mirror
    from oras_core.verbs.pull import Pulled, find_manifest, pull
    from oras_core.verbs.push import Config, Directory, File, push
    from oras_core.verbs.selection import FileSelection
    from oras_core.verbs.verify import Verification, verify
    from oras_core.version import __version__

__all__ = [
    "AnnotationSet",
    "Annotations",
    "BytesSource",
    "CancelToken",
    "ChainedCredentialStore",
    "Config",
    "Content",
    "Copied",
    "CopyOptions",
    "Descriptor",
    "Digest",
    "Directory",
    "File",
    "FileSelection",
    "FileSource",
    "FileStore",
    "Gzip",
    "HostProfile",
    "Index",
    "IndexChange",
    "Job",
    "Ledger",
    "Limits",
    "Manifest",
    "MemoryLedger",
    "MemoryStore",
    "Mirror",
    "Mirrored",
    "NoCredentials",
    "OciLayoutStore",
    "OpenedSource",
    "PathSelection",
    "Platform",
    "Pulled",
    "Reference",
    "ReferrerFilter",
    "Referrers",
    "RemoteRegistry",
    "RemoteRepository",
    "RetryPolicy",
    "RoutedCredentialStore",
    "RunOptions",
    "SafePath",
    "Selection",
    "StaticCredentials",
    "Verification",
    "__version__",
    "archived_layout",
    "attach",
    "backup",
    "backup_to_archive",
    "copy",
    "copy_graph",
    "create_index",
    "current_token",
    "describe_entry",
    "discover",
    "extended_copy",
    "fetch_config",
    "fetch_manifest",
    "find_manifest",
    "login",
    "logout",
    "mirror",
    "pack_manifest",
    "plan_mirror",
    "pull",
    "push",
    "read_index",
    "restore",
    "restore_from_archive",
    "run_job",
    "run_mirrors",
    "sanitize_path",
    "successors",
    "unpack_layout",
    "update_index",
    "verify",
    "verify_job",
    "verify_mirror",
]

_MODULE_OF = {
    "AnnotationSet": "model.annotations",
    "Annotations": "model.annotations",
    "BytesSource": "content.sources",
    "CancelToken": "cancellation",
    "ChainedCredentialStore": "credentials",
    "Config": "verbs.push",
    "Content": "verbs.inspect",
    "Copied": "copying.options",
    "CopyOptions": "copying.options",
    "Descriptor": "model.descriptor",
    "Digest": "model.digest",
    "Directory": "verbs.push",
    "File": "verbs.push",
    "FileSource": "content.sources",
    "FileStore": "stores.file",
    "Gzip": "archives.gzip_streams",
    "HostProfile": "registry.profiles",
    "Index": "model.index",
    "IndexChange": "verbs.index",
    "Job": "mirroring.job",
    "Ledger": "mirroring.ledger",
    "Limits": "model.limits",
    "Manifest": "model.manifest",
    "MemoryLedger": "mirroring.ledger",
    "MemoryStore": "stores.memory",
    "Mirror": "mirroring.plan",
    "Mirrored": "verbs.mirror",
    "NoCredentials": "credentials",
    "OciLayoutStore": "stores.layout.store",
    "OpenedSource": "content.sources",
    "FileSelection": "verbs.selection",
    "PathSelection": "model.globs",
    "Platform": "model.platform",
    "Pulled": "verbs.pull",
    "Reference": "model.reference",
    "ReferrerFilter": "copying.extended",
    "Referrers": "verbs.discover",
    "RemoteRegistry": "registry.registry",
    "RemoteRepository": "registry.repository",
    "RetryPolicy": "registry.transports.retries",
    "RoutedCredentialStore": "credentials",
    "RunOptions": "mirroring.running",
    "SafePath": "model.paths",
    "Selection": "mirroring.selection",
    "StaticCredentials": "credentials",
    "Verification": "verbs.verify",
    "__version__": "version",
    "archived_layout": "stores.layout.archive",
    "attach": "verbs.attach",
    "backup": "verbs.backup",
    "backup_to_archive": "verbs.backup",
    "copy": "copying.copy",
    "copy_graph": "copying.copy",
    "create_index": "verbs.index",
    "current_token": "cancellation",
    "describe_entry": "verbs.index",
    "discover": "verbs.discover",
    "extended_copy": "copying.extended",
    "fetch_config": "verbs.inspect",
    "fetch_manifest": "verbs.inspect",
    "find_manifest": "verbs.pull",
    "login": "verbs.login",
    "logout": "verbs.login",
    "mirror": "verbs.mirror",
    "pack_manifest": "packing.manifest",
    "plan_mirror": "mirroring.plan",
    "pull": "verbs.pull",
    "push": "verbs.push",
    "read_index": "verbs.index",
    "restore": "verbs.backup",
    "restore_from_archive": "verbs.backup",
    "run_job": "mirroring.working",
    "run_mirrors": "mirroring.running",
    "sanitize_path": "model.paths",
    "successors": "content.graph",
    "unpack_layout": "stores.layout.archive",
    "update_index": "verbs.index",
    "verify": "verbs.verify",
    "verify_job": "mirroring.verification",
    "verify_mirror": "mirroring.verification",
}

if not TYPE_CHECKING:
    # Hidden from type checkers: they would accept every misspelt name.

    def __getattr__(name: str) -> object:
        """Import a public name on first use (PEP 562)."""
        from oras_core.lazy import resolve  # noqa: PLC0415 - `import oras_core` loads no other module

        return resolve(__name__, _MODULE_OF, name)


def __dir__() -> list[str]:
    """List the names that are not yet imported, too."""
    return sorted({*globals(), *__all__})
