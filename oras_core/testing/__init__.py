"""For tests of this library and of those who embed it: contract suites and in-memory doubles."""

from __future__ import annotations

from oras_core.testing.embedded_registry import EmbeddedRegistry
from oras_core.testing.memory_files import MemoryFileTree

__all__ = ["EmbeddedRegistry", "MemoryFileTree"]
