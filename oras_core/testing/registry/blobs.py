"""The blobs of an embedded registry: reads and deletion."""

from __future__ import annotations

import re

from oras_core.errors import NotFoundError
from oras_core.model.digest import Digest
from oras_core.ports.content import ByteStream
from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.testing.registry.routes import CHUNK, ApiError, Call, answer, digest_of
from oras_core.testing.registry.storage import EmbeddedStorage

__all__ = ["EmbeddedBlobs"]


class EmbeddedBlobs:
    """Serves blobs, whole or by range."""

    def __init__(self, storage: EmbeddedStorage) -> None:
        """Serve the blobs of `storage`."""
        self._storage = storage

    def delete(self, call: Call) -> HttpResponse:
        """DELETE: remove a blob from one repository (end-10)."""
        digest, _ = self._found(call)
        if self._storage.repository(call.repository).manifest(digest) is not None:
            raise ApiError(405, "UNSUPPORTED", f"{digest} is a manifest: delete it as one")
        self._storage.remove_blob(call.repository, digest)
        return answer(202)

    def get(self, call: Call) -> HttpResponse:
        """GET and HEAD (end-2)."""
        digest, size = self._found(call)
        headers = {
            "Content-Type": "application/octet-stream",
            "Docker-Content-Digest": str(digest),
            "ETag": f'"{digest}"',
            "Accept-Ranges": "bytes",
        }
        part = _requested_range(call.request, headers["ETag"], size)
        stream = self._opened(call, digest)
        if part is None:
            return answer(200, headers, stream, size=size)
        if not part:
            stream.close()
            whole = {"Content-Range": f"bytes */{size}"}
            raise ApiError(416, "SIZE_INVALID", f"the blob has {size} bytes", whole)
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
        return answer(206, headers, _Part(stream, part), size=len(part))

    def _opened(self, call: Call, digest: Digest) -> ByteStream:
        try:
            return self._storage.open_blob(call.repository, digest)
        except NotFoundError:  # removed meanwhile
            raise _unknown(call, digest) from None

    def _found(self, call: Call) -> tuple[Digest, int]:
        digest = digest_of(call.item)
        size = self._storage.blob_size(call.repository, digest)
        if size is None:
            raise _unknown(call, digest)
        return digest, size


def _unknown(call: Call, digest: Digest) -> ApiError:
    return ApiError(404, "BLOB_UNKNOWN", f"{call.repository} has no blob {digest}")


def _requested_range(request: HttpRequest, etag: str, size: int) -> range | None:
    """Read the `Range` field (RFC 9110, section 14): empty if it cannot be satisfied.

    Return None if there is none, or if a server may ignore it.
    """
    match = re.fullmatch(r"bytes=([0-9]*)-([0-9]*)", request.headers.get("Range", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if request.headers.get("If-Range", etag) != etag:
        return None
    if not match[1]:
        return range(max(size - int(match[2]), 0), size)
    start = int(match[1])
    stop = min(int(match[2]) + 1, size) if match[2] else size
    return range(start, stop) if start < stop else range(0)


class _Part:
    """A stream of a range of bytes."""

    def __init__(self, stream: ByteStream, part: range) -> None:
        self._stream = stream
        self._skipped = part.start
        self._left = len(part)

    def read(self, size: int = -1, /) -> bytes:
        while self._skipped:
            skipped = self._stream.read(min(self._skipped, CHUNK))
            if not skipped:
                return b""
            self._skipped -= len(skipped)
        chunk = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        self._stream.close()
