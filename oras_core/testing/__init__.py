"""For tests of this library and of those who embed it: contract suites and in-memory doubles."""

from __future__ import annotations

from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.registry.registry import EmbeddedRegistry

__all__ = ["EmbeddedRegistry", "MemoryFileTree"]
