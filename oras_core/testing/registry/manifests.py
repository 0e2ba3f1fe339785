"""The manifests, tags and referrers of an embedded registry."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Final

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
from oras_core.testing.registry.layouts import RepositoryLayout
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

MAX_TAGS: Final = 100
"""Tags that one request may set; the spec demands 10."""


class EmbeddedManifests:
    """Stores, serves and lists manifests. Thread-safe.

    Args:
        storage: the content of the registry.
        referrers: whether the registry has a referrers API (R31).
        sparse: whether the blobs and manifests that a manifest refers to may be missing.
    """

    def __init__(self, storage: EmbeddedStorage, *, referrers: bool, sparse: bool) -> None:
        self._storage = storage
        self._referrers = referrers
        self._sparse = sparse

    # --- One manifest ---------------------------------------------------------------------

    def put(self, call: Call) -> HttpResponse:
        """PUT: store a manifest by tag (end-7a), or by digest, with any tags (end-7b)."""
        digest = digest_of(call.item) if ":" in call.item else None
        tags = _tags(call)
        content = _bounded_body(call.request)
        manifest = _decoded(content, call.request)
        if digest is None:
            digest = manifest.digest
        elif not digest.matches(content):
            raise ApiError(400, "DIGEST_INVALID", f"the digest of the manifest is not {digest}")
        headers = {
            "Location": f"/v2/{call.repository}/manifests/{digest}",
            "Docker-Content-Digest": str(digest),
        }
        if not self._sparse:
            self._check_successors(call.repository, manifest)
        descriptor = Descriptor(manifest.media_type, digest, len(content))
        self._storage.writable(call.repository).add(descriptor, manifest, content, tags)
        if manifest.subject is not None and self._referrers:
            headers["OCI-Subject"] = str(manifest.subject.digest)
        if tags and ":" in call.item:
            headers["OCI-Tag"] = ", ".join(tags)
        return answer(201, headers)

    def get(self, call: Call) -> HttpResponse:
        """GET and HEAD (end-3)."""
        repository = self._storage.repository(call.repository)
        found = self._found(repository, call)
        content = repository.content(found)
        if content is None:
            raise _unknown(call)
        headers = {
            "Content-Type": found.media_type,
            "Docker-Content-Digest": str(found.digest),
            "ETag": f'"{found.digest}"',
        }
        return answer(200, headers, io.BytesIO(content), size=len(content))

    def delete(self, call: Call) -> HttpResponse:
        """DELETE: remove a tag alone, or a manifest and all its tags (end-9)."""
        repository = self._storage.repository(call.repository)
        found = self._found(repository, call)
        if ":" in call.item:
            repository.remove(found)
        else:
            repository.untag(call.item)
        return answer(202)

    def _found(self, repository: RepositoryLayout, call: Call) -> Descriptor:
        if ":" in call.item:
            found = repository.manifest(digest_of(call.item))
        else:
            found = repository.tag(call.item) if is_tag(call.item) else None
        if found is None:
            raise _unknown(call)
        return found

    def _check_successors(self, repository: str, manifest: Manifest | Index) -> None:
        # The subject may arrive later or never (distribution spec, "Pushing Manifests").
        if isinstance(manifest, Index):
            layout = self._storage.repository(repository)
            missing = [
                child.digest
                for child in manifest.manifests
                if layout.manifest(child.digest) is None
            ]
        else:
            missing = [
                blob.digest
                for blob in manifest.blobs
                if not blob.urls and self._storage.blob_size(repository, blob.digest) is None
            ]
        if missing:
            raise ApiError(400, "MANIFEST_BLOB_UNKNOWN", f"{repository} has no {missing[0]}")

    # --- Lists ----------------------------------------------------------------------------

    def tags(self, call: Call) -> HttpResponse:
        """GET: the tags, in pages on request (end-8a, end-8b)."""
        repository = self._storage.repository(call.repository)
        if not repository.exists:
            raise ApiError(404, "NAME_UNKNOWN", f"there is no repository {call.repository}")
        page, link = page_of(call, repository.tags())
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
        repository = self._storage.repository(call.repository)
        found = [
            described
            for candidate in repository.predecessors(subject)
            if (described := _as_referrer(repository, candidate, subject)) is not None
        ]
        headers: Mapping[str, str] = {"Content-Type": media_types.OCI_INDEX}
        if wanted := call.query.get("artifactType"):
            found = [descriptor for descriptor in found if descriptor.artifact_type == wanted]
            headers = {**headers, "OCI-Filters-Applied": "artifactType"}
        content = encode_index(manifests=found).content
        return answer(200, headers, io.BytesIO(content), size=len(content))


def _as_referrer(
    repository: RepositoryLayout, candidate: Descriptor, subject: Digest
) -> Descriptor | None:
    content = repository.content(candidate)
    if content is None:
        return None  # removed meanwhile
    document = decode(content, candidate.media_type)
    if document.subject is None or document.subject.digest != subject:
        return None  # it refers to the subject in another way
    return evolve(as_referrer(document), digest=candidate.digest)  # of any algorithm


def _unknown(call: Call) -> ApiError:
    return ApiError(404, "MANIFEST_UNKNOWN", f"{call.repository} has no manifest {call.item!r}")


def _tags(call: Call) -> list[str]:
    """Return the tags to set: those of the query for a digest, else the one of the path."""
    tags = list(dict.fromkeys(call.tags)) if ":" in call.item else [call.item]
    for tag in tags:
        if not is_tag(tag):
            raise ApiError(400, "MANIFEST_INVALID", f"{tag!r} is not a valid tag")
    if len(tags) > MAX_TAGS:
        raise ApiError(414, "UNSUPPORTED", f"one request sets {MAX_TAGS} tags at most")
    return tags


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
