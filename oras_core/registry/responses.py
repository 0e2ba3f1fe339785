"""Check the status of answers, read their bodies within limits, and raise errors.

Error bodies are OCI JSON, HTML, XML of an object store, or empty (R32). Their text is not
trusted: it is shortened, and stripped of control characters and secrets.
"""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    ContentError,
    OrasError,
    RateLimitedError,
    RegistryError,
    RegistryNotFoundError,
    SizeLimitError,
    SizeMismatchError,
    TransportError,
)
from oras_core.errors.redaction import redact_text
from oras_core.model.limits import MAX_ERROR_BODY
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.header_fields import content_coding, content_length
from oras_core.registry.transports.retries import retry_after

__all__ = [
    "encoded_error",
    "exchange",
    "exchange_body",
    "parse_json",
    "protocol_error",
    "raise_for_status",
    "read_bounded",
    "settled",
]

_logger = logging.getLogger(__name__)

MAX_DETAIL: Final = 500
"""Characters kept of a registry's message: one or two sentences."""

MAX_CODES: Final = 8
"""Entries kept of the errors in one answer; registries send one or two."""

MAX_BODY_ATTEMPTS: Final = 3
"""Requests for one short body whose connection breaks each time."""

READ_SIZE: Final = 256 * 1024

_ERRORS: Final[dict[int, type[RegistryError]]] = {
    401: AuthenticationError,
    403: AccessDeniedError,
    404: RegistryNotFoundError,
    429: RateLimitedError,
}


# --- Statuses -----------------------------------------------------------------------------


def exchange(
    transport: HttpTransport,
    request: HttpRequest,
    operation: str,
    *,
    expected: Collection[int] = (200,),
) -> HttpResponse:
    """Send `request` and return the answer if its status is one of `expected`.

    The caller closes the answer. See `raise_for_status` for the arguments and the errors.
    """
    try:
        response = transport.send(request)
    except TransportError as error:
        error.during(operation)
        raise
    try:
        raise_for_status(request, response, operation, expected=expected)
    except BaseException:
        response.close()
        raise
    return response


def raise_for_status(
    request: HttpRequest,
    response: HttpResponse,
    operation: str,
    *,
    expected: Collection[int] = (200,),
) -> None:
    """Raise the error for the answer, unless its status is one of `expected`.

    Args:
        request: the request.
        response: the answer; its body is read only for an error.
        operation: what was being done, for the message.
        expected: the statuses that mean success. Each call names its own, since a web
            server may answer 200 to everything (R24).

    Raises:
        AuthenticationError: for 401.
        AccessDeniedError: for 403.
        RegistryNotFoundError: for 404.
        RateLimitedError: for 429.
        RegistryError: for any other status.
    """
    if response.status in expected:
        return
    codes, detail = _explain(response)
    if response.status < 400 and not detail:
        detail = f"expected {' or '.join(str(status) for status in sorted(expected))}"
    kind = _ERRORS.get(response.status, RegistryError)
    error = kind(
        operation,
        status=response.status,
        method=request.method,
        url=response.url or request.url,
        codes=codes,
        detail=detail,
    )
    error.explain(response.explanation)
    if isinstance(error, RateLimitedError):
        error.retry_after = retry_after(response.headers)
        if error.retry_after is not None:
            error.explain(f"it asks to wait {error.retry_after:g} seconds")
    raise error


def protocol_error(
    request: HttpRequest, response: HttpResponse, operation: str, detail: str
) -> RegistryError:
    """Return the error for an answer whose status is right but whose content is not."""
    return RegistryError(
        operation,
        status=response.status,
        method=request.method,
        url=response.url or request.url,
        detail=_plain(detail),
    )


# --- Error bodies -------------------------------------------------------------------------


def settled(response: HttpResponse) -> HttpResponse:
    """Return a response whose body is in memory, as far as an error needs it.

    The connection can be used again. An incomplete body is accepted: the status says enough.
    """
    body = io.BytesIO()
    try:
        with response:
            while left := MAX_ERROR_BODY - body.tell():
                if not body.write(response.body.read(left)):
                    break
    except OrasError as error:
        _logger.debug("%s", error)
    body.seek(0)
    return response.with_body(body)


def _explain(response: HttpResponse) -> tuple[list[str], str]:
    """Return the error codes and the message in the body of an error."""
    text = settled(response).body.read().decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return [], _plain(_text_of_markup(text) if text.startswith("<") else text)
    codes: list[str] = []
    messages: list[str] = []
    for entry in _error_entries(document):
        code = entry.get("code")
        if isinstance(code, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", code):
            codes.append(code)
        messages += _messages(entry)
    return codes, _plain("; ".join(messages))


_MESSAGES: Final = ("message", "error", "error_description", "detail", "details")
"""Members with words: those of the spec, of OAuth 2 (RFC 6749, section 5.2), of token servers."""


def _messages(entry: Mapping[str, Any]) -> Iterator[str]:
    """Return the different words of an error: a detail may tell the quota or the missing blob."""
    seen: set[str] = set()
    for name in _MESSAGES:
        text = _words(entry.get(name))
        if text and text not in seen:
            seen.add(text)
            yield text


def _words(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if not isinstance(value, dict | list) or not value:
        return ""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))[:MAX_DETAIL]


def _error_entries(document: object) -> Iterator[dict[str, Any]]:
    """Return the objects that describe errors: the list of the spec, or the document itself."""
    if not isinstance(document, dict):
        return
    errors = document.get("errors")
    entries = errors[:MAX_CODES] if isinstance(errors, list) else [document]
    yield from (entry for entry in entries if isinstance(entry, dict))


def _text_of_markup(text: str) -> str:
    # Object stores answer in XML, which repeats keys and signatures; proxies answer in HTML.
    # Only the parts that are meant for people are taken.
    found = re.search(r"<(Message|title)[^>]{0,100}>([^<]{1,1000})</", text, re.IGNORECASE)
    return found[2] if found else ""


def _plain(text: str) -> str:
    """Return one short line without control characters and secrets."""
    line = redact_text(text)
    return line if len(line) <= MAX_DETAIL else line[:MAX_DETAIL] + "…"


# --- Bodies -------------------------------------------------------------------------------


def _read_at_most(response: HttpResponse, limit: int) -> bytes:
    parts: list[bytes] = []
    left = limit
    while left > 0 and (part := response.body.read(min(left, READ_SIZE))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def read_bounded(response: HttpResponse, limit: int, what: str) -> bytes:
    """Read the whole body, as it was sent.

    Args:
        response: the answer; the caller closes it.
        limit: the most bytes to accept; at most one more is read.
        what: what is being read, for the error.

    Raises:
        SizeLimitError: if the body, or its `Content-Length`, is larger than `limit`.
        SizeMismatchError: if the body does not have the length that was announced.
    """
    announced = content_length(response.headers)
    if announced is not None and announced > limit:
        raise SizeLimitError(what, limit)
    body = _read_at_most(response, limit + 1)
    if len(body) > limit:
        raise SizeLimitError(what, limit)
    if announced is not None and len(body) != announced:
        raise SizeMismatchError(announced, len(body), what=what)
    return body


def exchange_body(
    transport: HttpTransport,
    request: HttpRequest,
    operation: str,
    *,
    limit: int,
) -> tuple[HttpResponse, bytes]:
    """Send `request`; return the closed answer and its whole body if the status is 200.

    If the connection breaks within the body, the request is repeated: the retries of a
    transport end where the body begins.

    Raises:
        TransportError: if there is no answer, or the connection keeps breaking.
    Others as `raise_for_status` and `read_bounded`.
    """
    attempt = 1
    while True:
        with exchange(transport, request, operation) as response:
            try:
                return response, read_bounded(response, limit, f"answer to '{operation}'")
            except TransportError as error:
                if attempt >= MAX_BODY_ATTEMPTS or not error.retryable:
                    error.during(operation)
                    raise
                _logger.debug("repeating the request: %s", error)
        attempt += 1


def encoded_error(what: str, coding: str) -> ContentError:
    """Return the error for a body with a content coding. Bodies are never decoded (R38)."""
    return ContentError(
        f"{what} was sent with Content-Encoding {_plain(coding)!r}, which was not asked for"
    )


def parse_json(
    request: HttpRequest, response: HttpResponse, operation: str, body: bytes
) -> dict[str, Any]:
    """Parse a body as a JSON object; some hosts answer 200 with a web page (R27).

    Raises:
        ContentError: if the body has a content coding, which was not requested.
        RegistryError: if the body is not a JSON object.
    """
    if coding := content_coding(response.headers):
        raise encoded_error(f"answer to '{operation}'", coding)
    detail = "the answer is not a JSON object"
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        kind = response.headers.get("Content-Type", "unknown type")
        document, detail = None, f"the answer is not JSON; its Content-Type is {kind}"
    # Raised outside the handler: a chained JSON error would hold the text, maybe a token.
    if not isinstance(document, dict):
        raise protocol_error(request, response, operation, detail)
    return document
