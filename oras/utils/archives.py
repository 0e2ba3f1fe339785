"""Directories as `.tar.gz` files, by the rules of `oras_core.archives.archive`."""

from __future__ import annotations

import os
import shutil
from typing import IO, TYPE_CHECKING, cast

from oras.utils.paths import get_tmpfile, is_within_directory
from oras_adapters.files.local_files import LocalFileTree
from oras_core.errors import UnsafeArchiveError, UnsafePathError
from oras_core.model.limits import Limits
from oras_core.model.paths import sanitize_path
from oras_core.ports.files import PendingFile

if TYPE_CHECKING:
    import tarfile

# Functions import what packs and unpacks: few programs come to that.

__all__ = ["TarPathTraversalError", "extract_targz", "make_targz", "reset"]


class TarPathTraversalError(UnsafeArchiveError):
    """A tar archive holds a member whose name leads out of the folder."""

    def __str__(self) -> str:
        """Say it in oras-py's words, then which member."""
        return f"Attempted Path Traversal in Tar File: {self.member!r}: {self.reason}"


def reset(tarinfo: tarfile.TarInfo) -> tarfile.TarInfo:
    """Clear the time and the owner of a member: a filter for `tarfile.TarFile.add`."""
    tarinfo.mtime = 0
    tarinfo.uid = tarinfo.gid = 0
    tarinfo.uname = tarinfo.gname = ""
    return tarinfo


def make_targz(source_dir: str, dest_name: str | None = None) -> str:
    """Pack a folder, or a single file, and return the archive's path.

    The same names, contents and execute bits give the same bytes, whatever their owner,
    times, umask and order on the disk. The members stand under the folder's own name.

    Args:
        source_dir: what to pack.
        dest_name: the archive; by default a new temporary file in a folder of its own.

    Raises:
        FileNotFoundError: if there is nothing to pack.
        UnsafePathError: also a ValueError; for a symbolic link that leads out of the folder,
            a device, a FIFO or a socket; for a name that not every platform can write; for
            an archive that would lie in the folder itself.
    """
    from oras_core.archives.archive import pack_directory  # noqa: PLC0415

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
    import gzip  # noqa: PLC0415
    import tarfile  # noqa: PLC0415

    # The core packs folders: a lone file without one is a form of oras-py's.
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
    """Unpack a tar archive, compressed by gzip, by zstd or not at all, into a folder.

    All of it or nothing, as long as the folder's parent can be written to and is of the
    same file system; else what came before a fault stays. Files of the same name are
    replaced, others stay.

    Args:
        targz: the archive.
        outdir: the folder; it is made where it is missing.
        numeric_owner: of no effect: owners are never taken from an archive.

    Raises:
        FileNotFoundError: if there is no such archive.
        UnsafeArchiveError: also a ValueError; for a member or link that leads out of the
            folder, a device, a damaged archive.
        UnsafePathError: also a ValueError; if a link lies in the way in the folder.
        SizeLimitError: if it holds too much.
    """
    from oras_adapters.compression.compressions import all_compressions  # noqa: PLC0415
    from oras_core.archives.archive import unpack  # noqa: PLC0415

    known = all_compressions()
    with open(targz, "rb") as archive:
        os.makedirs(outdir, exist_ok=True)
        folder = os.path.realpath(outdir)
        parent, name = os.path.split(folder)
        try:
            if name and os.access(parent, os.W_OK) and _same_file_system(parent, folder):
                pending = LocalFileTree(parent).create_directory(sanitize_path(name))
                with pending as directory:
                    unpack(archive, directory.tree, limits=Limits(), compressions=known)
                    directory.commit()
            else:
                unpack(archive, LocalFileTree(folder), limits=Limits(), compressions=known)
        except UnsafeArchiveError as error:
            if _leads_out(error.member):
                raise TarPathTraversalError(error.member, error.reason) from error
            raise


def _same_file_system(one: str, other: str) -> bool:
    return os.stat(one).st_dev == os.stat(other).st_dev


def _leads_out(member: str) -> bool:
    return member.startswith("/") or ".." in member.split("/")
