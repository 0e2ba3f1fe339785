"""Attach: push an artifact that refers to another one."""

from __future__ import annotations

from collections.abc import Sequence

from oras_core.copying.copy import CopyOptions, find_root
from oras_core.errors import InvalidManifestError
from oras_core.model import media_types
from oras_core.model.annotations import AnnotationSet
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import Target
from oras_core.ports.files import FileTree
from oras_core.verbs.push import Directory, File, push

__all__ = ["attach"]


def attach(
    target: Target,
    subject: str,
    contents: Sequence[File | Directory],
    *,
    artifact_type: str,
    scratch: FileTree,
    annotations: AnnotationSet | None = None,
    options: CopyOptions | None = None,
) -> Descriptor:
    """Push files and directories as an artifact that refers to another one.

    It gets no tag: it is found through its subject, as `discover` does.

    Args:
        target: where the subject is.
        subject: a tag or a digest there.
        contents: the layers, in order; there may be none where the annotations say it all.
        artifact_type: what is attached, a media type, by which it is found again.
        scratch: takes the archives of directories; the caller empties it.
        annotations: of manifest and config, and of layers by their title.
        options: how to copy. With a platform, the subject is the manifest in an index that
            is meant for it.

    Returns:
        The descriptor of the new manifest.

    Raises:
        NotFoundError: if there is no such subject.
        InvalidManifestError: if `artifact_type` is none.
        UnsupportedError: if the registry has no referrers API and its list cannot be kept.
        OrasError: as `push`.
    """
    if not media_types.is_media_type(artifact_type):
        # Before anything is asked for: without a type nobody could tell what it is.
        raise InvalidManifestError(
            f"{artifact_type!r} is not of the form type/subtype", location="artifactType"
        )
    return push(
        target,
        None,
        contents,
        scratch=scratch,
        artifact_type=artifact_type,
        annotations=annotations,
        subject=find_root(target, subject, options or CopyOptions()).plain(),
        options=options,
    )
