"""A bounded memory: what was kept last, by key."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

__all__ = ["Recent"]

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps values by key, and forgets those that were kept longest ago. Not thread-safe."""

    def __init__(self, limit: int) -> None:
        """Keep at most `limit` values."""
        self._limit = limit
        self._entries: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """Return the value of `key`; None if there is none."""
        return self._entries.get(key)

    def keep(self, key: K, value: V) -> None:
        """Keep `value` for `key`, in place of an earlier one."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)
