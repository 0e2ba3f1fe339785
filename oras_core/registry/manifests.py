"""Manifests and indexes: as bytes, which are never written anew (R24, R25, R26)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from oras_core.content.sources import BytesSource
from oras_core.errors import (
    AccessDeniedError,
    DigestMismatchError,
    InvalidDigestError,
    NotFoundError,
    SizeLimitError,
)
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.model.media_types import ACCEPTED_MANIFESTS
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.responses import (
    check_digest_header,
    content_length,
    digest_header,
    exchange,
    exchange_body,
)

__all__ = ["ManifestClient", "PushedManifest"]

_logger = logging.getLogger(__name__)

_NO_HEAD: Final = (400, 403, 405, 501)
"""How servers say that they do not answer HEAD (R23)."""


@frozen
class PushedManifest:
    """What a registry said of a manifest that it took.

    Attributes:
        descriptor: of the manifest.
        subject: the digest in `OCI-Subject`: the registry has listed the manifest among
            the referrers of that subject. None where it did not (R30).
    """

    descriptor: Descriptor
    subject: Digest | None = None


class ManifestClient:
    """The manifests of one repository. Thread-safe."""

    def __init__(
        self, transport: HttpTransport, endpoints: RepositoryEndpoints, limits: Limits
    ) -> None:
        """Ask by `transport`."""
        self._transport = transport
        self._endpoints = endpoints
        self._limits = limits

    # --- Reading --------------------------------------------------------------------------

    def exists(self, descriptor: Descriptor) -> bool:
        """Tell whether the manifest is here; what forbids to look is taken for absence (R8)."""
        operation = f"look for manifest {descriptor.digest} in {self._endpoints.name}"
        accept = (descriptor.media_type, *ACCEPTED_MANIFESTS)
        try:
            with self._head(descriptor.digest, operation, accept) as response:
                if response.status == 200:
                    return True
            self._get(descriptor.digest, operation, accept)
            return True
        except NotFoundError:
            return False
        except AccessDeniedError as error:
            _logger.debug("taken for absent: %s", error)
            return False

    def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor of the manifest that a tag or a digest names.

        HEAD is asked first: some registries count GETs (R26). Where its answer does not
        describe the manifest, the manifest itself is asked for.

        Raises:
            NotFoundError: if there is none of that name.
            RegistryError: if the registry refuses.
            InvalidReferenceError: if `reference` is neither tag nor digest.
        """
        operation = f"resolve {self._shown(reference)}"
        with self._head(reference, operation, ACCEPTED_MANIFESTS) as response:
            descriptor = self._described(reference, response)
        if descriptor is None:
            _logger.debug("HEAD does not describe %s", self._shown(reference))
            descriptor, _ = self.fetch_reference(reference)
        return descriptor

    def fetch_reference(
        self, reference: str, *, accept: Sequence[str] = ACCEPTED_MANIFESTS
    ) -> tuple[Descriptor, bytes]:
        """Return what a tag or a digest names, in one request.

        Args:
            reference: a tag or a digest.
            accept: the media types that are asked for, and believed of the answer; of
                any other type the manifest itself must say what it is.

        Returns:
            The descriptor, whose digest is that of the bytes as received; and the bytes.

        Raises:
            NotFoundError: if there is none of that name.
            DigestMismatchError: if the bytes are not what was asked for, or not what the
                registry says that they are.
            SizeLimitError: if it is larger than the limit.
            InvalidManifestError: if it is of a type that was not asked for, and no manifest.
            RegistryError: if the registry refuses.
        """
        what = f"manifest {self._shown(reference)}"
        response, content = self._get(reference, f"pull {what}", accept)
        digest = _digest_of(reference, content, response.headers, what)
        media_type = _media_type(response.headers)
        if media_type not in accept:
            media_type = codec.decode(content, limit=self._limits.manifest_size).media_type
        return Descriptor(media_type, digest, len(content)), content

    def fetch(self, descriptor: Descriptor) -> bytes:
        """Return the manifest that `descriptor` describes, verified.

        Raises: as `fetch_reference`.
        """
        what = f"manifest {descriptor.digest} of {self._endpoints.name}"
        if descriptor.size > self._limits.manifest_size:
            raise SizeLimitError(what, self._limits.manifest_size)
        accept = (descriptor.media_type, *ACCEPTED_MANIFESTS)
        response, content = self._get(descriptor.digest, f"pull {what}", accept)
        _digest_of(str(descriptor.digest), content, response.headers, what)
        return content

    def _described(self, reference: str, response: HttpResponse) -> Descriptor | None:
        """Return the descriptor that a HEAD gives; None if it gives none to rely on."""
        if response.status != 200:
            return None
        digest, size = digest_header(response.headers), content_length(response.headers)
        media_type = _media_type(response.headers)
        if ":" in reference:
            asked = Digest.parse(reference)
            if digest not in (None, asked):
                return None
            digest = asked
        if digest is None or not size or media_type not in ACCEPTED_MANIFESTS:
            return None
        return Descriptor(media_type, digest, size)

    # --- Writing --------------------------------------------------------------------------

    def push(self, content: bytes, media_type: str, reference: str | None = None) -> PushedManifest:
        """Store a manifest under a tag or its digest; one that is here stays as it is.

        Args:
            content: its bytes, sent as they are.
            media_type: of it, as its `mediaType` says.
            reference: a tag, or its digest; its sha256 digest if None.

        Raises:
            DigestMismatchError: if `reference` is another digest than that of `content`,
                or the registry says that it stored something else.
            SizeLimitError: if it is larger than registries take.
            RegistryError: if the registry refuses, as where blobs are missing.
        """
        digest = Digest.of(content)
        if reference is not None and ":" in reference:
            digest = Digest.of(content, Digest.parse(reference).algorithm)
            if str(digest) != reference:
                raise DigestMismatchError(reference, str(digest), what="manifest to be pushed")
        if len(content) > self._limits.manifest_size:
            raise SizeLimitError("manifest to be pushed", self._limits.manifest_size)
        target = str(digest) if reference is None else reference
        operation = f"push manifest {digest} to {self._shown(target)}"
        request = HttpRequest(
            "PUT",
            self._endpoints.manifest(target),
            {"Content-Type": media_type},
            BytesSource(content),
        )
        with self._send(request, operation, (201,)) as response:
            check_digest_header(response.headers, digest, f"answer to '{operation}'")
            subject = _subject(response.headers)
        return PushedManifest(Descriptor(media_type, digest, len(content)), subject)

    # --- Asking ---------------------------------------------------------------------------

    def _shown(self, reference: str) -> str:
        return f"{self._endpoints.name}{'@' if ':' in reference else ':'}{reference}"

    def _request(self, method: str, reference: str | Digest, accept: Sequence[str]) -> HttpRequest:
        headers = {
            "Accept": ", ".join(dict.fromkeys(accept)),
            "Accept-Encoding": "identity",
        }
        return HttpRequest(method, self._endpoints.manifest(reference), headers)

    def _head(self, reference: str | Digest, operation: str, accept: Sequence[str]) -> HttpResponse:
        request = self._request("HEAD", reference, accept)
        return self._send(request, operation, (200, *_NO_HEAD))

    def _get(
        self, reference: str | Digest, operation: str, accept: Sequence[str]
    ) -> tuple[HttpResponse, bytes]:
        return exchange_body(
            self._transport,
            self._request("GET", reference, accept),
            operation,
            limit=self._limits.manifest_size,
            error_body=self._limits.error_body,
        )

    def _send(
        self, request: HttpRequest, operation: str, expected: tuple[int, ...]
    ) -> HttpResponse:
        return exchange(
            self._transport,
            request,
            operation,
            expected=expected,
            error_body=self._limits.error_body,
        )


def _media_type(headers: Headers) -> str:
    """Return the `Content-Type` without parameters, in lower case; empty where there is none."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _subject(headers: Headers) -> Digest | None:
    try:
        return Digest.parse(headers.get("OCI-Subject", "").strip())
    except InvalidDigestError:
        return None


def _digest_of(reference: str, content: bytes, headers: Headers, what: str) -> Digest:
    """Return the digest of what came, which is what was asked for or announced.

    Asked for by digest, the content answers for itself whatever the header says; asked for
    by tag, a header that contradicts it shows that one of the two is not to be trusted.
    """
    expected = Digest.parse(reference) if ":" in reference else digest_header(headers)
    actual = Digest.of(content, expected.algorithm if expected else "sha256")
    if expected is not None and actual != expected:
        raise DigestMismatchError(str(expected), str(actual), what=what)
    return actual
