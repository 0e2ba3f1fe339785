"""What a client does with blobs."""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any

from oras import defaults
from oras._client.base import BaseClient
from oras._client.failures import reporting
from oras._client.response import Response
from oras.container import Container
from oras.decorator import ensure_container
from oras.types import container_type
from oras_adapters.files.local_files import LocalFileTree
from oras_core.cancellation import CancelToken, current_token
from oras_core.content.verify import copy_verified
from oras_core.errors import OrasError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.paths import sanitize_path
from oras_core.model.wire import from_wire

__all__ = ["BlobMethods", "described"]


class BlobMethods(BaseClient):
    """Mixed into `oras.provider.Registry`."""

    @ensure_container
    def get_blob(
        self, container: container_type, digest: str, stream: bool = False, head: bool = False
    ) -> Response:
        r"""Return the answer to a request for a blob, whatever its status. Nothing is verified.

        Args:
            container: the repository.
            digest: of the blob.
            stream: read the body when it is asked for, not now.
            head: ask whether it is there only.

        Returns:
            The answer; its body is `content`, or is read by `iter_content`.

        Raises:
            InvalidDigestError: also a ValueError; for what is no digest.
            TransportError: where there is no answer.

        Example:
            >>> layer = client.get_manifest("dinosaur/artifact:v1")["layers"][0]
            >>> client.get_blob("dinosaur/artifact:v1", layer["digest"]).content
            b'hello dinosaur\n'
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

        Args:
            container: the repository.
            digest: of the blob.
            outfile: the file to write.

        Returns:
            `outfile`.

        Raises:
            ValueError: if there is no such blob.
            OrasError: whatever else goes wrong.

        Example:
            >>> layer = client.get_manifest("dinosaur/artifact:v1")["layers"][0]
            >>> client.download_blob("dinosaur/artifact:v1", layer["digest"], "copies/artifact.txt")
            'copies/artifact.txt'
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
            # Of its own, so that an interrupt cuts what a thread reads ahead of the writing.
            closing(CancelToken(current_token())) as token,
            token.scope(),
            closing(repository.fetch(descriptor)) as stream,
            tree.create(sanitize_path(name)) as file,
        ):
            copy_verified(stream, descriptor, file.write)
            file.commit()

    def blob_exists(self, layer: dict[str, Any], container: Container) -> bool:
        """Tell whether the blob that a layer describes is in the repository.

        Args:
            layer: the blob's descriptor.
            container: the repository.

        Returns:
            Whether it is; also False where the registry forbids to look (R8).

        Raises:
            OrasError: if the registry gives no such answer.

        Example:
            >>> layer = oras.oci.NewLayer("artifact.txt")
            >>> client.blob_exists(layer, client.get_container("dinosaur/artifact"))
            True
        """
        target = self.get_container(container)
        with reporting():
            return self.connections.repository(target).exists(described(layer))


def described(layer: dict[str, Any]) -> Descriptor:
    """Return the descriptor that a layer's dictionary is.

    Raises:
        InvalidManifestError: also a ValueError; if a member is missing or of a wrong type.
    """
    described = {name: layer[name] for name in ("mediaType", "digest", "size") if name in layer}
    parsed: Descriptor = from_wire(described, Descriptor, location="layer")
    return parsed
