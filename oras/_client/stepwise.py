"""`push` and `pull` step by step, through the methods that a client overrides.

The methods are called in oras-py's order and with its arguments. Their results are passed
to the client's `_check_200_response` and are not inspected otherwise.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import copy
from typing import TYPE_CHECKING, Any

from oras import defaults
from oras._client.files import temporary_empty_config as empty_config
from oras._client.selection import Selection, holds_a_directory, title_of
from oras.oci import NewLayer, NewManifest
from oras.utils import get_tmpfile, make_targz, sanitize_path
from oras.utils.archives import unpack_into
from oras_core.model.descriptor import Descriptor
from oras_core.model.media_types import ANNOTATION_TITLE, ANNOTATION_UNPACK
from oras_core.model.wire import from_wire, to_wire
from oras_core.verbs.pull import find_manifest
from oras_core.verbs.push import Directory, File, check_titles

if TYPE_CHECKING:
    from oras._client.protocol import RegistryClient
    from oras._client.push_request import PushRequest
    from oras.container import Container
    from oras_core.model.platform import Platform

__all__ = ["pull_stepwise", "push_stepwise"]


def push_stepwise(client: RegistryClient, container: Container, request: PushRequest) -> Any:
    """Push through the client's `upload_blob` and `upload_manifest`.

    Returns:
        The result of `upload_manifest`, unchecked.

    Raises: as `oras_core.verbs.push.check_titles`, before the first upload, and as the
        client's methods.
    """
    check_titles(request.contents)
    chunking = request.chunking
    manifest = NewManifest()
    for content, path in zip(request.contents, request.paths, strict=True):
        with _as_file(content, path) as blob:
            layer = _layer(content, blob)
            manifest["layers"].append(layer)
            client._check_200_response(client.upload_blob(blob, container, layer, **chunking))
    if request.annotations.manifest:
        manifest["annotations"] = dict(request.annotations.manifest)
    if request.subject is not None:
        manifest["subject"] = to_wire(request.subject)
    if request.artifact_type is not None:
        manifest["artifactType"] = request.artifact_type
    # oras-py passes no chunking arguments for the config. An override may depend on that.
    config_file = nullcontext(request.config_path) if request.config_path else empty_config()
    with config_file as config_path:
        config = NewLayer(config_path, request.config.media_type)
        if request.annotations.config:
            config["annotations"] = dict(request.annotations.config)
        manifest["config"] = config
        client._check_200_response(client.upload_blob(config_path, container, config))
    response = client.upload_manifest(manifest, container)
    for tag in request.further_tags:
        client._check_200_response(response)
        response = client.upload_manifest(manifest, _renamed(container, tag=tag))
    return response


def _renamed(
    container: Container, *, tag: str | None = None, digest: str | None = None
) -> Container:
    """Return the container with another tag or digest."""
    other = copy(container)
    other.tag, other.digest = tag or container.tag, digest
    return other


def _layer(content: File | Directory, blob: str) -> dict[str, Any]:
    is_directory = isinstance(content, Directory)
    # `make_targz` always compresses with gzip, whatever the settings say.
    media_type = content.media_type or defaults.default_blob_dir_media_type
    layer = NewLayer(blob, media_type, is_dir=is_directory)
    layer["annotations"] = {
        **content.annotations,
        **({ANNOTATION_UNPACK: "true"} if is_directory else {}),
        ANNOTATION_TITLE: content.title,
    }
    return layer


@contextmanager
def _as_file(content: File | Directory, path: str) -> Iterator[str]:
    """Yield the path of a file, or that of a temporary archive of a directory."""
    if isinstance(content, File):
        yield path
        return
    archive = make_targz(path)
    try:
        yield archive
    finally:
        shutil.rmtree(os.path.dirname(archive))


def _manifest(
    client: RegistryClient,
    container: Container,
    allowed_media_type: list[str] | None,
    platform: Platform | None,
) -> dict[str, Any]:
    manifest: dict[str, Any] = client.get_manifest(container, allowed_media_type)
    if "manifests" not in manifest:
        return manifest
    # For an index oras-py silently pulls nothing, because an index has no layers.
    repository = client.connections.repository(container)
    reference = container.digest or container.tag
    chosen = find_manifest(repository, reference, platform=platform)
    named = _renamed(container, digest=str(chosen.digest))
    followed: dict[str, Any] = client.get_manifest(named, allowed_media_type)
    return followed


def pull_stepwise(
    client: RegistryClient,
    container: Container,
    root: str,
    selection: Selection,
    allowed_media_type: list[str] | None,
    platform: Platform | None,
) -> list[str]:
    """Pull through the client's `get_manifest` and `download_blob`.

    Returns:
        The absolute paths, in the manifest's order.
    """
    paths = []
    manifest = _manifest(client, container, allowed_media_type, platform)
    for number, member in enumerate(manifest.get("layers", [])):
        layer = from_wire(member, Descriptor, location=f"layers[{number}]")
        if layer.is_empty and not layer.title:
            continue
        path = sanitize_path(root, os.path.join(root, title_of(layer)))
        if not selection.includes(layer):
            continue
        if not holds_a_directory(layer):
            client.download_blob(container, member["digest"], path)
            paths.append(path)
            continue
        archive = get_tmpfile(suffix=".tar.gz")
        # The members of an archive with the title `.` have no folder in common.
        folder = root if path == root else os.path.dirname(path)
        try:
            client.download_blob(container, member["digest"], archive)
            members = [os.path.join(folder, name) for name in unpack_into(archive, folder)]
        finally:
            shutil.rmtree(os.path.dirname(archive))
        paths.extend([path] if os.path.exists(path) else members)
    return paths
