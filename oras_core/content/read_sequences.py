"""Which reads of a file continue which earlier reads."""

from __future__ import annotations

from attrs import define

__all__ = ["ReadSequence", "ReadSequences"]


@define(eq=False)
class ReadSequence:
    """Reads of which each begins at the end of the read before, or after a small gap.

    Attributes:
        end: position after the last read.
        length: bytes read.
        fetches: requests for this sequence since another one was read.
    """

    end: int
    length: int = 0
    fetches: int = 0

    def extend(self, end: int, length: int) -> None:
        """Add a read of `length` bytes up to the position `end`."""
        self.end = end
        self.length += length


class ReadSequences:
    """The sequences that were read last."""

    def __init__(self, capacity: int, *, gap: int) -> None:
        """Know at most `capacity` sequences, whose reads are at most `gap` bytes apart."""
        self._capacity = capacity
        self._gap = gap
        self._known: list[ReadSequence] = []

    def at(self, position: int) -> ReadSequence:
        """Return the sequence that a read at `position` continues, or a new one."""
        near = [one for one in self._known if 0 <= position - one.end <= self._gap]
        found = max(near, key=lambda one: one.end, default=None) or ReadSequence(position)
        if found not in self._known[:1]:
            found.fetches = 0
            self._known = [found, *(one for one in self._known if one is not found)]
            del self._known[self._capacity :]
        return found
