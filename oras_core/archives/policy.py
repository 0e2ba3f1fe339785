"""Decide which members of an untrusted archive are unpacked, and to which path."""

from __future__ import annotations

from typing import Final

from oras_core.archives.links import find_unsafe_link, objection_to_target
from oras_core.archives.tar_format import MemberKind, TarMember
from oras_core.errors import SizeLimitError, UnsafeArchiveError, UnsafePathError
from oras_core.model.limits import Limits
from oras_core.model.names import POSIX_NAMES, NamePolicy
from oras_core.model.paths import SafePath, sanitize_path

__all__ = ["MAX_DEPTH", "MemberPolicy"]

MAX_DEPTH: Final = 256
"""Depth of nested folders: more than real folders have, and few enough for a recursion."""

MAX_NAMES: Final = 256 * 1024 * 1024
"""Bytes of all names and link targets together, which are kept in memory."""

_WHAT: Final = "the archive"


class MemberPolicy:
    """Checks the members of one archive, in order.

    - `sanitize_path` keeps names inside the folder; no name passes through a link or a file.
    - A name may occur again with the same kind, and the last member wins: tar updates an
      archive this way. A second member of another kind is refused.
    - Symbolic links must stay inside the folder when all are known (`links`). A hard link
      must name an earlier file.
    - Devices, FIFOs and unknown types are refused. Owner, times and all mode bits but the
      owner's execute bit are ignored.
    """

    def __init__(
        self, limits: Limits, prefix: SafePath | None, names: NamePolicy = POSIX_NAMES
    ) -> None:
        """Start with an empty archive.

        Args:
            limits: `archive_members` and `archive_bytes` apply.
            prefix: the name of the folder, which member names begin with. It is removed:
                the whole prefix, as the Go client writes it, or its last component, as
                oras-py writes it. The first member decides. If the first member has neither,
                names are used unchanged.
            names: the rules of the system that the files are for.
        """
        self._rules = names
        self._folder = prefix.parts if prefix else ()
        self._limits = limits
        self._candidates = [self._folder, self._folder[-1:]] if self._folder else []
        self._prefix: tuple[str, ...] | None = None if self._folder else ()
        self._kinds: dict[str, MemberKind] = {}
        self._spellings: dict[str, str] = {}
        self._links: dict[str, str] = {}
        self._superseded: list[tuple[str, str]] = []
        self._members = 0
        self._bytes = 0
        self._names = 0

    def admit(self, member: TarMember) -> SafePath | None:
        """Return the path for a member; None for the folder itself.

        Raises:
            UnsafeArchiveError: if the member must not be unpacked.
            SizeLimitError: if the member exceeds a limit.
        """
        self._count_name(len(member.name) + len(member.link_target))
        if member.kind == "special":
            reason = "it is a device, a FIFO or of an unknown type"
            raise UnsafeArchiveError(member.name, reason)
        path = self._place(member, member.name)
        if path is None:
            return None
        try:
            self._rules.check(path)
        except UnsafePathError as error:
            raise UnsafeArchiveError(member.name, error.reason) from error
        self._enter(member, path)
        if member.kind == "file":
            self.charge(member.size)
        elif member.kind == "symlink":
            if reason := objection_to_target(member.link_target, self._rules):
                raise UnsafeArchiveError(member.name, reason)
            if (earlier := self._links.get(str(path), member.link_target)) != member.link_target:
                self._superseded.append((str(path), earlier))
            self._links[str(path)] = member.link_target
        return path

    def original_of(self, member: TarMember) -> SafePath:
        """Return the earlier file that a hard link names.

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
            reason = f"it is a hard link to {target!r}, which is not an earlier file"
            raise UnsafeArchiveError(member.name, reason)
        return path

    def charge(self, size: int) -> None:
        """Count `size` bytes before they are unpacked.

        Raises:
            SizeLimitError: if the total exceeds the limit.
        """
        self._bytes += size
        if self._bytes > self._limits.archive_bytes:
            raise SizeLimitError(_WHAT, self._limits.archive_bytes)

    def links(self) -> dict[str, str]:
        """Return the targets of all symbolic links by path; they are created last.

        Raises:
            UnsafeArchiveError: if one leads out of the folder.
        """
        if unsafe := find_unsafe_link(self._links, self._superseded, folder=self._folder):
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
            # `tar -C folder .` writes this member first: then a folder whose name is that of
            # the archive is inside. Few folders have a whole path of several names inside.
            self._candidates = [known for known in self._candidates if len(known) > 1]
            return None
        try:
            return self._without_prefix(member, sanitize_path(name))
        except UnsafePathError as error:
            raise UnsafeArchiveError(name, error.reason) from error

    def _without_prefix(self, member: TarMember, path: SafePath) -> SafePath | None:
        parts = path.parts
        is_directory = member.kind == "directory"
        if is_directory and any(_is_above(parts, known) for known in self._candidates):
            return None  # a parent of the folder
        if self._prefix is None:
            self._prefix = self._fitting(parts, is_directory=is_directory)
            self._candidates = [self._prefix]
        if not self._prefix:
            return path
        if is_directory and parts == self._prefix:
            return None
        if not _is_above(self._prefix, parts):
            raise UnsafeArchiveError(member.name, f"it is outside of {'/'.join(self._prefix)!r}")
        # Check again: without the prefix, a name may begin with a drive letter.
        return sanitize_path("/".join(parts[len(self._prefix) :]))

    def _fitting(self, parts: tuple[str, ...], *, is_directory: bool) -> tuple[str, ...]:
        for known in self._candidates:
            if _is_above(known, parts) or (is_directory and parts == known):
                return known
        return ()

    def _enter(self, member: TarMember, path: SafePath) -> None:
        """Record the kind of `path` and of its parent folders.

        Raises:
            UnsafeArchiveError: if an earlier member recorded another kind.
        """
        above = path.parts[:-1]
        if len(above) >= MAX_DEPTH:
            raise UnsafeArchiveError(member.name, f"it is in {MAX_DEPTH} nested folders or more")
        if above and self._kinds.get("/".join(above)) != "directory":
            for depth in range(1, len(path.parts)):
                self._note(member, "/".join(above[:depth]), "directory")
        self._note(member, str(path), "file" if member.kind == "hardlink" else member.kind)

    def _note(self, member: TarMember, place: str, kind: MemberKind) -> None:
        known = self._kinds.get(place)
        if known is None:
            self._count_name(len(place))
            if (other := self._spellings.setdefault(self._rules.key(place), place)) != place:
                reason = f"this system takes {place!r} and the earlier {other!r} for one name"
                raise UnsafeArchiveError(member.name, reason)
            self._kinds[place] = kind
        elif known != kind:
            raise UnsafeArchiveError(
                member.name, f"an earlier member made {place!r} a {known}, not a {kind}"
            )


def _is_above(upper: tuple[str, ...], lower: tuple[str, ...]) -> bool:
    return len(upper) < len(lower) and lower[: len(upper)] == upper
