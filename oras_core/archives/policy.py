"""Which members of a stranger's archive may be unpacked, and where to."""

from __future__ import annotations

from typing import Final

from oras_core.archives.links import find_unsafe_link, objection_to_target
from oras_core.archives.tar_format import MemberKind, TarMember
from oras_core.errors import SizeLimitError, UnsafeArchiveError, UnsafePathError
from oras_core.model.limits import Limits
from oras_core.model.paths import SafePath, sanitize_path

__all__ = ["MAX_DEPTH", "MemberPolicy"]

MAX_DEPTH: Final = 256
"""Folders within one another: deeper than real ones, and removable by a recursion."""

MAX_NAMES: Final = 256 * 1024 * 1024
"""Bytes of all names and link targets, which are kept in memory: ends a bomb of names."""

_WHAT: Final = "the archive"


class MemberPolicy:
    """Judges one member after the other, knowing what came before.

    - Names stay inside the folder by `sanitize_path`; none leads through a link or a file.
    - A name may occur again for the same kind of thing, of which the last counts: that is
      how tar updates an archive. As another kind it is refused.
    - Symbolic links must stay inside when all are known (`links`), hard links must name a
      file that came before.
    - Devices, FIFOs and unknown types are refused; owner, times, set-user-id and all other
      mode bits but the owner's execute bit are never looked at.
    """

    def __init__(self, limits: Limits, prefix: SafePath | None) -> None:
        """Begin an archive.

        Args:
            limits: `archive_members` and `archive_bytes` are held to.
            prefix: the folder's name, under which its members stand in the archive. It is
                taken off: either all of it, as oras has it, or its last component alone, as
                oras-py has it; the first member decides. An archive whose first member
                stands under neither is taken as it is.
        """
        self._limits = limits
        self._candidates = [prefix.parts, prefix.parts[-1:]] if prefix else []
        self._prefix: tuple[str, ...] | None = None if prefix else ()
        self._kinds: dict[str, MemberKind] = {}
        self._links: dict[str, str] = {}
        self._superseded: list[tuple[str, str]] = []
        self._members = 0
        self._bytes = 0
        self._names = 0

    def admit(self, member: TarMember) -> SafePath | None:
        """Return where a member is to be unpacked; None for the folder itself.

        Raises:
            UnsafeArchiveError: if it may not be.
            SizeLimitError: if it is one too many, or too large.
        """
        self._count_name(len(member.name) + len(member.link_target))
        if member.kind == "special":
            reason = "it is a device, a FIFO or of an unknown type"
            raise UnsafeArchiveError(member.name, reason)
        path = self._place(member, member.name)
        if path is None:
            return None
        self._enter(member, path)
        if member.kind == "file":
            self.charge(member.size)
        elif member.kind == "symlink":
            if reason := objection_to_target(member.link_target):
                raise UnsafeArchiveError(member.name, reason)
            if (earlier := self._links.get(str(path), member.link_target)) != member.link_target:
                self._superseded.append((str(path), earlier))
            self._links[str(path)] = member.link_target
        return path

    def original_of(self, member: TarMember) -> SafePath:
        """Return which file that came before a hard link is a further name of.

        Raises:
            UnsafeArchiveError: if there is no such file.
        """
        target = member.link_target
        try:
            path = self._place(member, target)
        except UnsafeArchiveError as error:
            reason = f"it is a hard link to {target!r}: {error.reason}"
            raise UnsafeArchiveError(member.name, reason) from error
        if path is None or self._kinds.get(str(path)) != "file":
            reason = f"it is a hard link to {target!r}, which is no earlier file"
            raise UnsafeArchiveError(member.name, reason)
        return path

    def charge(self, size: int) -> None:
        """Count `size` bytes that will be unpacked.

        Raises:
            SizeLimitError: if they are too many, before one is written.
        """
        self._bytes += size
        if self._bytes > self._limits.archive_bytes:
            raise SizeLimitError(_WHAT, self._limits.archive_bytes)

    def links(self) -> dict[str, str]:
        """Return all symbolic links, path to target, to be made when all else is unpacked.

        Raises:
            UnsafeArchiveError: if one leads out of the folder.
        """
        if unsafe := find_unsafe_link(self._links, self._superseded):
            raise UnsafeArchiveError(*unsafe)
        return self._links

    def _count_name(self, length: int) -> None:
        self._members += 1
        if self._members > self._limits.archive_members:
            raise SizeLimitError(_WHAT, self._limits.archive_members, unit="members")
        self._names += length
        if self._names > MAX_NAMES:
            raise SizeLimitError("the names in the archive", MAX_NAMES)

    def _place(self, member: TarMember, name: str) -> SafePath | None:
        if member.kind == "directory" and name[:1] == "." and set(name.split("/")) <= {"", "."}:
            return None  # `tar -C folder .` names the folder itself
        try:
            return self._without_prefix(member, sanitize_path(name))
        except UnsafePathError as error:
            raise UnsafeArchiveError(name, error.reason) from error

    def _without_prefix(self, member: TarMember, path: SafePath) -> SafePath | None:
        parts = path.parts
        is_directory = member.kind == "directory"
        if is_directory and any(_is_above(parts, known) for known in self._candidates):
            return None  # on the way to the folder
        if self._prefix is None:
            self._prefix = self._fitting(parts, is_directory=is_directory)
            self._candidates = [self._prefix]
        if not self._prefix:
            return path
        if is_directory and parts == self._prefix:
            return None
        if not _is_above(self._prefix, parts):
            raise UnsafeArchiveError(member.name, f"it lies outside of {'/'.join(self._prefix)!r}")
        # Checked again: what was no drive letter in the middle may be one at the front.
        return sanitize_path("/".join(parts[len(self._prefix) :]))

    def _fitting(self, parts: tuple[str, ...], *, is_directory: bool) -> tuple[str, ...]:
        for known in self._candidates:
            if _is_above(known, parts) or (is_directory and parts == known):
                return known
        return ()

    def _enter(self, member: TarMember, path: SafePath) -> None:
        """Note what lies at `path`, and the folders above it.

        Raises:
            UnsafeArchiveError: if that contradicts what came before.
        """
        above = path.parts[:-1]
        if len(above) >= MAX_DEPTH:
            raise UnsafeArchiveError(member.name, f"it lies in {MAX_DEPTH} folders or more")
        if above and self._kinds.get("/".join(above)) != "directory":
            for depth in range(1, len(path.parts)):
                self._note(member, "/".join(above[:depth]), "directory")
        self._note(member, str(path), "file" if member.kind == "hardlink" else member.kind)

    def _note(self, member: TarMember, place: str, kind: MemberKind) -> None:
        known = self._kinds.get(place)
        if known is None:
            self._count_name(len(place))
            self._kinds[place] = kind
        elif known != kind:
            raise UnsafeArchiveError(member.name, f"{place!r} is a {known} already, no {kind}")


def _is_above(upper: tuple[str, ...], lower: tuple[str, ...]) -> bool:
    return len(upper) < len(lower) and lower[: len(upper)] == upper
