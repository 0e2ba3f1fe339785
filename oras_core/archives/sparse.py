"""Sparse members of GNU tar: files whose holes are not stored (GNU tar manual, "Storing Sparse").

The old GNU format keeps the map of stored segments in header blocks, pax versions 0.0 and 0.1
in pax records, and pax version 1.0 at the beginning of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from oras_core.archives.tar_format import BLOCK, ArchiveDamage

__all__ = [
    "MAP_KEY",
    "PREFIX",
    "checked_segments",
    "has_map_in_data",
    "header_segments",
    "map_from_data",
    "map_from_text",
    "sparse_size",
]

Segment = tuple[int, int]
"""Offset and length of stored data, in bytes."""

PREFIX: Final = "GNU.sparse."
MAP_KEY: Final = "GNU.sparse.map"

MAX_SEGMENTS: Final = 65_536
"""Segments of one member, which are kept in memory; real files have some thousands."""

_ENTRY: Final = 24
_HEADER_MAP: Final = slice(386, 386 + 4 * _ENTRY)
_EXTENSION_MAP: Final = slice(0, 21 * _ENTRY)


def header_segments(
    header: bytes, number: Callable[[bytes], int], next_block: Callable[[], bytes]
) -> list[Segment]:
    """Read the map of the old GNU format from a header and its extension blocks.

    Raises:
        ArchiveDamage: if the map is malformed or too long.
    """
    segments = list(_entries(header[_HEADER_MAP], number))
    more = header[482]
    while more:
        block = next_block()
        segments.extend(_entries(block[_EXTENSION_MAP], number))
        more = block[504]
        if len(segments) > MAX_SEGMENTS:
            raise _too_many()
    return segments


def _entries(table: bytes, number: Callable[[bytes], int]) -> Iterator[Segment]:
    for start in range(0, len(table), _ENTRY):
        entry = table[start : start + _ENTRY]
        if entry[0]:
            yield number(entry[:12]), number(entry[12:])


def map_from_text(text: str) -> list[Segment]:
    """Read the map of pax version 0.1: offsets and lengths, separated by commas.

    Raises:
        ArchiveDamage: if the map is malformed or too long.
    """
    return _pairs([_natural(part) for part in text.split(",")]) if text else []


def has_map_in_data(records: Mapping[str, str]) -> bool:
    """Tell whether the pax records announce version 1.0, whose map precedes the data."""
    return records.get(f"{PREFIX}major") == "1"


def map_from_data(next_block: Callable[[], bytes]) -> tuple[list[Segment], int]:
    """Read the map of pax version 1.0; return it and the bytes that it takes.

    Raises:
        ArchiveDamage: if the map is malformed or too long.
    """
    numbers: list[int] = []
    rest, blocks, expected = b"", 0, 1
    while len(numbers) < expected:
        *lines, rest = (rest + next_block()).split(b"\n")
        blocks += 1
        numbers += [_natural(line.decode("latin-1")) for line in lines[: expected - len(numbers)]]
        if expected == 1 and numbers:
            if numbers[0] > MAX_SEGMENTS:
                raise _too_many()
            expected += 2 * numbers[0]
            numbers += [_natural(line.decode("latin-1")) for line in lines[1:expected]]
        if len(rest) > BLOCK:
            raise ArchiveDamage("its map of holes is malformed")
    return _pairs(numbers[1:]), blocks * BLOCK


def sparse_size(records: Mapping[str, str]) -> int | None:
    """Return the size of the expanded file, if the pax records give one."""
    text = records.get(f"{PREFIX}realsize") or records.get(f"{PREFIX}size")
    return None if text is None else _natural(text)


def checked_segments(segments: Sequence[Segment], size: int, stored: int) -> list[tuple[int, bool]]:
    """Return lengths of holes and data in turn, each with whether it is data.

    Raises:
        ArchiveDamage: if the segments overlap, exceed the file, or differ from the stored size.
    """
    runs: list[tuple[int, bool]] = []
    position = 0
    for offset, length in segments:
        if offset < position or offset + length > size:
            raise ArchiveDamage("its map of holes is malformed")
        runs += [(offset - position, False), (length, True)]
        position = offset + length
    runs.append((size - position, False))
    if sum(length for _, length in segments) != stored:
        raise ArchiveDamage("its map of holes is malformed")
    return [run for run in runs if run[0]]


def _pairs(numbers: Sequence[int]) -> list[Segment]:
    if len(numbers) % 2:
        raise ArchiveDamage("its map of holes is malformed")
    if len(numbers) > 2 * MAX_SEGMENTS:
        raise _too_many()
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _natural(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise ArchiveDamage("its map of holes is malformed")
    return int(text)


def _too_many() -> ArchiveDamage:
    return ArchiveDamage(f"it has more than {MAX_SEGMENTS} holes")
