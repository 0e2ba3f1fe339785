"""Headers of tar archives: POSIX ustar, with pax records where ustar has no room.

Written here and not by `tarfile`, so that the same files give the same bytes, and with
them the same digest, by every version of Python.
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
"""Bytes of a header; content is padded to a multiple of it."""

END: Final = bytes(2 * BLOCK)
"""Two blocks of zeros end an archive (POSIX.1-2017, pax, "ustar Interchange Format")."""

MAX_USTAR_NAME: Final = 100
MAX_USTAR_PREFIX: Final = 155
MAX_USTAR_SIZE: Final = 8**11 - 1

PAX_NAME: Final = b"././@PaxHeader"
"""The name under which those who know no pax records would unpack them; `tarfile` has it too."""

MemberKind = Literal["file", "directory", "symlink", "hardlink", "special"]

_TYPES: Final = {"file": b"0", "directory": b"5", "symlink": b"2"}


class ArchiveDamage(Exception):  # noqa: N818 - never leaves the package
    """The archive is malformed or breaks off; `content.archive` makes an error of it."""

    def __init__(self, reason: str, member: str = "") -> None:
        """Keep the facts; no member means the archive as a whole."""
        super().__init__(reason)
        self.reason = reason
        self.member = member


@frozen
class TarMember:
    """What a header says.

    Attributes:
        name: as it stands in the archive.
        kind: `special` is a device, a FIFO, or a type that is unknown.
        size: of a file's content, in bytes; else 0.
        executable: whether the owner may execute a file.
        link_target: of a link; for a hard link the name of an earlier member.
    """

    name: str
    kind: MemberKind
    size: int = 0
    executable: bool = False
    link_target: str = ""


def padding_of(size: int) -> int:
    """Return how many zeros follow content of `size` bytes."""
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
        mode = 0o777  # what systems show of a link, whose mode means nothing
    header = _block(split, mode, size, _TYPES[member.kind], target)
    return _pax_header(fields) + header if fields else header


def _plain(text: str) -> bytes | None:
    """Return `text` as a ustar field holds it; None where it must become a pax record."""
    return text.encode() if text.isascii() and len(text) <= MAX_USTAR_NAME else None


def _split_name(name: str) -> tuple[bytes, bytes] | None:
    """Return prefix and name, between which readers put a slash; None if there is no room."""
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
    # The length counts its own digits.
    length = len(body) + len(str(len(body)))
    length = len(body) + len(str(length))
    return str(length).encode() + body
