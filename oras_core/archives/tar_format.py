"""Headers of tar archives: POSIX ustar, with pax records where ustar has no room.

The module `tarfile` is not used, because its output may differ between versions of Python
and the digest depends on each byte.
"""

from __future__ import annotations

from typing import Final, Literal

from attrs import frozen

__all__ = [
    "BLOCK",
    "END",
    "ArchiveDamage",
    "MemberKind",
    "TarMember",
    "encode_header",
    "padding_of",
]

BLOCK: Final = 512
"""Bytes of a header; file data is padded to a multiple of it."""

END: Final = bytes(2 * BLOCK)
"""Two blocks of zeros that end an archive (POSIX.1-2017, pax, "ustar Interchange Format")."""

MAX_USTAR_NAME: Final = 100
MAX_USTAR_PREFIX: Final = 155
MAX_USTAR_SIZE: Final = 8**11 - 1

PAX_NAME: Final = b"././@PaxHeader"
"""Name of the member that holds pax records, the same as in `tarfile`."""

MemberKind = Literal["file", "directory", "symlink", "hardlink", "special"]

_TYPES: Final = {"file": b"0", "directory": b"5", "symlink": b"2"}


class ArchiveDamage(Exception):  # noqa: N818 - never leaves the package
    """The archive is malformed or truncated; `archives.archive` raises a public error for it."""

    def __init__(self, reason: str, member: str = "") -> None:
        """Keep the reason and the member's name; an empty name means the whole archive."""
        super().__init__(reason)
        self.reason = reason
        self.member = member


@frozen
class TarMember:
    """The fields of a header.

    Attributes:
        name: the name as written in the archive.
        kind: `special` is a device, a FIFO or an unknown type.
        size: size of a file, in bytes; 0 for other kinds.
        executable: whether the owner may execute a file.
        link_target: target of a link; for a hard link the name of an earlier member.
    """

    name: str
    kind: MemberKind
    size: int = 0
    executable: bool = False
    link_target: str = ""


def padding_of(size: int) -> int:
    """Return the number of padding bytes after `size` bytes of data."""
    return -size % BLOCK


def encode_header(member: TarMember) -> bytes:
    """Return the header of a file, a directory or a symbolic link, without time or owner."""
    name = member.name + "/" if member.kind == "directory" else member.name
    fields: dict[str, str] = {}
    split = _split_name(name)
    if split is None:
        fields["path"] = name
        split = b"", _squeezed(name)
    target = _plain(member.link_target)
    if target is None:
        fields["linkpath"] = member.link_target
        target = _squeezed(member.link_target)
    size = member.size
    if size > MAX_USTAR_SIZE:
        fields["size"] = str(size)
        size = 0
    mode = 0o755 if member.executable or member.kind == "directory" else 0o644
    if member.kind == "symlink":
        mode = 0o777  # systems show this mode for a link and ignore it
    header = _block(split, mode, size, _TYPES[member.kind], target)
    return _pax_header(fields) + header if fields else header


def _plain(text: str) -> bytes | None:
    """Return `text` as a ustar field; None if it needs a pax record."""
    return text.encode() if text.isascii() and len(text) <= MAX_USTAR_NAME else None


def _split_name(name: str) -> tuple[bytes, bytes] | None:
    """Return the ustar prefix and name of a path; None if the path does not fit."""
    if (plain := _plain(name)) is not None:
        return b"", plain
    if not name.isascii():
        return None
    cut = name.rfind("/", 0, MAX_USTAR_PREFIX + 1)
    if cut <= 0 or not 0 < len(name) - cut - 1 <= MAX_USTAR_NAME:
        return None
    return name[:cut].encode(), name[cut + 1 :].encode()


def _squeezed(text: str) -> bytes:
    return text.encode("ascii", "replace")[:MAX_USTAR_NAME]


def _block(
    split: tuple[bytes, bytes], mode: int, size: int, kind: bytes, target: bytes = b""
) -> bytes:
    prefix, name = split
    block = bytearray(BLOCK)
    block[: len(name)] = name
    block[100:148] = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, 0, 0, size, 0)
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157 : 157 + len(target)] = target
    block[257:265] = b"ustar\x0000"
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _pax_header(fields: dict[str, str]) -> bytes:
    records = b"".join(_pax_record(key, value) for key, value in sorted(fields.items()))
    header = _block((b"", PAX_NAME), 0o644, len(records), b"x")
    return header + records + bytes(padding_of(len(records)))


def _pax_record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    # The length includes its own digits.
    length = len(body) + len(str(len(body)))
    length = len(body) + len(str(length))
    return str(length).encode() + body
