"""Paths of users, with links among their folders, as the operating system resolves them."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from oras_adapters.files.local_sources import LocalFiles


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The working directory `…/w`; its `link` points to `…/elsewhere/inner`."""
    (tmp_path / "elsewhere" / "inner").mkdir(parents=True)
    (tmp_path / "w").mkdir()
    (tmp_path / "elsewhere" / "a").write_text("elsewhere")
    (tmp_path / "elsewhere" / "inner" / "a").write_text("inner")
    (tmp_path / "w" / "a").write_text("here")
    (tmp_path / "w" / "link").symlink_to(tmp_path / "elsewhere" / "inner")
    (tmp_path / "w" / "file").symlink_to(tmp_path / "elsewhere" / "a")
    monkeypatch.chdir(tmp_path / "w")
    return tmp_path / "w"


@pytest.mark.parametrize("path", ["a", "./a", "link/a", "link/../a", "file", "../w/a"])
@pytest.mark.parametrize("absolute", [False, True])
def test_paths_resolve_as_in_the_operating_system(work, path, absolute):
    named = os.path.join(work, path) if absolute else path
    with open(named, "rb") as file:
        wanted = file.read()
    with closing(LocalFiles().source(named).open()) as stream:
        assert stream.read() == wanted


@pytest.mark.parametrize("path", [os.devnull, "null"])
def test_null_device_is_empty(work, path):
    (work / "null").symlink_to(os.devnull)
    assert LocalFiles().source(path).size == 0
