"""Directories as `.tar.gz` files, by the rules of `oras_core.archives.archive`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, cast

from oras.utils.paths import get_tmpfile, is_within_directory
from oras_adapters.files.local_files import LocalFileTree
from oras_core.errors import UnsafeArchiveError, UnsafePathError
from oras_core.model.limits import Limits
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.files import FileTree, PendingFile

if TYPE_CHECKING:
    import tarfile

# Imports of archive code are inside the functions: few programs need them.

__all__ = ["TarPathTraversalError", "extract_targz", "make_targz", "reset"]


class TarPathTraversalError(UnsafeArchiveError):
    """A tar archive contains a member whose name points outside the folder."""

    def __str__(self) -> str:
        """Return oras-py's message, followed by the member and the reason."""
        return f"Attempted Path Traversal in Tar File: {self.member!r}: {self.reason}"


def reset(tarinfo: tarfile.TarInfo) -> tarfile.TarInfo:
    """Clear the time and the owner of a member. Use as a filter of `tarfile.TarFile.add`."""
    tarinfo.mtime = 0
    tarinfo.uid = tarinfo.gid = 0
    tarinfo.uname = tarinfo.gname = ""
    return tarinfo


def make_targz(source_dir: str, dest_name: str | None = None) -> str:
    """Pack a folder or a single file, and return the path of the archive.

    The archive is reproducible: it depends only on names, file data and execute bits, not on
    owners, times, the umask or the order on disk. Member names start with the folder's name.

    Args:
        source_dir: the folder or file to pack.
        dest_name: the archive. The default is a new temporary file in a new folder.

    Raises:
        FileNotFoundError: if `source_dir` does not exist.
        UnsafePathError: also a ValueError; if the folder contains a symbolic link that points
            outside it, a device, a FIFO, a socket, or a name that is not portable, or if
            `dest_name` is inside the folder.
    """
    from oras_core.archives.archive import pack_directory  # noqa: PLC0415 - few programs pack

    source = os.path.abspath(source_dir)
    if not os.path.exists(source):
        raise FileNotFoundError(f"{os.fspath(source_dir)} does not exist.")
    if dest_name and os.path.isdir(source) and is_within_directory(source, dest_name):
        raise UnsafePathError(dest_name, f"the archive of {source} cannot lie in it")
    target = dest_name or get_tmpfile(suffix=".tar.gz")
    try:
        folder, name = os.path.split(os.path.abspath(target))
        with LocalFileTree(folder).create(sanitize_path(name)) as file:
            if os.path.isdir(source):
                pack_directory(LocalFileTree(source), file.write, prefix=os.path.basename(source))
            else:
                _pack_file(source, file)
            file.commit()
    except BaseException:
        if not dest_name:
            shutil.rmtree(os.path.dirname(target))
        raise
    return target


def _pack_file(source: str, archive: PendingFile) -> None:
    import gzip  # noqa: PLC0415 - as above
    import tarfile  # noqa: PLC0415 - as above

    # The core packs folders only. oras-py also packs a single file.
    if not os.path.isfile(source):
        raise UnsafePathError(source, "it is neither a folder nor a regular file")
    name = str(sanitize_path(os.path.basename(source)))
    with (
        gzip.GzipFile("", "wb", fileobj=cast("IO[bytes]", archive), mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w:") as tar,
    ):
        tar.add(os.path.realpath(source), name, filter=_plain)


def _plain(tarinfo: tarfile.TarInfo) -> tarfile.TarInfo:
    tarinfo.mode = 0o755 if tarinfo.mode & 0o100 else 0o644
    return reset(tarinfo)


def extract_targz(targz: str, outdir: str, numeric_owner: bool = False) -> None:
    """Unpack a tar archive into a folder. It may be compressed with gzip or zstd.

    Unpacking is all or nothing if the parent folder is writable and on the same file system.
    Otherwise, members unpacked before an error remain. Existing files of the same name are
    replaced; other files are kept.

    Args:
        targz: the archive.
        outdir: the folder. It is created if it is missing.
        numeric_owner: ignored: owners are never taken from an archive.

    Raises:
        FileNotFoundError: if the archive does not exist.
        UnsafeArchiveError: also a ValueError; if a member or link points outside the folder,
            a member is a device, or the archive is damaged.
        UnsafePathError: also a ValueError; if the path leads through a symbolic link in the folder.
        SizeLimitError: if the archive exceeds a limit.
    """
    unpack_into(targz, outdir)


def unpack_into(targz: str, outdir: str) -> list[str]:
    """Unpack as `extract_targz` does, and return the names of the top-level members."""
    from oras_adapters.compression.compressions import all_compressions  # noqa: PLC0415 - few programs unpack
    from oras_core.archives.archive import unpack  # noqa: PLC0415 - as above

    known, names = all_compressions(), _TopLevelNames()
    with open(targz, "rb") as archive:
        os.makedirs(outdir, exist_ok=True)
        folder = os.path.realpath(outdir)
        parent, name = os.path.split(folder)
        try:
            if name and os.access(parent, os.W_OK) and _same_file_system(parent, folder):
                pending = LocalFileTree(parent).create_directory(sanitize_path(name))
                with pending as directory:
                    unpack(archive, names.over(directory.tree), limits=Limits(), compressions=known)
                    directory.commit()
            else:
                tree = names.over(LocalFileTree(folder))
                unpack(archive, tree, limits=Limits(), compressions=known)
        except UnsafeArchiveError as error:
            if _leads_out(error.member):
                raise TarPathTraversalError(error.member, error.reason) from error
            raise
    return list(names.found)


class _TopLevelNames:
    """Records the top-level names that are created in a folder."""

    def __init__(self) -> None:
        self.found: dict[str, None] = {}

    def over(self, tree: FileTree) -> FileTree:
        """Return `tree`, with a record of what is created in it."""
        recorded: Any = _RecordedTree(tree, lambda path: self.found.setdefault(path.parts[0]))
        return recorded  # type: ignore[no-any-return]


class _RecordedTree:
    def __init__(self, tree: FileTree, record: Callable[[SafePath], object]) -> None:
        self._tree = tree
        self._record = record

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tree, name)

    def create(self, path: SafePath, *, executable: bool = False) -> PendingFile:
        self._record(path)
        return self._tree.create(path, executable=executable)

    def make_directory(self, path: SafePath) -> None:
        self._record(path)
        self._tree.make_directory(path)

    def make_symlink(self, path: SafePath, target: str) -> None:
        self._record(path)
        self._tree.make_symlink(path, target)


def _same_file_system(one: str, other: str) -> bool:
    return os.stat(one).st_dev == os.stat(other).st_dev


def _leads_out(member: str) -> bool:
    return member.startswith("/") or ".." in member.split("/")
