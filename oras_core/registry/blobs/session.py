"""An upload that a registry has begun: its address moves on with every answer (R17)."""

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
"""How long an answer that decides over an upload is waited for after a cancellation: the one
that begins it tells the address, without which it cannot be abandoned, and where a small one
has been sent whole already nothing is left to abandon."""

SMALL: Final = 256 * 1024
"""Bytes that are sent at once."""

ABANDON_SECONDS: Final = 0.5
"""How long a registry is tried to be told that an upload is abandoned: it is done for the
registry's sake, while somebody waits for the error or for the end of what was cancelled."""

_BLOB_TYPE = {"Content-Type": "application/octet-stream"}


def held_bytes(headers: Headers) -> int | None:
    """Return how many bytes `Range` says that the registry holds; None if it says nothing.

    It is `0-END`, inclusive; some write `bytes=` before it. `0-0` means none: registries
    say so of an upload that is still empty, and send no chunks of a single byte.
    """
    found = re.fullmatch(r"\s*(?:bytes[ =])?\s*0\s*-\s*([0-9]{1,19})\s*", headers.get("Range", ""))
    if found is None:
        return None
    end = int(found[1])
    return end + 1 if end else 0


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,19}", text.strip()) else 0


class UploadSession:
    """One upload, from the answer that began it to the PUT that ends it. For one thread."""

    def __init__(
        self,
        transport: HttpTransport,
        endpoints: RepositoryEndpoints,
        limits: Limits,
        operation: str,
        begun: tuple[HttpRequest, HttpResponse],
    ) -> None:
        """Take over the upload that `begun`, a request and its 202, is about.

        `operation` is what is being done, for errors.

        Raises:
            RegistryError: if the answer names no `Location`.
            UnsafeRedirectError: if it names one that is refused (R18).
        """
        self._transport = transport
        self._endpoints = endpoints
        self._limits = limits
        self.operation = operation
        self._answer = begun
        self._location = self._follow("")
        if not self._location:
            raise self.breach("the answer has no Location")
        self.min_chunk = _number(begun[1].headers.get("OCI-Chunk-Min-Length", ""))
        """Bytes that every chunk but the last must have (R16)."""
        self.lost = False
        """Whether it broke off, and nothing of it is of use."""
        self._broke_off = False
        self._body: _WatchedSource | None = None

    @property
    def was_disturbed(self) -> bool:
        """Whether a request broke off, or the latest one was asked for again."""
        return self._broke_off or (self._body is not None and self._body.count > 1)

    def _follow(self, so_far: str) -> str:
        """Return where the upload goes on after the latest answer."""
        request, response = self._answer
        location = response.headers.get("Location")
        if location is None:
            return so_far
        return resolve_location(
            response.url or request.url, location, registry_url=self._endpoints.base_url
        )

    def breach(self, detail: str) -> RegistryError:
        """Return the error that says what is wrong with the latest answer."""
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
        self._answer = request.with_body(None), response  # a source is not kept for it
        if response.status != 201:  # which ends it
            self._location = self._follow(self._location)
        return response.headers

    def patch(self, start: int, chunk: ByteSource) -> int:
        """Send one chunk, of a known size, which begins at byte `start` of the blob.

        Returns:
            The number of bytes that the registry now holds. That may be fewer than it was
            sent; and others where it does not stand at `start`, as after a lost answer.

        Raises:
            RegistryError: if the registry refuses, or claims to hold more than was sent.
            TransportError: if it breaks off; see `held_after`.
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
                raise  # it stands where the chunk begins, and refuses it all the same
        else:
            told = held_bytes(answer)
            # One byte is held where `Range` is `0-0`, if one was sent.
            held = end if told is None or end == 1 else told
        return self._credible(held, end)

    def held_after(self, broken: TransportError, sent: int) -> int:
        """Return how many bytes of a blob the registry holds after a request broke off (R17).

        Args:
            broken: how it broke off.
            sent: bytes of the blob that may have been sent at most.

        Returns:
            At least one. Where it holds none the upload is given up: what is still on its way
            could come to be written between what is sent now.

        Raises:
            TransportError: `broken`, if asking is of no use: it was the body that failed, or
                the registry holds nothing, or does not know the upload any more; it is `lost`
                then. Another one, if there is no answer.
            RegistryError: if the registry claims to hold more than was sent.
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
        """Give up an upload that broke off, and return how it did."""
        self.lost = True
        self.abandon()
        return broken

    def _credible(self, held: int, sent: int) -> int:
        if held > sent:
            raise self.breach(f"it claims to hold {held} bytes, {sent} were sent")
        return held

    def stream(self, source: ByteSource) -> None:
        """Send a whole blob whose digest is not known yet; `finish` tells it.

        Raises:
            RegistryError: if the registry refuses, or does not hold what was sent.
            TransportError: if it breaks off; see `held_after`.
        """
        request = HttpRequest("PATCH", self._location, _BLOB_TYPE, source, repeatable=False)
        held = held_bytes(self._send(request, 202))
        if held is not None and source.size is not None and source.size > 1 and held != source.size:
            raise self.breach(f"it claims to hold {held} bytes, {source.size} were sent")

    def _ask(self, cause: RegistryError | TransportError) -> int:
        """Ask where the upload stands; one that cannot be asked about is given up."""
        try:
            headers = self._send(HttpRequest("GET", self._location), 204, 200, 202)
        except RegistryError as error:
            raise cause from error
        return held_bytes(headers) or 0

    def finish(self, digest: Digest, body: ByteSource) -> None:
        """End the upload with its last, or all, bytes.

        Raises:
            RegistryError: for any answer but 201: 202 is how Docker Hub fails (R19).
            DigestMismatchError: if the registry says that it stored something else.
            TransportError: if it breaks off; see `held_after`.
        """
        url = with_digest(self._location, digest)
        # Bytes that broke off are not sent again before it is known which have arrived.
        request = HttpRequest("PUT", url, _BLOB_TYPE, body, repeatable=body.size == 0)
        current_token().raise_if_cancelled(self.operation)
        is_small = body.size is not None and body.size <= SMALL
        with respite(RESPITE_SECONDS) if is_small else nullcontext():
            headers = self._send(request, 201)
        check_digest_header(headers, digest, f"answer to '{self.operation}'")

    def abandon(self) -> None:
        """Tell the registry that nothing follows, best effort (R21)."""
        try:
            with (
                within(ABANDON_SECONDS),
                self._transport.send(HttpRequest("DELETE", self._location)) as response,
            ):
                _logger.debug("abandoned an upload: status %d", response.status)
        except OrasError as error:
            _logger.debug("could not abandon an upload: %s", error)


class _WatchedSource:
    """A body that knows how often it was opened, and whether it was itself that failed.

    It is opened more than once where the registry asks for it again.
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
