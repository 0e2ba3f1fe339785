from __future__ import annotations

import pytest

from oras_adapters.files.local_files import LocalFileTree
from oras_adapters.files.portable import PortableFileTree
from oras_core.model.paths import sanitize_path
from oras_core.testing.contracts.files import FileTreeContract
from oras_core.testing.contracts.locks import LockerContract
from oras_core.testing.contracts.partials import PartialKeeperContract
from oras_core.testing.memory_files import MemoryFileTree


class TestMemoryFileTree(FileTreeContract, LockerContract, PartialKeeperContract):
    @pytest.fixture
    def tree(self):
        return MemoryFileTree()


class TestLocalFileTree(FileTreeContract, LockerContract, PartialKeeperContract):
    @pytest.fixture
    def tree(self, tmp_path):
        return LocalFileTree(tmp_path)


class TestPortableFileTree(FileTreeContract, LockerContract, PartialKeeperContract):
    @pytest.fixture
    def tree(self, tmp_path):
        return PortableFileTree(tmp_path)


class TestDurablePortableFileTree(FileTreeContract, LockerContract, PartialKeeperContract):
    @pytest.fixture
    def tree(self, tmp_path):
        return PortableFileTree(tmp_path / "made", create=True, durable=True)


class TestInsideOfAPortableDirectory(FileTreeContract, LockerContract, PartialKeeperContract):
    @pytest.fixture
    def tree(self, tmp_path):
        with PortableFileTree(tmp_path).create_directory(sanitize_path("d")) as directory:
            yield directory.tree


class TestDurableLocalFileTree(FileTreeContract, LockerContract, PartialKeeperContract):
    @pytest.fixture
    def tree(self, tmp_path):
        return LocalFileTree(tmp_path / "made", create=True, durable=True)


class TestInsideOfAPendingDirectory(FileTreeContract, LockerContract, PartialKeeperContract):
    @pytest.fixture
    def tree(self, tmp_path):
        with LocalFileTree(tmp_path).create_directory(sanitize_path("d")) as directory:
            yield directory.tree
