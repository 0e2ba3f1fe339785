"""The upload sessions of an embedded registry."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from oras_core.errors import DigestMismatchError, NotFoundError
from oras_core.model.digest import Digest
from oras_core.ports.files import PendingFile
from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.testing.registry.routes import ApiError, Call, answer, body_chunks, digest_of
from oras_core.testing.registry.storage import EmbeddedStorage

__all__ = ["EmbeddedUploads"]


class _Session:
    """One upload session; its lock makes the requests of the session wait for each other."""

    def __init__(self, repository: str, now: float) -> None:
        self.repository = repository
        self.id = secrets.token_hex(16)
        self.lock = Lock()
        self.used = now
        self.received = 0
        self.hasher = hashlib.sha256(usedforsecurity=True)
        self.pending: PendingFile | None = None
        self.ended = False

    @property
    def headers(self) -> dict[str, str]:
        """The header fields of the state; `0-0` also means no bytes."""
        return {
            # The client adds `digest` to this query (R18).
            "Location": f"/v2/{self.repository}/blobs/uploads/{self.id}?_state={self.received}",
            "Range": f"0-{max(self.received - 1, 0)}",
            "Docker-Upload-UUID": self.id,
        }


class EmbeddedUploads:
    """Receives blobs: whole, in chunks, or mounted from another repository. Thread-safe.

    Args:
        storage: receives the blobs.
        lifetime: seconds without a request after which a session expires.
        now: the clock for `lifetime`.
    """

    def __init__(
        self, storage: EmbeddedStorage, *, lifetime: float, now: Callable[[], float]
    ) -> None:
        self._storage = storage
        self._lifetime = lifetime
        self._now = now
        self._lock = Lock()
        self._sessions: dict[str, _Session] = {}

    def start(self, call: Call) -> HttpResponse:
        """POST: receive a whole blob, mount one, or open a session (end-4a, end-4b, end-11)."""
        if "mount" in call.query:
            return self._mount(call)
        if "digest" in call.query:
            digest = digest_of(call.query["digest"])
            with self._refused_mismatch():
                self._storage.add_blob(call.repository, digest, body_chunks(call.request))
            return self._created(call.repository, digest)
        return self._open_session(call)

    def _mount(self, call: Call) -> HttpResponse:
        digest = digest_of(call.query["mount"])
        source = call.query.get("from", "")
        # A mount from the repository itself checks existence and opens a session (R21).
        if source and self._storage.blob_size(source, digest) is not None:
            try:
                if source != call.repository:
                    self._storage.mount_blob(call.repository, digest, source)
            except NotFoundError:  # removed meanwhile
                return self._open_session(call)
            return self._created(call.repository, digest)
        return self._open_session(call)

    def _open_session(self, call: Call) -> HttpResponse:
        self._expire()
        session = _Session(call.repository, self._now())
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
            if session.pending is not None:
                self._receive(session, call.request)
                session.pending.commit()
            with self._refused_mismatch(session):
                if session.pending is None:  # no chunk came before: the body is the blob
                    chunks = body_chunks(call.request)
                    self._storage.add_blob(session.repository, digest, chunks)
                else:
                    self._storage.finish_upload(
                        session.id, session.repository, digest, session.hasher.hexdigest()
                    )
            self._end(session)
        return self._created(session.repository, digest)

    def cancel(self, call: Call) -> HttpResponse:
        """DELETE: cancel a session (end-14)."""
        with self._held_session(call) as session:
            self._end(session)
        return answer(204)

    @contextmanager
    def _held_session(self, call: Call) -> Iterator[_Session]:
        self._expire()
        with self._lock:
            session = self._sessions.get(call.item)
        if session is None or session.repository != call.repository:
            raise _unknown(call)
        with session.lock:
            if session.ended:
                raise _unknown(call)
            try:
                yield session
            finally:
                session.used = self._now()

    def _receive(self, session: _Session, request: HttpRequest) -> None:
        if session.pending is None:
            session.pending = self._storage.create_upload(session.id).__enter__()
        for chunk in body_chunks(request):
            session.pending.write(chunk)
            session.hasher.update(chunk)
            # Counted on arrival: bytes before a break are not sent again.
            session.received += len(chunk)

    def _end(self, session: _Session) -> None:
        session.ended = True
        with self._lock:
            self._sessions.pop(session.id, None)
        if session.pending is not None:
            session.pending.__exit__(None, None, None)
            self._storage.remove_upload(session.id)

    @contextmanager
    def _refused_mismatch(self, session: _Session | None = None) -> Iterator[None]:
        """Turn a mismatch into the answer, and end the session."""
        try:
            yield
        except DigestMismatchError as error:
            if session is not None:
                self._end(session)
            raise ApiError(400, "DIGEST_INVALID", str(error)) from error

    def _expire(self) -> None:
        oldest = self._now() - self._lifetime
        with self._lock:
            stale = [session for session in self._sessions.values() if session.used < oldest]
        for session in stale:
            if session.lock.acquire(blocking=False):  # otherwise a request uses it
                try:
                    self._end(session)
                finally:
                    session.lock.release()

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
