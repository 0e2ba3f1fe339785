"""The client's methods for blobs."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import oras_adapters
import oras_core
from oras import defaults
from oras._client.base import BaseClient
from oras._client.failures import reporting
from oras.container import Container
from oras.decorator import parsing_target
from oras.types import container_type
from oras_core.cancellation import CancelToken, current_token
from oras_core.errors import OrasError
from oras_core.model.digest import Digest

if TYPE_CHECKING:
    from oras._client.response import Response
    from oras_core.model.descriptor import Descriptor

__all__ = ["BlobMethods", "described"]


class BlobMethods(BaseClient):
    """Mixed into `oras.provider.Registry`."""

    @parsing_target
    def get_blob(
        self, container: container_type, digest: str, stream: bool = False, head: bool = False
    ) -> Response:
        r"""Request a blob and return the response, whatever its status. Nothing is verified.

        Args:
            container: the repository.
            digest: the digest of the blob.
            stream: do not read the body until it is accessed.
            head: send a HEAD request, which returns no body.

        Returns:
            The response. Read its body with `content` or `iter_content`.

        Raises:
            InvalidDigestError: also a ValueError; if `digest` is malformed.
            TransportError: if there is no response.

        Example:
            >>> layer = client.get_manifest("dinosaur/artifact:v1")["layers"][0]
            >>> client.get_blob("dinosaur/artifact:v1", layer["digest"]).content
            b'hello dinosaur\n'
        """
        target = self.get_container(container)
        repository = self.connections.repository(target)
        url = repository.endpoints.blob(Digest.parse(digest))
        return self.do_request(url, "HEAD" if head else "GET", stream=stream)

    @parsing_target
    def download_blob(self, container: container_type, digest: str, outfile: str) -> str:
        """Download a blob, verify it, and write it to a file.

        Missing folders are created. The file replaces an older one only when it is complete
        and verified. Some registries do not serve the empty blob (R22): if the download of
        `defaults.blank_hash` fails, the null device is returned instead.

        Args:
            container: the repository.
            digest: the digest of the blob.
            outfile: the file to write.

        Returns:
            `outfile`.

        Raises:
            ValueError: if the blob does not exist.
            OrasError: if anything else fails.

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
        from oras_core.content.verify import copy_verified  # noqa: PLC0415 - few clients need it

        repository = self.connections.repository(container)
        descriptor = repository.describe_blob(digest)
        folder, name = os.path.split(os.path.abspath(outfile))
        tree = oras_adapters.LocalFileTree(folder, create=True)
        with (
            # A separate token, so that an interrupt also stops the read-ahead thread.
            closing(CancelToken(current_token())) as token,
            token.scope(),
            closing(repository.fetch_unverified(descriptor)) as stream,
            tree.create(oras_core.sanitize_path(name)) as file,
        ):
            copy_verified(stream, descriptor, file.write)
            file.commit()

    def blob_exists(self, layer: dict[str, Any], container: Container) -> bool:
        """Return whether the blob described by a layer is in the repository.

        Args:
            layer: the descriptor of the blob.
            container: the repository.

        Returns:
            True if the blob exists. False also if the registry denies access (R8).

        Raises:
            OrasError: if the registry gives any other response.

        Example:
            >>> layer = oras.oci.NewLayer("artifact.txt")
            >>> client.blob_exists(layer, client.get_container("dinosaur/artifact"))
            True
        """
        target = self.get_container(container)
        with reporting():
            return self.connections.repository(target).exists(described(layer))


def described(layer: dict[str, Any]) -> Descriptor:
    """Convert the dictionary of a layer to a `Descriptor`.

    Raises:
        InvalidManifestError: also a ValueError; if a member is missing or has a wrong type.
    """
    from oras_core.model.descriptor import Descriptor  # noqa: PLC0415 - likewise
    from oras_core.model.wire import from_wire  # noqa: PLC0415 - few programs pass dictionaries

    described = {name: layer[name] for name in ("mediaType", "digest", "size") if name in layer}
    parsed: Descriptor = from_wire(described, Descriptor, location="layer")
    return parsed
