"""`PushRequest`: the arguments of `push`, converted for the core."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import field, frozen

from oras import defaults
from oras.logger import logger
from oras.oci import Annotations
from oras.utils.paths import PathAndOptionalContent, split_path_and_content
from oras_adapters.files.local_sources import LocalFiles, utf8_name
from oras_adapters.settings.settings import source_date_epoch
from oras_core.content.sources import BytesSource
from oras_core.model.annotations import CONFIG_SECTION, MANIFEST_SECTION, AnnotationSet
from oras_core.model.descriptor import Descriptor
from oras_core.model.media_types import ANNOTATION_TITLE, EMPTY_CONFIG
from oras_core.packing.manifest import created_at
from oras_core.verbs.push import Config, Directory, File

__all__ = ["PushRequest"]


@frozen
class PushRequest:
    """The arguments of a push, in the core's types.

    Attributes:
        contents: the files and directories.
        paths: the path of each of them.
        config: the config.
        config_path: the path of the config. None for the empty config.
        annotations: the annotations of the manifest and the config.
        subject: the manifest to attach the artifact to.
        chunk_size: bytes per chunk. None to follow the registry's profile.
        artifact_type: the artifact type, a media type.
        further_tags: additional tags to create.
    """

    contents: tuple[File | Directory, ...]
    paths: tuple[str, ...]
    config: Config
    config_path: str | None
    annotations: AnnotationSet = field(factory=AnnotationSet)
    subject: Descriptor | None = None
    chunk_size: int | None = None
    artifact_type: str | None = None
    further_tags: tuple[str, ...] = ()

    @property
    def chunking(self) -> dict[str, Any]:
        """The arguments of `upload_blob` for a chunked upload."""
        size = self.chunk_size or defaults.default_chunksize
        return {"do_chunked": self.chunk_size is not None, "chunk_size": size}

    @classmethod
    def of(
        cls,
        files: Iterable[object] | str | os.PathLike[str] | None,
        *,
        is_allowed: Callable[[str], bool] | None,
        manifest_config: str | None,
        annotation_file: str | None,
        manifest_annotations: Mapping[str, str] | None,
        subject: Descriptor | None,
        chunk_size: int | None,
        artifact_type: str | None = None,
        further_tags: Iterable[str] | str = (),
        local: LocalFiles,
    ) -> PushRequest:
        """Convert the arguments of `push`. `is_allowed` accepts files; None accepts all files.

        Raises:
            FileNotFoundError: if a file, the config or the annotation file does not exist.
            ValueError: if a file is not allowed.
        """
        given = Annotations(annotation_file)
        named = _names(files)
        parsed = [split_path_and_content(name) for name in named]
        for name, part in zip(named, parsed, strict=True):
            _check(name, part, is_allowed)
        for name in given.unused_sections(part.path for part in parsed):
            logger.warning(f"Annotations of {name!r} are not used: no pushed file has this path.")
        config, config_path = _config(manifest_config, local)
        manifest = {
            **_created(),
            **given.get_annotations(MANIFEST_SECTION),
            **(manifest_annotations or {}),
        }
        return cls(
            tuple(_content(part.path, part.content, given, local) for part in parsed),
            tuple(part.path for part in parsed),
            config,
            config_path,
            AnnotationSet(
                {
                    MANIFEST_SECTION: manifest,
                    CONFIG_SECTION: given.get_annotations(CONFIG_SECTION),
                }
            ),
            subject,
            chunk_size,
            artifact_type,
            (further_tags,) if isinstance(further_tags, str) else tuple(further_tags),
        )


def _created() -> Mapping[str, str]:
    """Return the creation time from SOURCE_DATE_EPOCH, if it is set. No clock is read."""
    seconds = source_date_epoch()
    return {} if seconds is None else created_at(seconds)


def _names(files: Iterable[object] | str | os.PathLike[str] | None) -> list[str]:
    """Return the paths of the argument `files`; one path needs no list."""
    if files is None:
        return []
    if isinstance(files, str | os.PathLike):
        return [os.fspath(files)]
    try:
        return [str(item) for item in files]
    except TypeError as error:
        raise TypeError(f"files must be a list of paths, not {type(files).__name__}") from error


def _check(
    name: str, part: PathAndOptionalContent, is_allowed: Callable[[str], bool] | None
) -> None:
    path = part.path
    if not os.path.exists(path):
        # A text without a slash is hardly a media type: show the name as the caller typed it.
        is_split = "/" in (part.content or "/")
        raise FileNotFoundError(f"{path if is_split else name} does not exist.")
    if is_allowed is not None and not is_allowed(path):
        raise ValueError(
            f"Blob {path} is not in the present working directory context. "
            "Change to its directory, or pass disable_path_validation=True."
        )


def _content(
    path: str, media_type: str | None, given: Annotations, local: LocalFiles
) -> File | Directory:
    annotations = given.get_annotations(path)
    title = annotations.pop(ANNOTATION_TITLE, utf8_name(os.path.basename(os.path.abspath(path))))
    if os.path.isdir(path):
        return Directory(
            title,
            local.tree(path),
            media_type,
            annotations,
        )
    return File(
        title, local.source(path), media_type or defaults.default_blob_media_type, annotations
    )


def _config(reference: str | None, local: LocalFiles) -> tuple[Config, str | None]:
    if not reference:
        source = BytesSource(EMPTY_CONFIG)
        return Config(source, defaults.unknown_config_media_type), None
    part = split_path_and_content(reference)
    if not os.path.exists(part.path):
        raise FileNotFoundError(f"{part.path} does not exist.")
    media_type = part.content or defaults.unknown_config_media_type
    return Config(local.source(part.path), media_type), part.path
