"""Read untrusted tar archives, member by member, with bounded memory.

The module `tarfile` reads a pax header of any size into memory, recurses for every extension
header, and parses records in quadratic time (CVE-2024-6232). This reader keeps one header in
memory, does not recurse, and refuses input that two readers could interpret differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from attrs import evolve

from oras_core.archives import sparse
from oras_core.archives.tar_format import BLOCK, ArchiveDamage, MemberKind, TarMember, padding_of

__all__ = ["TarReader"]

MAX_EXTENSION: Final = 1024 * 1024
"""Bytes of one extension header: real ones hold a few KiB of names and attributes."""

MAX_GLOBAL_HEADERS: Final = 1000
"""Global pax headers of one archive; real archives have one, with a comment."""

MAX_PADDING: Final = 1024 * 1024
"""Zeros after the end of the archive: writers fill the last record, by default of 10 KiB."""

_ZEROS: Final = bytes(BLOCK)

_KINDS: Final[dict[bytes, MemberKind]] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",  # a contiguous file; file systems today have no such kind
    b"1": "hardlink",
    b"2": "symlink",
    b"5": "directory",
    b"D": "directory",
    b"S": "file",
}

_SPARSE_SEGMENT: Final = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")

_EXTENSIONS: Final = (b"x", b"g", b"L", b"K")

# GNU tar's own types.
_LABEL: Final = b"V"
_DUMP_DIRECTORY: Final = b"D"  # its data lists the directory, for incremental backups
_SPARSE_FILE: Final = b"S"

# Keys of pax records that change a member; all others are attributes that are ignored.
_MEANINGFUL: Final = ("path", "linkpath", "size")


class TarReader:
    """Returns the members of an archive in order, and the data of the current member."""

    def __init__(
        self, chunks: Iterator[bytes], skip: Callable[[int], object] | None = None
    ) -> None:
        """Read from `chunks`, pieces of any length.

        Args:
            chunks: the archive.
            skip: leaves out so many bytes of what `chunks` would give next; None if they must
                be read.
        """
        self._chunks = chunks
        self._skip = skip
        self._taken = 0
        self._chunk = memoryview(b"")
        self._runs: list[tuple[int, bool]] = []
        """What is left of the data, last first: lengths, and whether they are stored or holes."""
        self._padding = 0
        self._member = ""
        self._globals = 0

    def next_member(self) -> TarMember | None:
        """Skip the rest of the current member and return the next; None at the end.

        Raises:
            ArchiveDamage: if the next block is neither a header nor the end of the archive.
        """
        self._skip_rest()
        extension: dict[str, str] = {}
        while True:
            block = self._exactly(BLOCK)
            if block == _ZEROS:
                if extension:
                    raise ArchiveDamage("an extension header has no member after it")
                self._check_end()
                return None
            kind = block[156:157]
            if kind in _EXTENSIONS:
                self._extend(extension, kind, self._extension(block))
            elif kind == _LABEL:
                self._extension(block)
                extension.clear()
            else:
                return self._begin(block, extension)

    @property
    def offset(self) -> int | None:
        """Where the current member's data begins, before it is read; None if it has holes."""
        if any(not is_stored for _, is_stored in self._runs) or len(self._runs) > 1:
            return None
        return self._taken - len(self._chunk)

    def _skip_rest(self) -> None:
        if self._skip is not None:
            rest = sum(length for length, is_stored in self._runs if is_stored) + self._padding
            held = min(rest, len(self._chunk))
            self._chunk = self._chunk[held:]
            if rest > held:
                self._skip(rest - held)
                self._taken += rest - held
            self._runs.clear()
            self._padding = 0
        while self.read(BLOCK * 128):
            pass

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes of the current member's data; empty at its end.

        Raises:
            ArchiveDamage: if the archive is truncated.
        """
        if not self._runs:
            if self._padding:
                self._exactly(self._padding)
                self._padding = 0
            return b""
        length, is_stored = self._runs[-1]
        if is_stored:
            if not self._chunk and not self._advance():
                raise ArchiveDamage("the archive is truncated in it", self._member)
            piece = bytes(self._chunk[: min(size, length)])
            self._chunk = self._chunk[len(piece) :]
        else:
            piece = bytes(min(size, length))
        if len(piece) == length:
            self._runs.pop()
        else:
            self._runs[-1] = length - len(piece), is_stored
        return piece

    def _begin(self, block: bytes, extension: dict[str, str]) -> TarMember:
        member = _member(block, extension)
        self._member = member.name
        kind = block[156:157]
        stored = member.size if member.kind in ("file", "special") or kind == _DUMP_DIRECTORY else 0
        self._padding = padding_of(stored)
        if kind == _SPARSE_FILE or any(key.startswith(sparse.PREFIX) for key in extension):
            try:
                return self._begin_sparse(member, block, extension)
            except ArchiveDamage as damage:
                raise ArchiveDamage(damage.reason, member.name) from damage
        self._runs = [(stored, True)] if stored else []
        return member if member.kind in ("file", "special") else evolve(member, size=0)

    def _begin_sparse(
        self, member: TarMember, block: bytes, extension: dict[str, str]
    ) -> TarMember:
        if member.kind != "file":
            raise ArchiveDamage("it is sparse, but not a file")
        stored = member.size
        if block[156:157] == _SPARSE_FILE:
            size = _number(block[483:495])
            segments = sparse.header_segments(block, _number, lambda: self._exactly(BLOCK))
        else:
            announced = sparse.sparse_size(extension)
            if announced is None:
                raise ArchiveDamage("it is sparse, but its size is missing")
            size = announced
            if sparse.has_map_in_data(extension):
                segments, taken = sparse.map_from_data(lambda: self._exactly(BLOCK))
                stored -= taken
            else:
                segments = sparse.map_from_text(extension.get(sparse.MAP_KEY, ""))
        self._runs = sparse.checked_segments(segments, size, stored)[::-1]
        name = extension.get(f"{sparse.PREFIX}name") or member.name
        return evolve(member, name=name, size=size)

    def _extension(self, block: bytes) -> bytes:
        """Return the data of an extension header."""
        _verify(block)
        size = _number(block[124:136])
        if size > MAX_EXTENSION:
            raise ArchiveDamage(f"an extension header has more than {MAX_EXTENSION} bytes")
        return self._exactly(size + padding_of(size))[:size]

    def _extend(self, extension: dict[str, str], kind: bytes, content: bytes) -> None:
        if kind == b"g":
            self._globals += 1
            if self._globals > MAX_GLOBAL_HEADERS:
                raise ArchiveDamage(f"it has more than {MAX_GLOBAL_HEADERS} global headers")
            if any(_is_meaningful(key) for key in _pax_records(content)):
                raise ArchiveDamage("a global header sets the name or size of members")
            return
        if kind == b"x":
            found = _pax_records(content)
            found = {key: value for key, value in found.items() if _is_meaningful(key)}
        else:
            found = {"path" if kind == b"L" else "linkpath": _text(content.rstrip(b"\0"))}
        if twice := found.keys() & extension.keys():
            raise ArchiveDamage(f"two extension headers set the {min(twice)} of one member")
        extension.update(found)

    def _check_end(self) -> None:
        """Read the rest of the archive, and check that it holds only zeros."""
        count = 0
        while self._chunk or self._advance():
            if any(self._chunk):
                raise ArchiveDamage("data follows its end")
            count += len(self._chunk)
            if count > MAX_PADDING:
                raise ArchiveDamage(f"more than {MAX_PADDING} zeros follow its end")
            self._chunk = memoryview(b"")

    def _exactly(self, size: int) -> bytes:
        if len(self._chunk) >= size:
            piece, self._chunk = self._chunk[:size], self._chunk[size:]
            return bytes(piece)
        pieces = []
        while size:
            if not self._chunk and not self._advance():
                raise ArchiveDamage("it is truncated")
            piece = self._chunk[:size]
            self._chunk = self._chunk[len(piece) :]
            size -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def _advance(self) -> bool:
        for chunk in self._chunks:
            if chunk:
                self._chunk = memoryview(chunk)
                self._taken += len(chunk)
                return True
        return False


def _verify(block: bytes) -> None:
    expected = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    if _number(block[148:156]) != expected:
        raise ArchiveDamage("a header has a wrong checksum")


def _number(field: bytes) -> int:
    if field[0] & 0x80:  # GNU: base 256, for numbers too large for octal digits
        if field[0] & 0x40:
            raise ArchiveDamage("a header holds a negative number")
        return int.from_bytes(bytes([field[0] & 0x3F]) + field[1:], "big")
    digits = field.partition(b"\0")[0].strip(b" ")
    if digits.strip(b"01234567"):
        raise ArchiveDamage("a header has a malformed number")
    return int(digits or b"0", 8)


def _text(field: bytes) -> str:
    # Bytes that are not UTF-8 become surrogates, which `sanitize_path` refuses.
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _member(block: bytes, extension: dict[str, str]) -> TarMember:
    _verify(block)
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and block[345]:
        name = f"{_text(block[345:500])}/{name}"
    kind = _KINDS.get(block[156:157], "special")
    member = TarMember(
        name=extension.get("path") or name,
        kind=kind,
        size=_number(block[124:136]),
        executable=bool(_number(block[100:108]) & 0o100),
        link_target=extension.get("linkpath") or _text(block[157:257]),
    )
    if size := extension.get("size"):
        if not (size.isascii() and size.isdigit() and len(size) <= 20):
            raise ArchiveDamage("a header has a malformed number", member.name)
        member = evolve(member, size=int(size))
    if kind == "file" and member.name.endswith("/"):
        # Before POSIX, a directory was a file whose name ends in a slash, without data.
        if member.size:
            raise ArchiveDamage("it is a directory with data", member.name)
        return evolve(member, kind="directory")
    return member


def _is_meaningful(key: str) -> bool:
    return key in _MEANINGFUL or key.startswith(sparse.PREFIX)


def _pax_records(content: bytes) -> dict[str, str]:
    """Parse `LENGTH KEY=VALUE` records; the last of equal keys wins."""
    found = {}
    segments = []
    position = 0
    while position < len(content):
        space = content.find(b" ", position, position + 20)
        digits = content[position:space] if space > 0 else b""
        if not digits.isdigit():
            raise ArchiveDamage("a pax record has no length")
        end = position + int(digits)
        key, equals, value = content[space + 1 : end].partition(b"=")
        if end > len(content) or not equals or not value.endswith(b"\n"):
            raise ArchiveDamage("a pax record is malformed")
        if key in _SPARSE_SEGMENT:
            segments.append(_pax_text(value[:-1]))
        else:
            found[_text(key)] = _pax_text(value[:-1])
        position = end
    if segments:
        # Version 0.0 of sparse members repeats two keys; version 0.1 joins their values.
        found[sparse.MAP_KEY] = ",".join(segments)
    return found


def _pax_text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
