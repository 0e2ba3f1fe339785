"""What a client does with blobs."""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any

from oras import defaults
from oras.base import BaseClient
from oras.container import Container
from oras.decorator import ensure_container
from oras.failures import reporting
from oras.files import LocalFiles
from oras.hooks import UPLOAD_HOOKS, is_overridden
from oras.logger import logger
from oras.response import Response
from oras.types import container_type
from oras_adapters.local_files import LocalFileTree
from oras_core.content.sources import BytesSource
from oras_core.content.verify import copy_verified
from oras_core.errors import OrasError, RegistryError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.media_types import EMPTY_CONFIG
from oras_core.model.paths import sanitize_path
from oras_core.model.wire import from_wire
from oras_core.ports.content import ByteSource, ByteStream

__all__ = ["BlobMethods"]


class BlobMethods(BaseClient):
    """Mixed into `oras.provider.Registry`."""

    # --- Reading --------------------------------------------------------------------------

    @ensure_container
    def get_blob(
        self, container: container_type, digest: str, stream: bool = False, head: bool = False
    ) -> Response:
        """Return the answer to a request for a blob, whatever its status. Nothing is verified.

        Args:
            container: the repository.
            digest: of the blob.
            stream: read the body when it is asked for, not now.
            head: ask whether it is there only.
        """
        target = self.get_container(container)
        repository = self.connections.repository(target)
        url = repository.endpoints.blob(Digest.parse(digest))
        return self.do_request(url, "HEAD" if head else "GET", stream=stream)

    @ensure_container
    def download_blob(self, container: container_type, digest: str, outfile: str) -> str:
        """Write a blob to a file, verified, and return `outfile`.

        Folders on the way are made. The file appears under its name when it is whole;
        until then an older one stays. For `defaults.blank_hash`, the empty blob that some
        registries do not serve (R22), any failure gives the null device instead.

        Raises:
            ValueError: if there is no such blob.
            OrasError: whatever else goes wrong.
        """
        target = self.get_container(container)
        try:
            with reporting():
                self._download(target, Digest.parse(digest), outfile)
        except OrasError:
            if digest == defaults.blank_hash:
                return os.devnull
            raise
        return outfile

    def _download(self, container: Container, digest: Digest, outfile: str) -> None:
        repository = self.connections.repository(container)
        descriptor = repository.describe_blob(digest)
        folder, name = os.path.split(os.path.abspath(outfile))
        tree = LocalFileTree(folder, create=True)
        with (
            closing(repository.fetch(descriptor)) as stream,
            tree.create(sanitize_path(name)) as file,
        ):
            copy_verified(stream, descriptor, file.write)
            file.commit()

    def blob_exists(self, layer: dict[str, Any], container: Container) -> bool:
        """Tell whether the blob that a layer describes is in the repository."""
        target = self.get_container(container)
        with reporting():
            return self.connections.repository(target).exists(_descriptor(layer))

    # --- Writing --------------------------------------------------------------------------

    @ensure_container
    def upload_blob(
        self,
        blob: str | None,
        container: container_type,
        layer: dict[str, Any],
        do_chunked: bool = False,
        chunk_size: int = defaults.default_chunksize,
    ) -> Response:
        """Upload a file, unless the repository has it.

        Args:
            blob: the file; None or the null device for the empty config.
            container: the repository.
            layer: its descriptor, to which the file is held.
            do_chunked: send it in chunks.
            chunk_size: bytes of a chunk.

        Returns:
            An answer of status 201, or 200 if it was there.

        Raises:
            ContentError: if the file is not what `layer` says.
            OrasError: if the registry refuses.
        """
        target = self.get_container(container)
        if not is_overridden(self, *UPLOAD_HOOKS):
            return self._upload(blob, target, layer, chunk_size if do_chunked else None)
        if self.blob_exists(layer, target):
            return Response.of(200)
        if do_chunked:
            return self.chunked_upload(blob, target, layer, chunk_size=chunk_size)
        return self.put_upload(blob, target, layer)

    def put_upload(
        self, blob: str | None, container: container_type, layer: dict[str, Any]
    ) -> Response:
        """Upload a file whole; see `upload_blob`."""
        return self._upload(blob, self.get_container(container), layer, None)

    def chunked_upload(
        self,
        blob: str | None,
        container: container_type,
        layer: dict[str, Any],
        chunk_size: int = defaults.default_chunksize,
    ) -> Response:
        """Upload a file in chunks; see `upload_blob`."""
        return self._upload(blob, self.get_container(container), layer, chunk_size)

    def _upload(
        self, blob: str | None, container: Container, layer: dict[str, Any], chunk_size: int | None
    ) -> Response:
        descriptor = _descriptor(layer)
        source = _Noticed(_source(blob, descriptor))
        repository = self.connections.repository(container)
        try:
            with reporting():
                repository.push(descriptor, source, chunk_size=chunk_size)
        except RegistryError as error:
            if str(descriptor.digest) != defaults.blank_hash:
                raise
            # R22: such a registry takes a manifest that refers to the empty blob all the same.
            logger.warning(f"{container.registry} does not take an empty blob: {error}")
            return Response.of(200)
        return Response.of(
            201 if source.opened else 200,
            {"Docker-Content-Digest": str(descriptor.digest)},
            url=repository.endpoints.blob(descriptor.digest),
        )


class _Noticed:
    """A source that knows whether it was needed."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.opened = False

    @property
    def size(self) -> int | None:
        return self._source.size

    def open(self) -> ByteStream:
        self.opened = True
        return self._source.open()


def _source(blob: str | None, descriptor: Descriptor) -> ByteSource:
    if blob is None:
        return BytesSource(EMPTY_CONFIG if descriptor.size else b"")
    if not os.path.exists(blob):
        raise FileNotFoundError(f"{blob} does not exist.")
    return LocalFiles().source(blob)


def _descriptor(layer: dict[str, Any]) -> Descriptor:
    described = {name: layer[name] for name in ("mediaType", "digest", "size") if name in layer}
    parsed: Descriptor = from_wire(described, Descriptor, location="layer")
    return parsed
