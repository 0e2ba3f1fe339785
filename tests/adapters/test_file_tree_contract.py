from __future__ import annotations

import pytest

from oras_core.testing.files import FileTreeContract
from oras_core.testing.memory_files import MemoryFileTree


class TestMemoryFileTree(FileTreeContract):
    @pytest.fixture
    def tree(self):
        return MemoryFileTree()
