"""Delete blobs, manifests and tags; many registries refuse some or all of it (R34)."""

from __future__ import annotations

from typing import Final

from oras_core.errors import InvalidReferenceError, RegistryError, UnsupportedError
from oras_core.model.digest import Digest
from oras_core.ports.http import HttpRequest, HttpTransport
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.responses import exchange, raise_for_status

__all__ = ["delete_blob", "delete_manifest", "delete_tag"]

_DELETED: Final = (202, 200, 204)


def delete_blob(transport: HttpTransport, endpoints: RepositoryEndpoints, digest: Digest) -> None:
    """Delete a blob.

    Raises:
        NotFoundError: if the repository does not have it.
        UnsupportedError: if the registry deletes no blobs.
    """
    operation = f"delete blob {digest} from {endpoints.name}"
    _delete(transport, endpoints.blob(digest), operation)


def delete_manifest(
    transport: HttpTransport, endpoints: RepositoryEndpoints, digest: Digest
) -> None:
    """Delete a manifest and every tag of it.

    Raises:
        NotFoundError: if the repository does not have it.
        UnsupportedError: if the registry deletes no manifests.
    """
    operation = f"delete manifest {digest} from {endpoints.name}"
    _delete(transport, endpoints.manifest(digest), operation)


def delete_tag(transport: HttpTransport, endpoints: RepositoryEndpoints, tag: str) -> None:
    """Delete a tag, and never its manifest, which may have other tags (R34).

    Raises:
        NotFoundError: if there is no such tag.
        UnsupportedError: if the registry deletes by digest only.
        InvalidReferenceError: if `tag` is not a tag.
    """
    if ":" in tag:
        raise InvalidReferenceError(tag, "expected a tag, not a digest")
    operation = f"delete tag {tag} from {endpoints.name}"
    try:
        _delete(transport, endpoints.manifest(tag), operation)
    except RegistryError as error:
        # Distribution parses the tag as a digest and finds it malformed.
        if error.status not in (400, 422):
            raise
        reason = "the registry deletes manifests by digest only, with all their tags"
        raise UnsupportedError(operation, reason) from error


def _delete(transport: HttpTransport, url: str, operation: str) -> None:
    request = HttpRequest("DELETE", url)
    try:
        with exchange(transport, request, operation, expected=(*_DELETED, 404)) as response:
            # After a broken connection or a 502, the first attempt may have succeeded.
            if not (response.repeated and response.status == 404):
                raise_for_status(request, response, operation, expected=_DELETED)
    except RegistryError as error:
        if error.status in (405, 501) or "UNSUPPORTED" in error.codes:
            raise UnsupportedError(operation, "the registry does not allow it") from error
        raise
