"""The paths that a program gives to push."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from oras_adapters.client.contents import contents_of
from oras_core.errors import NotFoundError


class FakeFiles:
    """Gives each source the path that it was asked for."""

    def source(self, path):
        return path


@pytest.fixture
def files(monkeypatch, tmp_path):
    """Paths of Windows are names without a folder here."""
    monkeypatch.chdir(tmp_path)
    for name in ("C:\\data\\x.json", "\\\\server\\share\\x.json"):
        (tmp_path / name).touch()
    return FakeFiles()


@pytest.mark.parametrize("path", ["C:\\data\\x.json", "\\\\server\\share\\x.json"])
def test_media_type_is_split_from_a_path_of_windows(files, path):
    for item, media_type in ((path, None), (f"{path}:application/json", "application/json")):
        [file] = contents_of(item, files)
        assert file.source == path
        if media_type:
            assert file.media_type == media_type


@pytest.mark.parametrize(
    "path", ["C:\\no\\x.json", "C:/no/x.json", "\\\\server\\no\\x.json", "model:v2"]
)
@pytest.mark.parametrize("suffix", ["", ":application/json"])
def test_missing_path_is_named_as_it_was_typed(files, path, suffix):
    with pytest.raises(NotFoundError) as caught:
        contents_of(path + suffix, files)
    assert repr(path) in str(caught.value)


def test_path_object_is_taken_whole(files):
    with pytest.raises(NotFoundError, match="'a:b/c'"):
        contents_of(PurePosixPath("a:b/c"), files)
