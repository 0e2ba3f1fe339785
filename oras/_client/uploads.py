"""The client's methods for uploads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import oras_core
from oras import _client, defaults
from oras._client.blobs import BlobMethods, described
from oras._client.failures import reporting
from oras._client.hooks import UPLOAD_HOOKS, is_overridden
from oras.container import Container
from oras.decorator import parsing_target
from oras.logger import logger
from oras.types import container_type
from oras_core.errors import RegistryError
from oras_core.model.media_types import EMPTY_CONFIG

if TYPE_CHECKING:
    from oras._client.response import Response
    from oras_core.model.descriptor import Descriptor
    from oras_core.ports.content import ByteSource

__all__ = ["UploadMethods"]


class UploadMethods(BlobMethods):
    """Mixed into `oras.provider.Registry`."""

    @parsing_target
    def upload_blob(
        self,
        blob: str | None,
        container: container_type,
        layer: dict[str, Any],
        do_chunked: bool = False,
        chunk_size: int = defaults.default_chunksize,
    ) -> Response:
        """Upload a file unless the repository already has it.

        Args:
            blob: the file. None or the null device for the empty config.
            container: the repository.
            layer: the descriptor of the file. The upload is verified against it.
            do_chunked: upload in chunks.
            chunk_size: bytes per chunk.

        Returns:
            A response with status 201, or 200 if the blob was already present.

        Raises:
            ContentError: if the file does not match `layer`.
            OrasError: if the registry rejects the upload.

        Example:
            >>> layer = oras.oci.NewLayer("artifact.txt", "text/plain")
            >>> client.upload_blob("artifact.txt", "dinosaur/other", layer)
            <Response [201]>
        """
        target = self.get_container(container)
        if not is_overridden(self, *UPLOAD_HOOKS):
            return self._upload(blob, target, layer, chunk_size if do_chunked else None)
        if self.blob_exists(layer, target):
            return _client.Response.of(200)
        if do_chunked:
            return self.chunked_upload(blob, target, layer, chunk_size=chunk_size)
        return self.put_upload(blob, target, layer)

    def put_upload(
        self, blob: str | None, container: container_type, layer: dict[str, Any]
    ) -> Response:
        """Upload a file in one request; see `upload_blob`.

        Args:
            blob: the file. None or the null device for the empty config.
            container: the repository.
            layer: the descriptor of the file. The upload is verified against it.

        Returns:
            A response with status 201, or 200 if the blob was already present.

        Raises:
            ContentError: if the file does not match `layer`.
            OrasError: if the registry rejects the upload.

        Example:
            >>> layer = oras.oci.NewLayer("artifact.txt", "text/plain")
            >>> client.put_upload("artifact.txt", client.get_container("dinosaur/other"), layer)
            <Response [201]>
        """
        return self._upload(blob, self.get_container(container), layer, None)

    def chunked_upload(
        self,
        blob: str | None,
        container: container_type,
        layer: dict[str, Any],
        chunk_size: int = defaults.default_chunksize,
    ) -> Response:
        """Upload a file in chunks; see `upload_blob`.

        Args:
            blob: the file. None or the null device for the empty config.
            container: the repository.
            layer: the descriptor of the file. The upload is verified against it.
            chunk_size: bytes per chunk.

        Returns:
            A response with status 201, or 200 if the blob was already present.

        Raises:
            ContentError: if the file does not match `layer`.
            OrasError: if the registry rejects the upload.

        Example:
            >>> layer = oras.oci.NewLayer("artifact.txt", "text/plain")
            >>> container = client.get_container("dinosaur/other")
            >>> client.chunked_upload("artifact.txt", container, layer, chunk_size=4)
            <Response [201]>
        """
        return self._upload(blob, self.get_container(container), layer, chunk_size)

    def _upload(
        self, blob: str | None, container: Container, layer: dict[str, Any], chunk_size: int | None
    ) -> Response:
        from oras_core.copying.tracing import traced  # noqa: PLC0415 - not all upload files
        from oras_core.ports import ProgressListener  # noqa: PLC0415 - as above

        descriptor = described(layer)
        token = oras_core.current_token()
        source = traced(_source(blob, descriptor), descriptor, ProgressListener(), token)
        repository = self.connections.repository(container)
        try:
            with reporting():
                repository.push(descriptor, source, chunk_size=chunk_size)
        except RegistryError as error:
            if str(descriptor.digest) != defaults.blank_hash:
                raise
            # R22: such a registry still accepts a manifest that refers to the empty blob.
            logger.warning(f"{container.registry} does not accept an empty blob: {error}")
            return _client.Response.of(200)
        url = repository.endpoints.blob(descriptor.digest)
        status = 201 if source.opened else 200
        return _client.Response.stored(url, descriptor.digest, status=status)


_EMPTY_CONFIGS: Final = {defaults.blank_hash: b"", defaults.blank_config_hash: EMPTY_CONFIG}


def _source(blob: str | None, descriptor: Descriptor) -> ByteSource:
    if blob is not None and not os.path.exists(blob):
        raise FileNotFoundError(f"{blob} does not exist.")
    empty = _EMPTY_CONFIGS.get(str(descriptor.digest))
    # The descriptor of an empty config goes with None, the null device or a file with `{}`:
    # programs combine them in any way.
    if empty is not None and _is_empty_config(blob):
        return oras_core.BytesSource(empty)
    if blob is None:
        return oras_core.BytesSource(b"")
    from oras_adapters.files.local_sources import LocalFiles  # noqa: PLC0415 - as above

    return LocalFiles().source(blob)


def _is_empty_config(blob: str | None) -> bool:
    if blob is None or os.path.realpath(blob) == os.devnull:
        return True
    if not os.path.isfile(blob) or os.path.getsize(blob) > len(EMPTY_CONFIG):
        return False
    with open(blob, "rb") as file:
        return file.read() in _EMPTY_CONFIGS.values()
