"""One upload session: every response may give a new URL for the next request (R17)."""

from __future__ import annotations

import logging
import re
from contextlib import nullcontext
from typing import Final

from attrs import frozen

from oras_core.cancellation import current_token, respite, within
from oras_core.errors import OrasError, RegistryError, TransportError
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.endpoints import RepositoryEndpoints, with_digest
from oras_core.registry.responses import check_digest_header, exchange, protocol_error
from oras_core.registry.transports.redirects import resolve_location

__all__ = ["UploadSession", "held_bytes"]

_logger = logging.getLogger(__name__)

RESPITE_SECONDS: Final = 0.3
"""Seconds to wait, after a cancellation, for the response to a POST or to a small PUT.

The response to the POST has the URL, without which the upload cannot be cancelled. A small blob
is already sent, so the upload may as well complete."""

SMALL: Final = 256 * 1024
"""Size of a blob, in bytes, that is sent without delay."""

ABANDON_SECONDS: Final = 0.5
"""Seconds for the DELETE of an abandoned upload, while the caller waits for the error."""

_BLOB_TYPE = {"Content-Type": "application/octet-stream"}


def held_bytes(headers: Headers) -> int | None:
    """Return the number of bytes that the registry holds by `Range`; None without `Range`.

    The value is `0-END`, inclusive; some registries put `bytes=` before it. `0-0` means no
    bytes: registries report an empty upload so, and no chunk but the last has one byte.
    """
    found = re.fullmatch(r"\s*(?:bytes[ =])?\s*0\s*-\s*([0-9]{1,19})\s*", headers.get("Range", ""))
    if found is None:
        return None
    end = int(found[1])
    return end + 1 if end else 0


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,19}", text.strip()) else 0


class UploadSession:
    """One upload, from the response to its POST to the PUT that completes it.

    Not thread-safe.
    """

    def __init__(
        self,
        transport: HttpTransport,
        endpoints: RepositoryEndpoints,
        limits: Limits,
        operation: str,
        begun: tuple[HttpRequest, HttpResponse],
    ) -> None:
        """Continue the upload that the request and response of `begun` created.

        `operation` describes the upload in error messages.

        Raises:
            RegistryError: if the response has no `Location`.
            UnsafeRedirectError: if the `Location` is not allowed (R18).
        """
        self._transport = transport
        self._endpoints = endpoints
        self._limits = limits
        self.operation = operation
        self._answer = begun
        self._location = self._follow("")
        if not self._location:
            raise self.breach("the response has no Location")
        self.min_chunk = _number(begun[1].headers.get("OCI-Chunk-Min-Length", ""))
        """The least size of every chunk but the last, in bytes (R16)."""
        self.lost = False
        """Whether the connection failed and the upload cannot continue."""
        self._broke_off = False
        self._body: _WatchedSource | None = None

    @property
    def was_disturbed(self) -> bool:
        """Whether the connection failed, or the latest body was sent more than once."""
        return self._broke_off or (self._body is not None and self._body.count > 1)

    def _follow(self, so_far: str) -> str:
        """Return the URL of the next request."""
        request, response = self._answer
        location = response.headers.get("Location")
        if location is None:
            return so_far
        return resolve_location(
            response.url or request.url, location, registry_url=self._endpoints.base_url
        )

    def breach(self, detail: str) -> RegistryError:
        """Return an error about the latest response."""
        return protocol_error(*self._answer, self.operation, detail)

    def _send(self, request: HttpRequest, *expected: int) -> Headers:
        self._body = None if request.body is None else _WatchedSource(request.body)
        response = exchange(
            self._transport,
            request.with_body(self._body),
            self.operation,
            expected=expected,
            error_body=self._limits.error_body,
        )
        response.close()
        self._answer = request.with_body(None), response  # do not keep the source
        if response.status != 201:  # after 201 the upload is complete
            self._location = self._follow(self._location)
        return response.headers

    def patch(self, start: int, chunk: ByteSource) -> int:
        """Send one chunk, of a known size, for offset `start` of the blob.

        Returns:
            The number of bytes that the registry now holds. It may be less than was sent,
            and unrelated to `start` if an earlier response was lost.

        Raises:
            RegistryError: if the registry refuses, or reports more bytes than were sent.
            TransportError: if the connection fails; see `held_after`.
        """
        end = start + (chunk.size or 0)
        headers = {**_BLOB_TYPE, "Content-Range": f"{start}-{end - 1}"}
        request = HttpRequest("PATCH", self._location, headers, chunk, repeatable=False)
        try:
            answer = self._send(request, 202)
        except RegistryError as refusal:
            if refusal.status != 416:
                raise
            held = self._ask(refusal)
            if held == start:
                raise  # the offset was right, so the registry refuses the chunk itself
        else:
            told = held_bytes(answer)
            # `Range: 0-0` means one byte if exactly one was sent.
            held = end if told is None or end == 1 else told
        return self._credible(held, end)

    def held_after(self, broken: TransportError, sent: int) -> int:
        """Return the number of bytes that the registry holds after a failed request (R17).

        Args:
            broken: the failure.
            sent: the most bytes of the blob that may have been sent.

        Returns:
            At least one. An upload without a byte is abandoned instead: bytes of the failed
            request may still arrive and mix with those of the next one.

        Raises:
            TransportError: `broken`, if the upload cannot continue: the body failed, or the
                registry holds nothing or no longer knows the upload, which is then `lost`.
                Another one, if the registry does not respond.
            RegistryError: if the registry reports more bytes than were sent.
        """
        body = self._body
        if body is None or body.size == 0 or broken is body.failure or not broken.retryable:
            raise broken
        self._broke_off = True
        try:
            held = self._credible(self._ask(broken), sent)
        except TransportError as error:
            self.lost = error is broken
            raise
        if not held:
            raise self.lose(broken)
        return held

    def lose(self, broken: TransportError) -> TransportError:
        """Abandon the upload after a failure, and return that failure."""
        self.lost = True
        self.abandon()
        return broken

    def _credible(self, held: int, sent: int) -> int:
        if held > sent:
            raise self.breach(f"it reports {held} bytes, but {sent} were sent")
        return held

    def stream(self, source: ByteSource) -> None:
        """Send a whole blob before its digest is known; `finish` sends the digest.

        Raises:
            RegistryError: if the registry refuses, or does not hold all bytes.
            TransportError: if the connection fails; see `held_after`.
        """
        request = HttpRequest("PATCH", self._location, _BLOB_TYPE, source, repeatable=False)
        held = held_bytes(self._send(request, 202))
        if held is not None and source.size is not None and source.size > 1 and held != source.size:
            raise self.breach(f"it reports {held} bytes, but {source.size} were sent")

    def _ask(self, cause: RegistryError | TransportError) -> int:
        """Ask for the offset of the upload; raise `cause` if the registry refuses to say."""
        try:
            headers = self._send(HttpRequest("GET", self._location), 204, 200, 202)
        except RegistryError as error:
            raise cause from error
        return held_bytes(headers) or 0

    def finish(self, digest: Digest, body: ByteSource) -> None:
        """Complete the upload with its last bytes, or with all of them.

        Raises:
            RegistryError: for any status but 201: Docker Hub reports a failure by 202 (R19).
            DigestMismatchError: if the registry reports another digest.
            TransportError: if the connection fails; see `held_after`.
        """
        url = with_digest(self._location, digest)
        # After a failure, bytes are sent again only once it is known which have arrived.
        request = HttpRequest("PUT", url, _BLOB_TYPE, body, repeatable=body.size == 0)
        current_token().raise_if_cancelled(self.operation)
        is_small = body.size is not None and body.size <= SMALL
        with respite(RESPITE_SECONDS) if is_small else nullcontext():
            headers = self._send(request, 201)
        check_digest_header(headers, digest, f"response to '{self.operation}'")

    def abandon(self) -> None:
        """Cancel the upload at the registry, best effort (R21)."""
        try:
            with (
                within(ABANDON_SECONDS),
                self._transport.send(HttpRequest("DELETE", self._location)) as response,
            ):
                _logger.debug("cancelled an upload: status %d", response.status)
        except OrasError as error:
            _logger.debug("could not cancel an upload: %s", error)


class _WatchedSource:
    """A body that counts how often it was opened, and keeps its own failure.

    It is opened again when a transport repeats the request.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.count = 0
        self.failure: Exception | None = None

    @property
    def size(self) -> int | None:
        return self._source.size

    def open(self) -> ByteStream:
        self.count += 1
        try:
            return _WatchedStream(self._source.open(), self)
        except Exception as error:
            self.failure = error
            raise


@frozen
class _WatchedStream:
    stream: ByteStream
    source: _WatchedSource

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self.stream.read(size)
        except Exception as error:
            self.source.failure = error
            raise

    def close(self) -> None:
        self.stream.close()
