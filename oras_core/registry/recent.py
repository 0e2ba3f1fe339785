"""A bounded memory of the latest values by key."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

__all__ = ["Recent"]

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps the latest `limit` values by key, and forgets older ones. Not thread-safe."""

    def __init__(self, limit: int) -> None:
        """Keep at most `limit` values."""
        self._limit = limit
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return the value of `key`; None if there is none."""
        return self._entries.get(key)

    def keep(self, key: K, value: V) -> None:
        """Keep `value` for `key`, in place of an earlier one."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def take(self, key: K) -> V | None:
        """Forget the value of `key` and return it; None if there is none."""
        return self._entries.pop(key, None)
