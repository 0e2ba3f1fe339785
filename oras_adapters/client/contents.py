"""The conversion of the paths to push to the core's files and directories."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from oras_adapters.files.local_sources import LocalFiles, utf8_name
from oras_adapters.files.system_errors import SystemErrors
from oras_core.errors import InvalidInputError, NotFoundError
from oras_core.model import media_types
from oras_core.model.annotations import MANIFEST_SECTION, AnnotationSet
from oras_core.verbs.push import Config, Directory, File

__all__ = ["ConfigFile", "Files", "annotation_set", "config_of", "contents_of"]

Item = str | os.PathLike[str] | File | Directory

Files = Item | Iterable[Item] | Mapping[str, str | os.PathLike[str]]
"""One or several paths, each with an optional media type, or `File` and `Directory` values of the
core. Or paths by title."""

ConfigFile = str | os.PathLike[str] | Config
"""`PATH`, `PATH:MEDIA/TYPE`, or the core's config."""


def contents_of(files: Files, local: LocalFiles) -> list[File | Directory]:
    """Return the files and directories that a program names.

    A relative path below the working directory is the title of its layer: `docs/card.md`
    is pulled as `docs/card.md`. The title of any other path is its last component.

    Raises:
        InvalidInputError: if an item is neither a path, nor a file or directory of the core.
        NotFoundError: if a path does not exist.
    """
    if isinstance(files, Mapping):
        return [_content(local, *_split(path), str(title)) for title, path in files.items()]
    if isinstance(files, str | os.PathLike | File | Directory):
        files = (files,)
    elif not isinstance(files, Iterable):
        raise InvalidInputError(files, "expected a path, several paths, or paths by title")
    return [
        item if isinstance(item, File | Directory) else _content(local, *_split(item))
        for item in files
    ]


def config_of(config: ConfigFile | None, local: LocalFiles) -> Config | None:
    """Return the config that a program names.

    Raises:
        NotFoundError: if its path does not exist.
    """
    if config is None or isinstance(config, Config):
        return config
    path, media_type = _split(config)
    source = local.source(_existing(path))
    return Config(source, media_type or media_types.UNKNOWN_CONFIG)


def annotation_set(
    annotations: Mapping[str, str] | AnnotationSet | None,
) -> AnnotationSet | None:
    """Return annotations as a set; a mapping holds those of the manifest."""
    if annotations is None or isinstance(annotations, AnnotationSet):
        return annotations
    return AnnotationSet({MANIFEST_SECTION: annotations})


def _content(
    local: LocalFiles, path: str, media_type: str | None, title: str | None = None
) -> File | Directory:
    title = _title(path) if title is None else title
    if os.path.isdir(_existing(path)):
        return Directory(title, local.tree(path), media_type)
    return File(title, local.source(path), media_type or media_types.OCI_LAYER_TAR)


def _split(item: str | os.PathLike[str]) -> tuple[str, str | None]:
    """Split `PATH[:MEDIA/TYPE]`. A path object, and a path that exists, is taken whole."""
    if not isinstance(item, str | os.PathLike):
        raise InvalidInputError(item, "expected a path, a File or a Directory")
    text = os.fspath(item)
    path, colon, media_type = text.rpartition(":")
    if not colon or not isinstance(item, str) or os.path.lexists(text):
        return text, None
    is_media_type = "/" in media_type and not (media_type.startswith("/") or "\\" in media_type)
    if not is_media_type and not os.path.lexists(path):
        return text, None  # a missing `model:v2`, or a drive letter: named as it was typed
    return path, media_type


def _existing(path: str) -> str:
    with SystemErrors("look at", path):
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            where = f"folder {os.getcwd()!r}"
            raise NotFoundError(f"file or folder {path!r}", where) from error
    return path


def _title(path: str) -> str:
    relative = os.path.normpath(path)
    outside = os.path.isabs(relative) or relative.split(os.sep)[0] in (os.curdir, os.pardir)
    title = os.path.basename(os.path.abspath(path)) if outside else relative
    return utf8_name(title).replace(os.sep, "/")
