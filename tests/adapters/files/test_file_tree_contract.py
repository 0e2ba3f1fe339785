from __future__ import annotations

import pytest

from oras_adapters.files.local_files import LocalFileTree
from oras_adapters.files.portable import PortableFileTree
from oras_core.model.paths import sanitize_path
from oras_core.testing.contracts.clones import CloningFileContract
from oras_core.testing.contracts.files import FileTreeContract
from oras_core.testing.contracts.links import LinkerContract
from oras_core.testing.contracts.locks import LockerContract
from oras_core.testing.contracts.partials import PartialKeeperContract
from oras_core.testing.memory_files import MemoryFileTree


class EveryContract(
    CloningFileContract, FileTreeContract, LinkerContract, LockerContract, PartialKeeperContract
):
    """All that a folder of ours can do."""


class TestMemoryFileTree(EveryContract):
    @pytest.fixture
    def tree(self):
        return MemoryFileTree()


class TestLocalFileTree(EveryContract):
    @pytest.fixture
    def tree(self, tmp_path):
        return LocalFileTree(tmp_path)


class TestPortableFileTree(EveryContract):
    @pytest.fixture
    def tree(self, tmp_path):
        return PortableFileTree(tmp_path)


class TestDurablePortableFileTree(EveryContract):
    @pytest.fixture
    def tree(self, tmp_path):
        return PortableFileTree(tmp_path / "made", create=True, durable=True)


class TestInsideOfAPortableDirectory(EveryContract):
    @pytest.fixture
    def tree(self, tmp_path):
        with PortableFileTree(tmp_path).create_directory(sanitize_path("d")) as directory:
            yield directory.tree


class TestDurableLocalFileTree(EveryContract):
    @pytest.fixture
    def tree(self, tmp_path):
        return LocalFileTree(tmp_path / "made", create=True, durable=True)


class TestInsideOfAPendingDirectory(EveryContract):
    @pytest.fixture
    def tree(self, tmp_path):
        with LocalFileTree(tmp_path).create_directory(sanitize_path("d")) as directory:
            yield directory.tree
