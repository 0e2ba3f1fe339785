"""The manifests, tags and referrers of an embedded registry."""

from __future__ import annotations

import io
from collections.abc import Mapping
from threading import Lock

from attrs import evolve

from oras_core.content.referrers import as_referrer
from oras_core.errors import InvalidInputError, InvalidManifestError, SizeLimitError
from oras_core.model import media_types
from oras_core.model.codec import decode, encode_index
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.manifest import Manifest
from oras_core.model.reference import is_tag
from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.testing.registry.routes import (
    ApiError,
    Call,
    answer,
    body_chunks,
    digest_of,
    json_answer,
    page_of,
)
from oras_core.testing.registry.storage import EmbeddedStorage

__all__ = ["EmbeddedManifests"]


class EmbeddedManifests:
    """Stores, serves and lists manifests. Thread-safe.

    Args:
        storage: the content of the registry.
        referrers: whether the registry has a referrers API (R31).
    """

    def __init__(self, storage: EmbeddedStorage, *, referrers: bool) -> None:
        self._storage = storage
        self._referrers = referrers
        self._lock = Lock()
        self._repository_locks: dict[str, Lock] = {}

    # --- One manifest ---------------------------------------------------------------------

    def put(self, call: Call) -> HttpResponse:
        """PUT: store a manifest whose blobs exist (end-7)."""
        by_digest = ":" in call.item
        digest = digest_of(call.item) if by_digest else None
        if not by_digest and not is_tag(call.item):
            raise ApiError(400, "MANIFEST_INVALID", f"{call.item!r} is no tag")
        content = _bounded_body(call.request)
        manifest = _decoded(content, call.request)
        if digest is None:
            digest = manifest.digest
        elif not digest.matches(content):
            raise ApiError(400, "DIGEST_INVALID", f"the manifest has not the digest {digest}")
        headers = {
            "Location": f"/v2/{call.repository}/manifests/{digest}",
            "Docker-Content-Digest": str(digest),
        }
        with self._lock_of(call.repository):
            self._check_successors(call.repository, manifest)
            self._storage.add_manifest(call.repository, digest, manifest.media_type, content)
            if not by_digest:
                self._storage.set_tag(call.repository, call.item, digest)
            if manifest.subject is not None:
                self._storage.add_referrer(call.repository, manifest.subject.digest, digest)
                if self._referrers:
                    headers["OCI-Subject"] = str(manifest.subject.digest)
        return answer(201, headers)

    def get(self, call: Call) -> HttpResponse:
        """GET and HEAD (end-3)."""
        digest = self._digest(call)
        media_type, content = self._found(call, digest)
        headers = {"Content-Type": media_type, "Docker-Content-Digest": str(digest)}
        return answer(200, headers, io.BytesIO(content), size=len(content))

    def delete(self, call: Call) -> HttpResponse:
        """DELETE: remove a tag alone, or a manifest and all its tags (end-9)."""
        with self._lock_of(call.repository):
            digest = self._digest(call)
            _, content = self._found(call, digest)
            if ":" not in call.item:
                self._storage.remove_tag(call.repository, call.item)
                return answer(202)
            subject = decode(content).subject
            if subject is not None:
                self._storage.remove_referrer(call.repository, subject.digest, digest)
            for tag in self._storage.tags(call.repository):
                if self._storage.tag(call.repository, tag) == digest:
                    self._storage.remove_tag(call.repository, tag)
            self._storage.remove_manifest(call.repository, digest)
        return answer(202)

    def _digest(self, call: Call) -> Digest:
        if ":" in call.item:
            return digest_of(call.item)
        found = self._storage.tag(call.repository, call.item) if is_tag(call.item) else None
        if found is None:
            raise _unknown(call)
        return found

    def _found(self, call: Call, digest: Digest) -> tuple[str, bytes]:
        found = self._storage.manifest(call.repository, digest)
        if found is None:
            raise _unknown(call)
        return found

    def _check_successors(self, repository: str, manifest: Manifest | Index) -> None:
        # The subject may arrive later or never (distribution spec, "Pushing Manifests").
        if isinstance(manifest, Index):
            missing = [
                child.digest
                for child in manifest.manifests
                if not self._storage.has_manifest(repository, child.digest)
            ]
        else:
            missing = [
                blob.digest
                for blob in manifest.blobs
                if not blob.urls and self._storage.blob_size(repository, blob.digest) is None
            ]
        if missing:
            raise ApiError(400, "MANIFEST_BLOB_UNKNOWN", f"{repository} has no {missing[0]}")

    def _lock_of(self, repository: str) -> Lock:
        with self._lock:
            return self._repository_locks.setdefault(repository, Lock())

    # --- Lists ----------------------------------------------------------------------------

    def tags(self, call: Call) -> HttpResponse:
        """GET: the tags, in pages on request (end-8a, end-8b)."""
        if not self._storage.has_repository(call.repository):
            raise ApiError(404, "NAME_UNKNOWN", f"there is no repository {call.repository}")
        page, link = page_of(call, self._storage.tags(call.repository))
        return json_answer(200, {"name": call.repository, "tags": page}, link)

    def catalog(self, call: Call) -> HttpResponse:
        """GET: the repositories, in pages on request (R28)."""
        page, link = page_of(call, self._storage.repositories())
        return json_answer(200, {"repositories": page}, link)

    def referrers(self, call: Call) -> HttpResponse:
        """GET: an index of the manifests with a subject, filtered on request (end-12)."""
        if not self._referrers:
            raise ApiError(404, "UNSUPPORTED", "there is no referrers API")
        subject = digest_of(call.item)
        found = [
            descriptor
            for digest in self._storage.referrers(call.repository, subject)
            if (descriptor := self._describe(call.repository, digest)) is not None
        ]
        headers: Mapping[str, str] = {"Content-Type": media_types.OCI_INDEX}
        if wanted := call.query.get("artifactType"):
            found = [descriptor for descriptor in found if descriptor.artifact_type == wanted]
            headers = {**headers, "OCI-Filters-Applied": "artifactType"}
        content = encode_index(manifests=found).content
        return answer(200, headers, io.BytesIO(content), size=len(content))

    def _describe(self, repository: str, digest: Digest) -> Descriptor | None:
        stored = self._storage.manifest(repository, digest)
        if stored is None:
            return None  # removed meanwhile
        media_type, content = stored
        described = as_referrer(decode(content, media_type))
        return evolve(described, digest=digest)  # it may have another algorithm


def _unknown(call: Call) -> ApiError:
    return ApiError(404, "MANIFEST_UNKNOWN", f"{call.repository} has no manifest {call.item!r}")


def _bounded_body(request: HttpRequest) -> bytes:
    content = bytearray()
    for chunk in body_chunks(request):
        content += chunk
        if len(content) > MAX_MANIFEST_SIZE:
            raise ApiError(413, "SIZE_INVALID", f"a manifest has {MAX_MANIFEST_SIZE} bytes at most")
    return bytes(content)


def _decoded(content: bytes, request: HttpRequest) -> Manifest | Index:
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip()
    try:
        return decode(content, media_type or None)
    except (InvalidManifestError, InvalidInputError, SizeLimitError) as error:
        raise ApiError(400, "MANIFEST_INVALID", str(error)) from error
