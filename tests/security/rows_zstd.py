"""Packed folders that are compressed by zstd (RFC 8878, 7: what a decoder must not trust)."""

from __future__ import annotations

from attrs import evolve
from rows_archives import CONTENT_DIGEST, GOOD, MIB, WHOLE, refused, taken

from oras_adapters.compression.zstd_compression import MODULE
from support.tar_archives import directory, member, tar
from support.zstd_frames import RESERVED, block, frame, raw_blocks, skippable, zeros

__all__ = ["ROWS"]

BLOCKS = raw_blocks(WHOLE)
PACKED = frame(BLOCKS)


def _bomb(size: int) -> bytes:
    """Return an archive of one file of `size` zeros, which compresses thirty-thousandfold."""
    beginning = tar(directory("bundle"))[:512] + member("bundle/zeros", size=size)[0].tobuf()
    return frame(raw_blocks(beginning) + zeros(size) + raw_blocks(bytes(1024)))


_ROWS = [
    taken("zstd-folder", "a folder by zstd", PACKED, {"bundle/good.txt": b"good\n"}),
    taken(
        "zstd-frames",
        "a folder in several frames, with others between that say nothing",
        frame(raw_blocks(WHOLE[:600]))
        + skippable(b"hello") * 3
        + frame(raw_blocks(WHOLE[600:]))
        + skippable(b""),
        {"bundle/good.txt": b"good\n"},
    ),
    taken(
        "zstd-bomb-memory",
        "64 MiB of zeros in 2 KiB",
        _bomb(64 * MIB),
        {"bundle/zeros": bytes(64 * MIB)},
        memory=24 * MIB,
        check=lambda folders, _: "",
    ),
    taken(
        "zstd-size-lies",
        "a frame that says it is of exabytes, which nobody believes",
        frame(BLOCKS, content_size=bytes(7) + b"\x40"),
        {"bundle/good.txt": b"good\n"},
        memory=16 * MIB,
    ),
    refused("zstd-window", "a window of 64 MiB", frame(BLOCKS, window_log=26), memory=16 * MIB),
    refused(
        "zstd-window-terabyte", "a window of a TiB", frame(BLOCKS, window_log=40), memory=16 * MIB
    ),
    refused("zstd-truncated", "half a frame", PACKED[:700]),
    refused("zstd-truncated-end", "a frame without its end", PACKED[:-3]),
    refused("zstd-header-only", "the beginning of a frame", PACKED[:5]),
    refused("zstd-checksum", "a frame of a wrong checksum", frame(BLOCKS, checksum=bytes(4))),
    refused(
        "zstd-block-reserved",
        "a block of a kind that there is not",
        frame(raw_blocks(WHOLE) + block(RESERVED, 5, b"x")),
    ),
    refused("zstd-block-large", "a block of 2 MiB", frame(block(1, 2**21 - 1, b"\0"))),
    refused(
        "zstd-dictionary", "a frame that needs a dictionary", frame(BLOCKS, dictionary=b"\1\2\3\4")
    ),
    refused("zstd-garbage-after", "a frame and something after it", PACKED + b"garbage"),
    refused("zstd-zeros-after", "a frame and zeros after it", PACKED + bytes(64)),
    refused("zstd-gzip-after", "a frame and gzip after it", PACKED + b"\x1f\x8b\x08" + bytes(30)),
    refused(
        "zstd-content-digest",
        "an archive by zstd of another content digest than it says",
        PACKED,
        "DigestMismatchError",
        **{CONTENT_DIGEST: "sha256:" + "0" * 64},
    ),
    refused(
        "zstd-escape",
        "a member by zstd whose name leads out",
        frame(raw_blocks(tar(*GOOD, member("bundle/../../x", b"evil\n")))),
    ),
]

ROWS = [evolve(row, id=row.id.removeprefix("tar-"), module=MODULE) for row in _ROWS]
