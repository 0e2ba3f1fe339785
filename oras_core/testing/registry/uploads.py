"""The upload sessions of an embedded registry."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from oras_core.errors import DigestMismatchError
from oras_core.model.digest import Digest
from oras_core.model.paths import sanitize_path
from oras_core.ports.files import PendingFile
from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.testing.registry.routes import ApiError, Call, answer, body_chunks, digest_of
from oras_core.testing.registry.storage import EmbeddedStorage

__all__ = ["EmbeddedUploads"]

COPIED: Final = 1024 * 1024
"""Bytes copied at a time from a session to its blob."""


class _Session:
    """One upload session; its lock makes the requests of the session wait for each other."""

    def __init__(self, repository: str) -> None:
        self.repository = repository
        self.id = secrets.token_hex(16)
        self.path = sanitize_path(f"uploads/{self.id}")
        self.lock = Lock()
        self.received = 0
        self.pending: PendingFile | None = None
        self.ended = False

    @property
    def headers(self) -> dict[str, str]:
        """The header fields of the state; `0-0` also stands for no bytes."""
        return {
            # The client adds `digest` to this query (R18).
            "Location": f"/v2/{self.repository}/blobs/uploads/{self.id}?_state={self.received}",
            "Range": f"0-{max(self.received - 1, 0)}",
            "Docker-Upload-UUID": self.id,
        }


class EmbeddedUploads:
    """Receives blobs: whole, in chunks, or mounted from another repository. Thread-safe."""

    def __init__(self, storage: EmbeddedStorage) -> None:
        """Start without sessions; blobs are stored in `storage`."""
        self._storage = storage
        self._lock = Lock()
        self._sessions: dict[str, _Session] = {}

    def start(self, call: Call) -> HttpResponse:
        """POST: receive a whole blob, mount one, or open a session (end-4a, end-4b, end-11)."""
        if "mount" in call.query:
            return self._mount(call)
        if "digest" in call.query:
            digest = digest_of(call.query["digest"])
            self._add(call.repository, digest, body_chunks(call.request))
            return self._created(call.repository, digest)
        return self._open_session(call)

    def _mount(self, call: Call) -> HttpResponse:
        digest = digest_of(call.query["mount"])
        source = call.query.get("from", "")
        # A mount from the repository itself checks existence and opens a session (R21).
        if source and self._storage.blob_size(source, digest) is not None:
            if source != call.repository:
                self._storage.link_blob(call.repository, digest)
            return self._created(call.repository, digest)
        return self._open_session(call)

    def _open_session(self, call: Call) -> HttpResponse:
        session = _Session(call.repository)
        with self._lock:
            self._sessions[session.id] = session
        return answer(202, session.headers)

    def status(self, call: Call) -> HttpResponse:
        """GET: report the bytes received by a session (end-13)."""
        with self._held_session(call) as session:
            return answer(204, session.headers)

    def append(self, call: Call) -> HttpResponse:
        """PATCH: receive a chunk (end-5)."""
        with self._held_session(call) as session:
            _check_range(session, call.request)
            self._receive(session, call.request)
            return answer(202, session.headers)

    def finish(self, call: Call) -> HttpResponse:
        """PUT: receive the last chunk, or all bytes, and finish the blob (end-6)."""
        digest = digest_of(call.query.get("digest", ""))
        with self._held_session(call) as session:
            _check_range(session, call.request)
            if session.pending is None:  # no chunk came before: the body is the blob
                chunks = body_chunks(call.request)
            else:
                self._receive(session, call.request)
                session.pending.commit()
                chunks = self._parts(session)
            try:
                self._add(session.repository, digest, chunks)
            except ApiError:
                self._end(session)
                raise
            self._end(session)
        return self._created(session.repository, digest)

    def cancel(self, call: Call) -> HttpResponse:
        """DELETE: cancel a session (end-14)."""
        with self._held_session(call) as session:
            self._end(session)
        return answer(204)

    @contextmanager
    def _held_session(self, call: Call) -> Iterator[_Session]:
        with self._lock:
            session = self._sessions.get(call.item)
        if session is None or session.repository != call.repository:
            raise _unknown(call)
        with session.lock:
            if session.ended:
                raise _unknown(call)
            yield session

    def _receive(self, session: _Session, request: HttpRequest) -> None:
        if session.pending is None:
            session.pending = self._storage.files.create(session.path).__enter__()
        for chunk in body_chunks(request):
            session.pending.write(chunk)
            # Counted on arrival: bytes before a break are not sent again.
            session.received += len(chunk)

    def _parts(self, session: _Session) -> Iterator[bytes]:
        stream = self._storage.files.open(session.path)
        try:
            while chunk := stream.read(COPIED):
                yield chunk
        finally:
            stream.close()

    def _end(self, session: _Session) -> None:
        session.ended = True
        with self._lock:
            self._sessions.pop(session.id, None)
        if session.pending is not None:
            session.pending.__exit__(None, None, None)
            self._storage.files.remove(session.path)

    def _add(self, repository: str, digest: Digest, chunks: Iterator[bytes]) -> None:
        try:
            self._storage.add_blob(repository, digest, chunks)
        except DigestMismatchError as error:
            raise ApiError(400, "DIGEST_INVALID", str(error)) from error

    def _created(self, repository: str, digest: Digest) -> HttpResponse:
        return answer(
            201,
            {
                "Location": f"/v2/{repository}/blobs/{digest}",
                "Docker-Content-Digest": str(digest),
            },
        )


def _unknown(call: Call) -> ApiError:
    return ApiError(404, "BLOB_UPLOAD_UNKNOWN", f"there is no upload session {call.item!r}")


def _check_range(session: _Session, request: HttpRequest) -> None:
    """Check a chunk against its `Content-Range`, which has no unit and is inclusive (R17)."""
    text = request.headers.get("Content-Range")
    if text is None:
        return
    match = re.fullmatch(r"([0-9]+)-([0-9]+)", text)
    if match is None:
        raise ApiError(400, "BLOB_UPLOAD_INVALID", f"Content-Range {text!r} is not START-END")
    start, end = int(match[1]), int(match[2])
    if start != session.received:
        raise ApiError(
            416,
            "BLOB_UPLOAD_INVALID",
            f"the part starts at {start}, {session.received} bytes were received",
            session.headers,
        )
    size = request.body.size if request.body else 0
    if size is not None and size != end - start + 1:
        raise ApiError(
            400, "SIZE_INVALID", f"Content-Range {text!r} is not of the body's {size} bytes"
        )
