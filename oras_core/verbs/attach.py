"""Attach: push an artifact that refers to another one."""

from __future__ import annotations

from collections.abc import Sequence

from oras_core.content.roots import read_root
from oras_core.copying.options import CopyOptions
from oras_core.errors import InvalidManifestError
from oras_core.model import media_types
from oras_core.model.annotations import AnnotationSet
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import Target
from oras_core.ports.files import FileTree
from oras_core.verbs.push import Config, Directory, File, push

__all__ = ["attach"]


def attach(
    target: Target,
    subject: str,
    contents: Sequence[File | Directory],
    *,
    artifact_type: str,
    scratch: FileTree | None = None,
    config: Config | None = None,
    annotations: AnnotationSet | None = None,
    options: CopyOptions | None = None,
) -> Descriptor:
    """Push files and directories as an artifact whose subject is another manifest.

    The artifact gets no tag; `discover` finds it through its subject.

    Args:
        target: the target that holds the subject.
        subject: a tag or a digest in `target`.
        contents: the layers, in order; may be empty if annotations are enough.
        artifact_type: the type of the artifact, a media type.
        scratch: folder for the archives of directories; the caller empties it. Required
            if `contents` has a directory.
        config: the config; None for the empty config.
        annotations: annotations of the manifest, of the config, and of layers by title.
        options: how to copy. If they name a platform, the manifest of that platform in an
            index is the subject.

    Returns:
        The descriptor of the new manifest.

    Raises:
        NotFoundError: if `target` does not have the subject.
        InvalidManifestError: if `artifact_type` is not a media type.
        UnsupportedError: if the registry has no referrers API and the list of referrers
            cannot be updated.
        OrasError: as `push`.

    Example:
        >>> sbom = File("sbom.json", BytesSource(b"{}"))
        >>> root = attach(repository, "v2", [sbom], artifact_type="application/spdx+json")
        >>> len(discover(repository, "v2").referrers)
        1
    """
    if not media_types.is_media_type(artifact_type):
        # Checked before any request: the use of an artifact without a type is unknown.
        raise InvalidManifestError(
            f"{artifact_type!r} is not of the form type/subtype", location="artifactType"
        )
    options = options or CopyOptions()
    root = read_root(target, subject, platform=options.platform, limit=options.manifest_size)
    return push(
        target,
        None,
        contents,
        scratch=scratch,
        artifact_type=artifact_type,
        config=config,
        annotations=annotations,
        subject=root.plain(),
        options=options,
    )
