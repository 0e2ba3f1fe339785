"""Deprecated names: oras-py's methods had them before version 0.1.11."""

from __future__ import annotations

from typing import Any

from oras._client.manifests import ManifestMethods
from oras._client.response import Response
from oras._client.uploads import UploadMethods
from oras.logger import logger
from oras.types import container_type

__all__ = ["EarlierNames"]


class EarlierNames(UploadMethods, ManifestMethods):
    """Mixed into `oras.provider.Registry`: each method warns and calls its current name."""

    def _download_blob(self, container: container_type, digest: str, outfile: str) -> str:
        _warn("download_blob")
        return self.download_blob(container, digest, outfile)

    def _put_upload(
        self, blob: str | None, container: container_type, layer: dict[str, Any]
    ) -> Response:
        _warn("put_upload")
        return self.put_upload(blob, container, layer)

    def _chunked_upload(
        self, blob: str | None, container: container_type, layer: dict[str, Any]
    ) -> Response:
        _warn("chunked_upload")
        return self.chunked_upload(blob, container, layer)

    def _upload_manifest(self, manifest: dict[str, Any], container: container_type) -> Response:
        _warn("upload_manifest")
        return self.upload_manifest(manifest, container)

    def _upload_blob(
        self,
        blob: str | None,
        container: container_type,
        layer: dict[str, Any],
        do_chunked: bool = False,
    ) -> Response:
        _warn("upload_blob")
        return self.upload_blob(blob, container, layer, do_chunked)


def _warn(name: str) -> None:
    logger.warning(f"_{name} is deprecated; call {name}")
