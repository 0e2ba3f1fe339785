"""One upload session: every response may give a new URL for the next request (R17)."""

from __future__ import annotations

import logging
import re
from contextlib import nullcontext
from typing import Final, TypeAlias

from oras_core.cancellation import current_token, respite, within
from oras_core.errors import OrasError, RegistryError, TransportError
from oras_core.model.digest import Digest
from oras_core.ports.content import ByteSource
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.blobs.download import BlobDownloader
from oras_core.registry.endpoints import RepositoryEndpoints, with_digest
from oras_core.registry.header_fields import check_digest_header
from oras_core.registry.responses import exchange, protocol_error
from oras_core.registry.transports.guard import WatchedBody
from oras_core.registry.transports.redirects import resolve_location
from oras_core.registry.transports.retries import is_retryable

__all__ = ["UploadSession", "held_bytes"]

Broken: TypeAlias = TransportError | RegistryError
"""A failure after which a registry may hold a part of the upload."""

_logger = logging.getLogger(__name__)

RESPITE_SECONDS: Final = 0.3
"""Seconds to wait, after a cancellation, for the response to a POST or to a small PUT.

The response to the POST has the URL, without which the upload cannot be cancelled. A small blob
is already sent, so the upload may as well complete."""

SMALL: Final = 256 * 1024
"""Size of a blob, in bytes, that is sent without delay."""

ABANDON_SECONDS: Final = 0.5
"""Seconds for the DELETE of an abandoned upload, while the caller waits for the error."""

_BLOB_TYPE: Final = Headers({"Content-Type": "application/octet-stream"})


def held_bytes(headers: Headers) -> int | None:
    """Return the number of bytes that the registry holds by `Range`; None without `Range`.

    The value is `0-END`, inclusive; some registries put `bytes=` before it. `0-0` means no
    bytes: registries report an empty upload so, and no chunk but the last has one byte.
    """
    text = headers.get("Range", "").strip()  # adjacent `\s*` would take quadratic time
    found = re.fullmatch(r"(?:bytes[ =])?\s*0\s*-\s*([0-9]{1,19})", text)
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
        self.operation = operation
        self._answer = begun
        self._location = self._follow("")
        if not self._location:
            raise self.breach("the response has no Location")
        self.min_chunk: int = _number(begun[1].headers.get("OCI-Chunk-Min-Length", ""))
        """The least size of every chunk but the last, in bytes (R16)."""
        self.lost: bool = False
        """Whether the connection failed and the upload cannot continue."""
        self.was_disturbed: bool = False
        """Whether a request failed, after which the state of the upload was asked for."""
        self._body: WatchedBody | None = None

    @property
    def body_failure(self) -> Exception | None:
        """The exception of the latest request's body; None if the body did not fail."""
        return None if self._body is None else self._body.failure

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
        self._body = None if request.body is None else WatchedBody(request.body)
        response = exchange(
            self._transport, request.with_body(self._body), self.operation, expected=expected
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

    def held_after(self, broken: Broken, sent: int) -> int:
        """Return the number of bytes that the registry holds after a failed request (R17).

        Args:
            broken: the failure.
            sent: the most bytes of the blob that may have been sent.

        Returns:
            At least one. An upload without a byte is abandoned instead: bytes of the failed
            request may still arrive and mix with those of the next one.

        Raises:
            TransportError, RegistryError: `broken`, if the upload cannot continue: the body
                failed, the registry refused the request, it holds nothing, or no longer knows
                the upload, which is then `lost`. Another one, if the registry does not
                respond, or reports more bytes than were sent.
        """
        if self._body is None or self._body.size == 0 or not self._is_interruption(broken):
            raise broken
        self.was_disturbed = True
        try:
            held = self._credible(self._ask(broken), sent)
        except (TransportError, RegistryError) as error:
            self.lost = error is broken
            raise
        if not held:
            raise self.lose(broken)
        return held

    def _is_interruption(self, broken: Broken) -> bool:
        """Tell whether the registry may have kept a part of the body."""
        if self.body_failure is not None:
            return False
        if isinstance(broken, RegistryError):
            return broken.status >= 500 and is_retryable(broken.status)
        return broken.retryable

    def lose(self, broken: Broken) -> Broken:
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

        Some registries report success by another status than 201, and Docker Hub reports a
        failure by 202 (R19). After such a status, a HEAD decides.

        Raises:
            RegistryError: if the registry refuses, or does not have the blob afterwards.
            DigestMismatchError: if the registry reports another digest.
            TransportError: if the connection fails; see `held_after`.
        """
        url = with_digest(self._location, digest)
        # After a failure, bytes are sent again only once it is known which have arrived.
        request = HttpRequest("PUT", url, _BLOB_TYPE, body, repeatable=body.size == 0)
        current_token().raise_if_cancelled(self.operation)
        is_small = body.size is not None and body.size <= SMALL
        with respite(RESPITE_SECONDS) if is_small else nullcontext():
            headers = self._send(request, *range(200, 300))
        if self._answer[1].status != 201 and not self._is_stored(digest):
            raise self.breach("expected 201, and a HEAD does not find the blob")
        check_digest_header(headers, digest, f"response to '{self.operation}'")

    def _is_stored(self, digest: Digest) -> bool:
        downloader = BlobDownloader(self._transport, self._endpoints)
        return downloader.exists(digest)

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
