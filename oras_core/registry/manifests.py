"""Push, pull and resolve manifests and indexes as the bytes they are (R24, R25, R26)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from oras_core.content.sources import BytesSource
from oras_core.errors import (
    AccessDeniedError,
    DigestMismatchError,
    InvalidManifestError,
    NotFoundError,
    OrasError,
    RegistryError,
    SizeLimitError,
)
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.model.media_types import ACCEPTED_MANIFESTS
from oras_core.model.values import Value
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.head_hints import HeadHints
from oras_core.registry.header_fields import (
    check_digest_header,
    content_coding,
    content_length,
    content_type,
    digest_header,
)
from oras_core.registry.profiles import HostProfile, LearnedProfile
from oras_core.registry.responses import (
    encoded_error,
    exchange,
    exchange_body,
    protocol_error,
    raise_for_status,
)

__all__ = ["ManifestClient", "PushedManifest"]

_logger = logging.getLogger(__name__)

_OF_HEAD_ALONE: Final = frozenset(range(200, 600)) - {401, 429, 502, 503, 504}
"""Statuses of a HEAD that a GET may not have; the others do not depend on the method (R23)."""

_UNPROVEN: Final = "the registry does not have the manifest afterwards"

_SUCCESS: Final = range(200, 300)
"""Of these only 201 is the spec's; others are verified (R24)."""


@frozen(eq=False, repr=False)
class PushedManifest(Value):
    """The registry's answer to the push of a manifest.

    Attributes:
        descriptor: the descriptor of the manifest.
        subject: the digest in `OCI-Subject`: the registry lists the manifest among the
            referrers of that subject. None if the answer has no such field (R30).
        tags: the tags in `OCI-Tag`, which the registry has created besides (R24).
    """

    descriptor: Descriptor
    subject: Digest | None = None
    tags: frozenset[str] = frozenset()


class ManifestClient:
    """Reads and writes the manifests of one repository. Thread-safe."""

    def __init__(
        self,
        transport: HttpTransport,
        endpoints: RepositoryEndpoints,
        limits: Limits,
        profile: LearnedProfile | None = None,
    ) -> None:
        """Send requests through `transport`; share what is learned through `profile`."""
        self._transport = transport
        self._endpoints = endpoints
        self._limits = limits
        self._profile = profile or LearnedProfile(HostProfile())
        self._hints = HeadHints()

    # --- Reading --------------------------------------------------------------------------

    def exists(self, descriptor: Descriptor) -> bool:
        """Tell whether the repository has the manifest; a 403 counts as absent (R8)."""
        operation = f"look for manifest {descriptor.digest} in {self._endpoints.name}"
        accept = (descriptor.media_type, *ACCEPTED_MANIFESTS)
        try:
            with self._head(descriptor.digest, operation, accept) as response:
                if response.status == 404 and self._profile.current.denies_by_head is not False:
                    return False
                if self._described(str(descriptor.digest), response, accept) is not None:
                    return True
            self._get(descriptor.digest, operation, accept)
            return True
        except NotFoundError:
            return False
        except AccessDeniedError as error:
            _logger.debug("treated as absent: %s", error)
            return False

    def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor of the manifest that a tag or a digest names.

        HEAD comes first: some registries count GETs (R26). If its answer does not describe
        the manifest, the manifest is fetched. So it is after `fetch` has found that an answer
        to HEAD was wrong (R23).

        Raises:
            NotFoundError: if no manifest has that tag or digest.
            RegistryError: if the registry refuses.
            InvalidReferenceError: if `reference` is neither a tag nor a digest.
        """
        operation = f"resolve {self._shown(reference)}"
        if not self._profile.current.describes_by_head:
            return self._fetch(reference, ACCEPTED_MANIFESTS, operation)[0]
        with self._head(reference, operation, ACCEPTED_MANIFESTS) as response:
            descriptor = self._described(reference, response, ACCEPTED_MANIFESTS)
            denied = response.status == 404
            if denied and self._profile.current.denies_by_head:
                raise_for_status(
                    self._request("HEAD", reference, ACCEPTED_MANIFESTS), response, operation
                )
        if descriptor is None:
            _logger.debug("HEAD does not describe %s", self._shown(reference))
            try:
                descriptor, _ = self._fetch(reference, ACCEPTED_MANIFESTS, operation)
            except NotFoundError:
                if denied:
                    self._profile.learn_denies_by_head(denies=True)
                raise
            if denied:
                self._profile.learn_denies_by_head(denies=False)
        else:
            self._hints.note(reference, descriptor)
        return descriptor

    def fetch_reference(
        self, reference: str, *, accept: Sequence[str] = ACCEPTED_MANIFESTS
    ) -> tuple[Descriptor, bytes]:
        """Return the manifest that a tag or a digest names, in one request.

        Args:
            reference: a tag or a digest.
            accept: the media types to accept. If the `Content-Type` of the answer is none
                of them, the media type is read from the manifest itself.

        Returns:
            The descriptor, whose digest is that of the bytes as received; and the bytes.

        Raises:
            NotFoundError: if no manifest has that tag or digest.
            DigestMismatchError: if the bytes do not have the digest that was requested, or
                the digest that the registry announced.
            SizeLimitError: if the manifest is larger than the limit.
            InvalidManifestError: if the type of the answer is not in `accept` and the body
                is not a manifest.
            RegistryError: if the registry refuses.
        """
        return self._fetch(reference, accept, f"read manifest {self._shown(reference)}")

    def _fetch(
        self, reference: str, accept: Sequence[str], operation: str
    ) -> tuple[Descriptor, bytes]:
        response, content = self._get(reference, operation, accept)
        what = f"manifest {self._shown(reference)}"
        digest = _digest_of(reference, content, response.headers, what)
        media_type = content_type(response.headers)
        if media_type not in accept:
            try:
                media_type = codec.decode(content, limit=self._limits.manifest_size).media_type
            except InvalidManifestError as error:
                error.found_in(f"{self._shown(reference)} (sent as {media_type or 'no type'})")
                raise
        return Descriptor(media_type, digest, len(content)), content

    def fetch(self, descriptor: Descriptor) -> bytes:
        """Return the verified bytes of the manifest that `descriptor` describes.

        Raises: as `fetch_reference`.
        """
        what = f"manifest {descriptor.digest} of {self._endpoints.name}"
        accept = (descriptor.media_type, *ACCEPTED_MANIFESTS)
        try:
            if descriptor.size > self._limits.manifest_size:
                raise SizeLimitError(what, self._limits.manifest_size)
            response, content = self._get(descriptor.digest, f"read {what}", accept)
        except (NotFoundError, SizeLimitError):
            self._judge_head(descriptor, is_right=False)
            raise
        got = len(content), content_type(response.headers)
        self._judge_head(descriptor, is_right=got == (descriptor.size, descriptor.media_type))
        _digest_of(str(descriptor.digest), content, response.headers, what)
        return content

    def _judge_head(self, descriptor: Descriptor, *, is_right: bool) -> None:
        """Check the `descriptor` of a HEAD response by a GET, unless it `is_right` (R23)."""
        reference = self._hints.take(descriptor.digest)
        if reference is None or is_right:
            return
        try:
            found, _ = self.fetch_reference(reference)
        except OrasError as error:
            _logger.debug("the answer to HEAD cannot be checked: %s", error)
            return
        if found != descriptor.plain():
            _logger.info(
                "the responses of %s to HEAD are wrong: using GET", self._endpoints.registry
            )
            self._profile.learn_misdescribes_by_head()

    def _described(
        self, reference: str, response: HttpResponse, accept: Sequence[str]
    ) -> Descriptor | None:
        """Return the descriptor in the answer to a HEAD; None if the answer is not reliable."""
        if response.status != 200:
            return None
        digest, size = digest_header(response.headers), content_length(response.headers)
        media_type = content_type(response.headers)
        if ":" in reference:
            asked = Digest.parse(reference)
            if digest not in (None, asked):
                return None
            digest = asked
        if digest is None or not size or media_type not in accept:
            return None
        return Descriptor(media_type, digest, size)

    # --- Writing --------------------------------------------------------------------------

    def push(
        self,
        content: bytes,
        media_type: str,
        reference: str | None = None,
        *,
        tags: Sequence[str] = (),
    ) -> PushedManifest:
        """Push a manifest under a tag or its digest.

        Args:
            content: the bytes of the manifest, sent unchanged.
            media_type: the media type, equal to the manifest's `mediaType`.
            reference: a tag, or the digest of `content`; None for its sha256 digest.
            tags: tags to create in the same request, if `reference` is a digest. Few
                registries do so; the result names the tags that were created.

        Raises:
            DigestMismatchError: if `reference` is a digest that `content` does not have,
                or the registry reports another digest.
            SizeLimitError: if the manifest is larger than registries accept.
            RegistryError: if the registry refuses, for example because blobs are missing.
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
            self._endpoints.manifest(target, tags),
            {"Content-Type": media_type},
            BytesSource(content),
        )
        with exchange(self._transport, request, operation, expected=_SUCCESS) as response:
            check_digest_header(response.headers, digest, f"answer to '{operation}'")
            subject = digest_header(response.headers, "OCI-Subject")
            created = {tag.strip() for tag in response.headers.get("OCI-Tag", "").split(",")}
        if response.status != 201:
            self._verify_stored(
                target, content, protocol_error(request, response, operation, _UNPROVEN)
            )
        descriptor = Descriptor(media_type, digest, len(content))
        return PushedManifest(descriptor, subject, frozenset(created.intersection(tags)))

    def _verify_stored(self, reference: str, content: bytes, error: RegistryError) -> None:
        """Check that the registry has a manifest; raise `error` if it does not."""
        try:
            found = self.resolve(reference).digest
        except (NotFoundError, InvalidManifestError):
            raise error from None
        actual = Digest.of(content, found.algorithm)
        if found != actual:
            raise DigestMismatchError(str(actual), str(found), what="the manifest in the registry")

    # --- Requests -------------------------------------------------------------------------

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
        return exchange(self._transport, request, operation, expected=_OF_HEAD_ALONE)

    def _get(
        self, reference: str | Digest, operation: str, accept: Sequence[str]
    ) -> tuple[HttpResponse, bytes]:
        return exchange_body(
            self._transport,
            self._request("GET", reference, accept),
            operation,
            limit=self._limits.manifest_size,
        )


def _digest_of(reference: str, content: bytes, headers: Headers, what: str) -> Digest:
    """Return the digest of the content, verified.

    A manifest requested by digest must have that digest; the header is ignored. A manifest
    requested by tag must have the digest in the header, if there is one. That digest also
    shows that a `Content-Encoding` is wrong; without one, the field decides (R38).
    """
    expected = Digest.parse(reference) if ":" in reference else digest_header(headers)
    actual = Digest.of(content, expected.algorithm if expected else "sha256")
    if (coding := content_coding(headers)) and actual != expected:
        raise encoded_error(what, coding)
    if expected is not None and actual != expected:
        raise DigestMismatchError(str(expected), str(actual), what=what)
    return actual
