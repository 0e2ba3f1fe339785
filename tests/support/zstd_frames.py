"""zstd frames made by hand (RFC 8878, 3.1.1), so that they may be as no encoder makes them."""

from __future__ import annotations

MAGIC = b"\x28\xb5\x2f\xfd"

BLOCK = 128 * 1024
"""The largest block, and what one of repetition stands for in four bytes."""

RAW, REPEATED, RESERVED = 0, 1, 3


def block(kind, size, content, *, last=False):
    return (last | kind << 1 | size << 3).to_bytes(3, "little") + content


def raw_blocks(content):
    pieces = [content[start : start + BLOCK] for start in range(0, len(content), BLOCK)]
    return b"".join(block(RAW, len(piece), piece) for piece in pieces)


def zeros(count):
    """Blocks of `count` zeros, a multiple of a block's size."""
    return block(REPEATED, BLOCK, b"\0") * (count // BLOCK)


def frame(blocks, *, window_log=20, checksum=b"", dictionary=b"", content_size=b""):
    """A frame of blocks; its last is empty."""
    size_flag = {0: 0, 4: 2, 8: 3}[len(content_size)]
    descriptor = size_flag << 6 | bool(checksum) << 2 | {0: 0, 4: 3}[len(dictionary)]
    header = bytes([descriptor, window_log - 10 << 3]) + dictionary + content_size
    return MAGIC + header + blocks + block(RAW, 0, b"", last=True) + checksum


def skippable(content):
    return b"\x53\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content
