"""Deprecated names: those of oras-py before version 0.1.11, and before version 0.2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oras._client.manifests import ManifestMethods
from oras._client.uploads import UploadMethods
from oras.logger import logger
from oras.types import container_type

if TYPE_CHECKING:
    from oras._client.response import Response

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

    # Names of oras-py 0.1, which had no backends.

    def set_basic_auth(self, username: str, password: str) -> None:
        """Use a user name and a password; an earlier name of `auth.set_basic_auth`."""
        self.auth.set_basic_auth(username, password)

    def authenticate_request(self, original: Any) -> bool:
        """Set the `Authorization` header that answers a 401; return whether there is one."""
        headers, changed = self.auth.authenticate_request(original, self.headers)
        if changed:
            self.headers = headers
        return bool(changed)

    def reset_basic_auth(self) -> None:
        """Remove the `Authorization` header that `authenticate_request` has set."""
        self.headers.pop("Authorization", None)


def _warn(name: str) -> None:
    logger.warning(f"_{name} is deprecated; call {name}")
