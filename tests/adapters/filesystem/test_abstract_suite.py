"""The abstract test suite of fsspec, over artifacts.

The part about `get` applies; it also globs, walks and lists. The parts about `cp`, `pipe`, `put`
and `open` for writing do not: a single file of an artifact cannot be written.
"""

from __future__ import annotations

import posixpath

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.tests.abstract import AbstractFixtures, AbstractGetTests

from oras_adapters import Client, RegistryServer
from oras_adapters.filesystem.file_system import OrasFileSystem
from oras_core.testing import EmbeddedRegistry


@pytest.fixture(scope="module")
def address():
    with RegistryServer(EmbeddedRegistry()) as server:
        yield server.address


@pytest.fixture(scope="module")
def system():
    return OrasFileSystem(skip_instance_cache=True)


@pytest.fixture(scope="module", params=["layers", "packed"])
def push(request, address, system, tmp_path_factory):
    """Push the files that a function of the suite writes; return the path of their artifact."""
    places = {}

    def pushed(name, write):
        if name not in places:
            places[name] = f"{address}/{request.param}:{name}"
            folder = tmp_path_factory.mktemp(name)
            write(LocalFileSystem(auto_mkdir=True), posixpath.join, str(folder))
            if request.param == "layers":
                system.put(str(folder), places[name], recursive=True)
            else:
                folders = {path.name: path for path in folder.iterdir()}
                with Client() as client:
                    client.push(places[name], folders, compression="none")
        return places[name]

    return pushed


class TestGet(AbstractFixtures, AbstractGetTests):
    """Gets of files that are layers, and of files in a packed folder."""

    @pytest.fixture
    def fs(self, system):
        return system

    @pytest.fixture
    def fs_join(self):
        return posixpath.join

    @pytest.fixture
    def fs_path(self, push):
        def write(local, join, path):
            local.touch(join(path, "src", "file"))

        return push("one-file", write)

    @pytest.fixture
    def fs_bulk_operations_scenario_0(self, push):
        return f"{push('bulk', self._bulk_operations_scenario_0)}/source"

    @pytest.fixture
    def fs_glob_edge_cases_files(self, push):
        return f"{push('glob', self._glob_edge_cases_files)}/source"

    @pytest.fixture
    def fs_dir_and_file_with_same_name_prefix(self, push):
        return f"{push('prefix', self._dir_and_file_with_same_name_prefix)}/source"

    @pytest.fixture
    def fs_10_files_with_hashed_names(self, push):
        return f"{push('hashed', self._10_files_with_hashed_names)}/source"

    def test_get_directory_recursive(
        self, fs, fs_join, fs_path, local_fs, local_join, local_target, monkeypatch
    ):
        for name in ("mkdir", "touch"):  # `fs_path` has pushed what the test would write
            monkeypatch.setattr(fs, name, lambda _: None)
        super().test_get_directory_recursive(
            fs, fs_join, fs_path, local_fs, local_join, local_target
        )
