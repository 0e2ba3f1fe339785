"""The embedded registry, held to the calls of the distribution spec 1.1."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest

from oras_core.content.sources import BytesSource
from oras_core.errors import SizeMismatchError, TransportError
from oras_core.model import media_types
from oras_core.model.codec import encode_index, encode_manifest
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.paths import sanitize_path
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.registry.auth import TokenService
from oras_core.testing.registry.registry import EmbeddedRegistry
from oras_core.testing.registry.subtree import Subtree
from support.registry_client import EMPTY, ORIGIN, RegistryClient

BLOB = b"the content of a blob"
DIGEST = Digest.of(BLOB)


@pytest.fixture
def client():
    return RegistryClient(EmbeddedRegistry())


# --- The table of calls -------------------------------------------------------------------

D = str(DIGEST)
UNKNOWN = str(Digest.of(b"unknown"))

CALLS = [
    # The endpoints of the spec's table, by their numbers: end-1
    ("GET", "/v2/", 200, None),
    ("GET", "/v2", 200, None),
    # end-2, blobs
    ("GET", f"/v2/app/blobs/{D}", 200, None),
    ("HEAD", f"/v2/app/blobs/{D}", 200, None),
    ("GET", f"/v2/app/blobs/{D.replace(':', '%3A')}", 200, None),
    ("GET", f"/v2/app/blobs/{UNKNOWN}", 404, "BLOB_UNKNOWN"),
    ("GET", f"/v2/other/blobs/{D}", 404, "BLOB_UNKNOWN"),
    ("GET", "/v2/app/blobs/sha256:abc", 400, "DIGEST_INVALID"),
    ("GET", "/v2/app/blobs/md5:abc", 400, "DIGEST_INVALID"),
    # end-3, manifests
    ("GET", "/v2/app/manifests/v1", 200, None),
    ("HEAD", "/v2/app/manifests/v1", 200, None),
    ("GET", "/v2/app/manifests/v2", 404, "MANIFEST_UNKNOWN"),
    ("GET", f"/v2/app/manifests/{D}", 404, "MANIFEST_UNKNOWN"),
    ("GET", "/v2/app/manifests/-v1", 404, "MANIFEST_UNKNOWN"),
    ("GET", "/v2/other/manifests/v1", 404, "MANIFEST_UNKNOWN"),
    # uploads
    ("POST", "/v2/app/blobs/uploads/", 202, None),
    ("POST", "/v2/app/blobs/uploads/?digest=nonsense", 400, "DIGEST_INVALID"),
    ("GET", "/v2/app/blobs/uploads/unknown", 404, "BLOB_UPLOAD_UNKNOWN"),
    ("PATCH", "/v2/app/blobs/uploads/unknown", 404, "BLOB_UPLOAD_UNKNOWN"),
    ("PUT", f"/v2/app/blobs/uploads/unknown?digest={D}", 404, "BLOB_UPLOAD_UNKNOWN"),
    ("DELETE", "/v2/app/blobs/uploads/unknown", 404, "BLOB_UPLOAD_UNKNOWN"),
    # end-7, manifests
    ("PUT", "/v2/app/manifests/v1", 400, "MANIFEST_INVALID"),
    ("PUT", "/v2/app/manifests/.v1", 400, "MANIFEST_INVALID"),
    # end-8, tags
    ("GET", "/v2/app/tags/list", 200, None),
    ("GET", "/v2/app/tags/list?n=x", 400, "UNSUPPORTED"),
    ("GET", "/v2/other/tags/list", 404, "NAME_UNKNOWN"),
    # removal
    ("DELETE", "/v2/app/manifests/v1", 202, None),
    ("DELETE", "/v2/app/manifests/v2", 404, "MANIFEST_UNKNOWN"),
    ("DELETE", f"/v2/app/blobs/{D}", 202, None),
    ("DELETE", f"/v2/app/blobs/{UNKNOWN}", 404, "BLOB_UNKNOWN"),
    # end-11, mounts
    ("POST", f"/v2/app/blobs/uploads/?mount={D}&from=app", 201, None),
    ("POST", f"/v2/other/blobs/uploads/?mount={D}&from=app", 201, None),
    ("POST", f"/v2/app/blobs/uploads/?mount={UNKNOWN}&from=app", 202, None),
    ("POST", f"/v2/other/blobs/uploads/?mount={D}&from=other", 202, None),
    ("POST", f"/v2/other/blobs/uploads/?mount={D}", 202, None),
    # end-12, referrers
    ("GET", f"/v2/app/referrers/{D}", 200, None),
    ("GET", f"/v2/other/referrers/{D}", 200, None),
    ("GET", "/v2/app/referrers/v1", 400, "DIGEST_INVALID"),
    # beside the spec
    ("GET", "/v2/_catalog", 200, None),
    ("GET", "/v1/", 404, "UNSUPPORTED"),
    ("GET", "/v2/app", 404, "UNSUPPORTED"),
    ("GET", "/v2/app/tags/list/", 404, "UNSUPPORTED"),
    ("PATCH", "/v2/app/manifests/v1", 405, "UNSUPPORTED"),
    ("PUT", "/v2/app/tags/list", 405, "UNSUPPORTED"),
    # the grammar of names, R36
    ("GET", "/v2/App/tags/list", 400, "NAME_INVALID"),
    ("GET", "/v2/a//b/tags/list", 400, "NAME_INVALID"),
    ("GET", "/v2/../app/manifests/v1", 400, "NAME_INVALID"),
    ("GET", "/v2/-a/blobs/" + D, 400, "NAME_INVALID"),
    ("POST", "/v2/a_/blobs/uploads/", 400, "NAME_INVALID"),
]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"), CALLS, ids=[f"{m} {p[:60]}" for m, p, *_ in CALLS]
)
def test_each_call_has_its_answer(client, method, path, status, code):
    client.push_blob("app", BLOB)
    client.push_artifact("app", "v1")
    answer = client.ask(method, path)
    assert answer.status == status
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    if code and method != "HEAD":
        assert answer.code == code
        assert answer.headers["Content-Type"] == "application/json"
    if status != 204 and method != "HEAD":
        assert answer.headers["Content-Length"] == str(len(answer.body))
    if method == "HEAD":
        assert answer.body == b""


# --- Blobs --------------------------------------------------------------------------------


def test_blob_is_served_with_its_headers(client):
    client.push_blob("app", BLOB)
    answer = client.ask("GET", f"/v2/app/blobs/{D}")
    assert answer.body == BLOB
    assert answer.headers["Docker-Content-Digest"] == D
    assert answer.headers["Accept-Ranges"] == "bytes"
    head = client.ask("HEAD", f"/v2/app/blobs/{D}")
    assert dict(head.headers) == dict(answer.headers)


@pytest.mark.parametrize(
    ("asked", "status", "body", "content_range"),
    [
        ("bytes=0-2", 206, BLOB[:3], f"bytes 0-2/{len(BLOB)}"),
        ("bytes=4-", 206, BLOB[4:], f"bytes 4-{len(BLOB) - 1}/{len(BLOB)}"),
        ("bytes=-4", 206, BLOB[-4:], f"bytes {len(BLOB) - 4}-{len(BLOB) - 1}/{len(BLOB)}"),
        ("bytes=-9999", 206, BLOB, f"bytes 0-{len(BLOB) - 1}/{len(BLOB)}"),
        ("bytes=4-9999", 206, BLOB[4:], f"bytes 4-{len(BLOB) - 1}/{len(BLOB)}"),
        (f"bytes={len(BLOB)}-", 416, None, f"bytes */{len(BLOB)}"),
        ("bytes=5-4", 416, None, f"bytes */{len(BLOB)}"),
        ("bytes=-", 200, BLOB, None),
        ("bytes=0-1,3-4", 200, BLOB, None),
        ("lines=1-2", 200, BLOB, None),
    ],
)
def test_a_range_of_a_blob(client, asked, status, body, content_range):
    client.push_blob("app", BLOB)
    answer = client.ask("GET", f"/v2/app/blobs/{D}", Range=asked)
    assert answer.status == status
    assert answer.headers.get("Content-Range") == content_range
    if body is not None:
        assert answer.body == body


def test_range_with_another_etag_returns_the_whole_blob(client):
    client.push_blob("app", BLOB)
    path = f"/v2/app/blobs/{D}"
    etag = client.ask("HEAD", path).headers["ETag"]
    assert client.ask("GET", path, Range="bytes=1-2", If_Range=etag).status == 206
    assert client.ask("GET", path, Range="bytes=1-2", If_Range='"old"').body == BLOB


def test_a_blob_is_removed_from_one_repository(client):
    for repository in ("app", "other"):
        client.push_blob(repository, BLOB)
    assert client.ask("DELETE", f"/v2/app/blobs/{D}").status == 202
    assert client.ask("GET", f"/v2/app/blobs/{D}").status == 404
    assert client.ask("GET", f"/v2/other/blobs/{D}").body == BLOB


@pytest.mark.parametrize("content", [b"", BLOB, b"x" * 3_000_000])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_blob_of_any_size_round_trips(client, content, algorithm):
    digest = Digest.of(content, algorithm)
    location = client.ask("POST", "/v2/app/blobs/uploads/").location
    answer = client.ask("PUT", f"{location}&digest={digest}", content)
    assert answer.status == 201
    assert answer.location == f"/v2/app/blobs/{digest}"
    assert answer.headers["Docker-Content-Digest"] == str(digest)
    assert client.ask("GET", answer.location).body == content


# --- Uploads ------------------------------------------------------------------------------


def begun(client, repository="app"):
    return client.ask("POST", f"/v2/{repository}/blobs/uploads/")


def test_upload_in_chunks(client):
    answer = begun(client)
    assert answer.headers["Range"] == "0-0"
    for start in range(0, len(BLOB), 8):
        part = BLOB[start : start + 8]
        end = start + len(part) - 1
        answer = client.ask("PATCH", answer.location, part, Content_Range=f"{start}-{end}")
        assert (answer.status, answer.headers["Range"]) == (202, f"0-{end}")
    status = client.ask("GET", answer.location)
    assert (status.status, status.headers["Range"]) == (204, f"0-{len(BLOB) - 1}")
    assert client.ask("PUT", f"{status.location}&digest={D}").status == 201
    assert client.ask("GET", f"/v2/app/blobs/{D}").body == BLOB
    assert client.ask("GET", answer.location).code == "BLOB_UPLOAD_UNKNOWN"


def test_final_put_can_have_a_chunk(client):
    location = client.ask("PATCH", begun(client).location, BLOB[:5]).location
    answer = client.ask(
        "PUT", f"{location}&digest={D}", BLOB[5:], Content_Range=f"5-{len(BLOB) - 1}"
    )
    assert answer.status == 201
    assert client.ask("GET", f"/v2/app/blobs/{D}").body == BLOB


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("content_range", ["0-4", "6-10"])
def test_chunk_out_of_order_is_refused_and_the_session_continues(client, method, content_range):
    location = client.ask("PATCH", begun(client).location, BLOB[:5]).location
    answer = client.ask(method, f"{location}&digest={D}", BLOB[5:10], Content_Range=content_range)
    assert answer.status == 416
    assert answer.headers["Range"] == "0-4"
    assert client.ask("PATCH", answer.location, BLOB[5:], Content_Range="5-20").status == 202
    assert client.ask("PUT", f"{answer.location}&digest={D}").status == 201


@pytest.mark.parametrize("content_range", ["0-9", "bytes 0-4", "0-4/5", "x"])
def test_a_malformed_content_range_is_refused(client, content_range):
    answer = client.ask("PATCH", begun(client).location, BLOB[:5], Content_Range=content_range)
    assert answer.status == 400
    assert client.ask("GET", begun(client).location).headers["Range"] == "0-0"


@pytest.mark.parametrize("in_parts", [False, True])
def test_bytes_with_another_digest_end_the_upload(client, in_parts):
    location = begun(client).location
    if in_parts:
        location = client.ask("PATCH", location, BLOB).location
    answer = client.ask("PUT", f"{location}&digest={UNKNOWN}", b"" if in_parts else BLOB)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert client.ask("GET", location).status == 404
    assert client.ask("HEAD", f"/v2/app/blobs/{UNKNOWN}").status == 404
    assert client.ask("HEAD", f"/v2/app/blobs/{D}").status == 404


def test_put_without_a_digest_is_refused_and_the_session_continues(client):
    location = begun(client).location
    assert client.ask("PUT", location, BLOB).code == "DIGEST_INVALID"
    assert client.ask("PUT", f"{location}&digest={D}", BLOB).status == 201


def test_a_session_belongs_to_its_repository(client):
    location = begun(client).location
    assert client.ask("GET", location.replace("/app/", "/other/")).status == 404


def test_cancelled_session_leaves_nothing():
    files = MemoryFileTree()
    client = RegistryClient(EmbeddedRegistry(files))
    location = client.ask("PATCH", begun(client).location, BLOB).location
    assert client.ask("DELETE", location).status == 204
    assert client.ask("GET", location).status == 404
    assert stored(files) == []


def stored(files, folder=None):
    found = []
    for entry in files.entries(folder):
        found += stored(files, entry.path) if entry.kind == "directory" else [str(entry.path)]
    return found


def test_finished_sessions_leave_nothing_but_the_blob():
    files = MemoryFileTree()
    client = RegistryClient(EmbeddedRegistry(files))
    location = client.ask("PATCH", begun(client).location, BLOB).location
    client.ask("PUT", f"{location}&digest={D}")
    blob = f"app/blobs/sha256/{DIGEST.encoded}"
    assert stored(files) == [blob, "app/index.json", "app/oci-layout"]


class BrokenBody:
    """Fails after some bytes."""

    size = len(BLOB)

    def __init__(self, content, error=None):
        self.content = content
        self.error = error

    def open(self):
        return self

    def read(self, size=-1):
        piece, self.content = self.content, b""
        if not piece and self.error:
            raise self.error
        return piece

    def close(self):
        pass


def test_interrupted_chunk_keeps_the_received_bytes(client):
    location = client.ask("PATCH", begun(client).location, BLOB[:3]).location
    error = TransportError("PATCH", location, "broken")
    with pytest.raises(TransportError):
        client.ask("PATCH", location, BrokenBody(BLOB[3:7], error))
    status = client.ask("GET", location)
    assert status.headers["Range"] == "0-6"
    assert client.ask("PATCH", status.location, BLOB[7:], Content_Range="7-20").status == 202
    assert client.ask("PUT", f"{status.location}&digest={D}").status == 201


def test_interrupted_monolithic_upload_is_not_stored(client):
    location = begun(client).location
    with pytest.raises(SizeMismatchError):
        client.ask("PUT", f"{location}&digest={D}", BrokenBody(BLOB[:-1]))
    assert client.ask("HEAD", f"/v2/app/blobs/{D}").status == 404
    assert client.ask("PUT", f"{location}&digest={D}", BLOB).status == 201


def test_an_upload_without_requests_expires():
    clock, files = Clock(), MemoryFileTree()
    client = RegistryClient(EmbeddedRegistry(files, upload_lifetime=60.0, now=clock))
    stale = client.ask("PATCH", begun(client).location, BLOB[:3]).location
    used = client.ask("PATCH", begun(client).location, BLOB[:3]).location
    clock.time = 40.0
    assert client.ask("GET", used).status == 204
    clock.time = 61.0
    assert client.ask("PATCH", stale, BLOB[3:]).code == "BLOB_UPLOAD_UNKNOWN"
    assert client.ask("PATCH", used, BLOB[3:]).status == 202
    assert client.ask("PUT", f"{used}&digest={D}").status == 201
    assert not any(path.startswith("_uploads") for path in stored(files))


# --- Manifests ----------------------------------------------------------------------------


def test_manifest_round_trips_unchanged(client):
    manifest = client.push_artifact("app", "v1")
    for reference in ("v1", manifest.digest):
        answer = client.ask("GET", f"/v2/app/manifests/{reference}")
        assert answer.body == manifest.content
        assert answer.headers["Content-Type"] == manifest.media_type
        assert answer.headers["Docker-Content-Digest"] == str(manifest.digest)


def test_a_manifest_pushed_by_digest_has_no_tag(client):
    client.push_blob("app", b"{}")
    manifest = encode_manifest(config=EMPTY, layers=[])
    answer = client.push_manifest("app", manifest.digest, manifest)
    assert answer.location == f"/v2/app/manifests/{manifest.digest}"
    assert "OCI-Subject" not in answer.headers
    assert client.ask("GET", "/v2/app/tags/list").json == {"name": "app", "tags": []}


def test_a_sha512_digest_names_a_manifest_too(client):
    client.push_blob("app", b"{}")
    manifest = encode_manifest(config=EMPTY, layers=[])
    digest = Digest.of(manifest.content, "sha512")
    answer = client.push_manifest("app", digest, manifest)
    assert answer.headers["Docker-Content-Digest"] == str(digest)
    assert client.ask("GET", f"/v2/app/manifests/{digest}").body == manifest.content


@pytest.mark.parametrize("missing", ["config", "layer", "child"])
def test_manifest_with_missing_references_is_refused(client, missing):
    layer = Descriptor.of(BLOB, media_types.OCI_LAYER_TAR)
    if missing != "config":
        client.push_blob("app", b"{}")
    if missing != "layer":
        client.push_blob("app", BLOB)
    manifest = encode_manifest(config=EMPTY, layers=[layer])
    if missing == "child":
        manifest = encode_index(manifests=[manifest.descriptor])
    client.push_blob("other", b"{}")
    client.push_blob("other", BLOB)
    answer = client.ask(
        "PUT", "/v2/app/manifests/v1", manifest.content, Content_Type=manifest.media_type
    )
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert client.ask("GET", "/v2/app/manifests/v1").status == 404


def test_layer_with_urls_can_be_missing(client):
    layer = Descriptor(media_types.OCI_LAYER_TAR, DIGEST, 9, urls=("https://elsewhere.test/",))
    client.push_blob("app", b"{}")
    client.push_manifest("app", "v1", encode_manifest(config=EMPTY, layers=[layer]))


def test_index_is_accepted(client):
    manifest = client.push_artifact("app", "v1")
    index = encode_index(manifests=[manifest.descriptor])
    client.push_manifest("app", "all", index)
    assert client.ask("GET", "/v2/app/manifests/all").body == index.content


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"no json", media_types.OCI_MANIFEST, 400, "MANIFEST_INVALID"),
        (b"{}", media_types.OCI_MANIFEST, 400, "MANIFEST_INVALID"),
        (b'{"schemaVersion":2,"manifests":[]}', "text/plain", 400, "MANIFEST_INVALID"),
        (b"x" * (4 * 1024 * 1024 + 1), media_types.OCI_MANIFEST, 413, "SIZE_INVALID"),
    ],
)
def test_invalid_manifest_is_refused(client, content, content_type, status, code):
    answer = client.ask("PUT", "/v2/app/manifests/v1", content, Content_Type=content_type)
    assert (answer.status, answer.code) == (status, code)


def test_a_content_type_that_contradicts_the_body_is_refused(client):
    client.push_blob("app", b"{}")
    manifest = encode_manifest(config=EMPTY, layers=[])
    answer = client.ask(
        "PUT", "/v2/app/manifests/v1", manifest.content, Content_Type=media_types.OCI_INDEX
    )
    assert answer.code == "MANIFEST_INVALID"


def test_a_manifest_under_another_digest_is_refused(client):
    client.push_blob("app", b"{}")
    manifest = encode_manifest(config=EMPTY, layers=[])
    answer = client.ask("PUT", f"/v2/app/manifests/{UNKNOWN}", manifest.content)
    assert answer.code == "DIGEST_INVALID"


def test_removing_a_tag_keeps_the_manifest(client):
    manifest = client.push_artifact("app", "v1")
    client.push_manifest("app", "v2", manifest)
    assert client.ask("DELETE", "/v2/app/manifests/v1").status == 202
    assert client.ask("GET", "/v2/app/tags/list").json["tags"] == ["v2"]
    assert client.ask("GET", f"/v2/app/manifests/{manifest.digest}").status == 200


def test_removing_a_manifest_removes_its_tags(client):
    manifest = client.push_artifact("app", "v1")
    client.push_manifest("app", "v2", manifest)
    client.push_artifact("app", "v3", artifact_type="application/x")
    assert client.ask("DELETE", f"/v2/app/manifests/{manifest.digest}").status == 202
    assert client.ask("GET", "/v2/app/tags/list").json["tags"] == ["v3"]
    assert client.ask("GET", f"/v2/app/manifests/{manifest.digest}").status == 404


def test_a_manifest_is_not_deleted_as_a_blob(client):
    manifest = client.push_artifact("app", "v1")
    answer = client.ask("DELETE", f"/v2/app/blobs/{manifest.digest}")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert client.ask("GET", "/v2/app/manifests/v1").body == manifest.content


def test_a_read_only_registry_changes_nothing():
    files = MemoryFileTree()
    manifest = RegistryClient(EmbeddedRegistry(files)).push_artifact("app", "v1")
    client = RegistryClient(EmbeddedRegistry(files, read_only=True))
    assert client.ask("GET", "/v2/app/manifests/v1").body == manifest.content
    for method, path in (
        ("POST", "/v2/app/blobs/uploads/"),
        ("PUT", "/v2/app/manifests/v1"),
        ("DELETE", "/v2/app/manifests/v1"),
        ("DELETE", f"/v2/app/blobs/{D}"),
    ):
        answer = client.ask(method, path, b"")
        assert (answer.status, answer.code) == (405, "UNSUPPORTED")
        assert answer.headers["Allow"] == "GET, HEAD"
    assert client.ask("HEAD", "/v2/app/manifests/v1").status == 200


def test_a_layout_of_another_program_is_served_and_watched():
    files = MemoryFileTree()
    layout = OciLayoutStore(Subtree(files, sanitize_path("team/app")))
    blob = Descriptor.of(b"{}", media_types.OCI_EMPTY)
    inner = encode_manifest(config=blob, layers=[])
    index = encode_index(manifests=[inner.descriptor])
    client = RegistryClient(EmbeddedRegistry(files))
    for tag in ("v1", "v2"):
        with layout.receiving() as target:
            for descriptor, content in (
                (blob, b"{}"),
                (inner.descriptor, inner.content),
                (index.descriptor, index.content),
            ):
                target.push(descriptor, BytesSource(content))
            target.tag(index.descriptor, tag)
        assert client.ask("GET", f"/v2/team/app/manifests/{tag}").body == index.content
        assert client.ask("GET", f"/v2/team/app/manifests/{inner.digest}").body == inner.content
    assert client.ask("DELETE", f"/v2/team/app/manifests/{index.digest}").status == 202
    assert client.ask("GET", f"/v2/team/app/manifests/{inner.digest}").body == inner.content
    assert client.ask("GET", "/v2/team/app/tags/list").json["tags"] == []
    assert list(layout.roots()) == [inner.descriptor.plain()]


# --- Lists --------------------------------------------------------------------------------


def pages(client, path):
    """Follow the links, and return the bodies."""
    found = []
    while path:
        answer = client.ask("GET", path)
        assert answer.status == 200
        found.append(answer.json)
        link = answer.headers.get("Link", "")
        assert not link or link.endswith('; rel="next"')
        path = link.partition(">")[0].lstrip("<")
    return found


def test_tags_are_paginated(client):
    manifest = client.push_artifact("a/b", "v0")
    for tag in ("v3", "v1", "A", "v2"):
        client.push_manifest("a/b", tag, manifest)
    tags = [page["tags"] for page in pages(client, "/v2/a/b/tags/list?n=2")]
    assert tags == [["A", "v0"], ["v1", "v2"], ["v3"]]
    assert [page["tags"] for page in pages(client, "/v2/a/b/tags/list?last=v1")] == [["v2", "v3"]]
    assert pages(client, "/v2/a/b/tags/list?n=0") == [{"name": "a/b", "tags": []}]
    assert len(pages(client, "/v2/a/b/tags/list?n=5")) == 1


def test_catalog_is_paginated(client):
    for repository in ("b", "a/b/c", "a", "a/b"):
        client.push_artifact(repository, "v1")
    client.push_blob("only/blobs", BLOB)
    found = [page["repositories"] for page in pages(client, "/v2/_catalog?n=3")]
    assert found == [["a", "a/b", "a/b/c"], ["b", "only/blobs"]]


def test_repository_names_that_a_layout_uses_itself():
    files = MemoryFileTree()
    client = RegistryClient(EmbeddedRegistry(files))
    names = ["a", "a/blobs", "a/blobs/sha256", "a/index.json", "blobs", "oci-layout"]
    for name in names:
        client.push_artifact(name, "v1", annotations={"name": name})
    other = RegistryClient(EmbeddedRegistry(files))
    for name in names:
        manifest = other.ask("GET", f"/v2/{name}/manifests/v1").json
        assert manifest["annotations"] == {"name": name}
    assert other.ask("GET", "/v2/_catalog").json == {"repositories": names}


def test_referrers_are_listed_and_filtered(client):
    subject = client.push_artifact("app", "v1")
    named = client.push_artifact(
        "app",
        "r1",
        subject=subject.descriptor,
        artifact_type="application/x.sbom",
        annotations={"key": "value"},
    )
    unnamed = client.push_artifact("app", "r2", subject=subject.descriptor)
    index = encode_index(manifests=[], subject=subject.descriptor, artifact_type="application/y")
    client.push_manifest("app", index.digest, index)
    answer = client.ask("GET", f"/v2/app/referrers/{subject.digest}")
    assert answer.headers["Content-Type"] == media_types.OCI_INDEX
    assert "OCI-Filters-Applied" not in answer.headers
    assert answer.json["mediaType"] == media_types.OCI_INDEX
    listed = {entry["digest"]: entry for entry in answer.json["manifests"]}
    assert set(listed) == {str(item.digest) for item in (named, unnamed, index)}
    assert listed[str(named.digest)] == {
        "mediaType": media_types.OCI_MANIFEST,
        "digest": str(named.digest),
        "size": len(named.content),
        "artifactType": "application/x.sbom",
        "annotations": {"key": "value"},
    }
    assert listed[str(unnamed.digest)]["artifactType"] == EMPTY.media_type
    assert listed[str(index.digest)]["artifactType"] == "application/y"
    filtered = client.ask(
        "GET", f"/v2/app/referrers/{subject.digest}?artifactType=application/x.sbom"
    )
    assert filtered.headers["OCI-Filters-Applied"] == "artifactType"
    assert [entry["digest"] for entry in filtered.json["manifests"]] == [str(named.digest)]


def test_a_subject_is_acknowledged_and_may_be_missing(client):
    subject = Descriptor(media_types.OCI_MANIFEST, Digest.of(b"later"), 5)
    client.push_blob("app", b"{}")
    manifest = encode_manifest(config=EMPTY, layers=[], subject=subject)
    answer = client.push_manifest("app", manifest.digest, manifest)
    assert answer.headers["OCI-Subject"] == str(subject.digest)
    client.ask("DELETE", f"/v2/app/manifests/{manifest.digest}")
    assert client.ask("GET", f"/v2/app/referrers/{subject.digest}").json["manifests"] == []


def test_a_registry_without_the_referrers_api(client):
    client = RegistryClient(EmbeddedRegistry(referrers=False))
    subject = client.push_artifact("app", "v1")
    manifest = encode_manifest(config=EMPTY, layers=[], subject=subject.descriptor)
    assert "OCI-Subject" not in client.push_manifest("app", "r1", manifest).headers
    assert client.ask("GET", f"/v2/app/referrers/{subject.digest}").status == 404


# --- Who may do what ----------------------------------------------------------------------


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_basic_logins():
    client = RegistryClient(EmbeddedRegistry(users={"anna": "s:ecret"}))
    for authorization in (None, basic("anna", "x"), basic("x", "s:ecret"), "Basic !", "Bearer x"):
        client.headers = {"Authorization": authorization} if authorization else {}
        answer = client.ask("GET", "/v2/")
        assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    client.headers = {"Authorization": basic("anna", "s:ecret")}
    assert client.ask("GET", "/v2/").status == 200
    client.push_blob("app", BLOB)


def test_registry_without_users_refuses_every_login():
    assert RegistryClient(EmbeddedRegistry(users={})).ask("GET", "/v2/").status == 401


def test_users_and_tokens_exclude_each_other():
    with pytest.raises(ValueError, match="token service"):
        EmbeddedRegistry(users={}, token_service=TokenService())


class Clock:
    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


def tokens_client(**options):
    clock = Clock()
    service = TokenService(users={"anna": "secret"}, now=clock, lifetime=60.0, **options)
    return RegistryClient(EmbeddedRegistry(token_service=service)), service, clock


def token(client, scope="", **headers):
    query = f"&scope={scope}" if scope else ""
    answer = client.ask("GET", f"/token?service=embedded-registry{query}", **headers)
    assert answer.status == 200
    assert answer.json["token"] == answer.json["access_token"]
    assert answer.json["expires_in"] == 60
    return {"Authorization": f"Bearer {answer.json['token']}"}


def test_a_challenge_names_realm_service_and_scope():
    client, _, _ = tokens_client()
    challenge = client.ask("POST", "/v2/app/blobs/uploads/").headers["WWW-Authenticate"]
    assert challenge == (
        f'Bearer realm="{ORIGIN}/token",service="embedded-registry",'
        'scope="repository:app:pull,push"'
    )
    assert 'scope="' not in client.ask("GET", "/v2/").headers["WWW-Authenticate"]
    mount = client.ask("POST", f"/v2/app/blobs/uploads/?mount={D}&from=other")
    assert (
        'scope="repository:app:pull,push repository:other:pull"'
        in (mount.headers["WWW-Authenticate"])
    )


def test_token_allows_its_scopes():
    client, _, _ = tokens_client()
    client.headers = token(
        client, "repository:app:pull,push", Authorization=basic("anna", "secret")
    )
    client.push_blob("app", BLOB)
    assert client.ask("GET", "/v2/").status == 200
    answer = client.ask("DELETE", f"/v2/app/blobs/{D}")
    assert answer.status == 401
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert client.ask("GET", f"/v2/other/blobs/{D}").status == 401
    client.headers = token(client, "repository:app:*", Authorization=basic("anna", "secret"))
    assert client.ask("DELETE", f"/v2/app/blobs/{D}").status == 202


def test_anonymous_clients_can_pull_only():
    client, _, _ = tokens_client()
    client.headers = token(client, "repository:app:pull,push")
    assert client.ask("GET", f"/v2/app/blobs/{D}").status == 404
    assert client.ask("POST", "/v2/app/blobs/uploads/").status == 401


def test_a_wrong_password_gets_no_token():
    client, _, _ = tokens_client()
    assert client.ask("GET", "/token", Authorization=basic("anna", "x")).status == 401


def test_tokens_expire_and_are_revoked():
    client, service, clock = tokens_client()
    client.headers = token(client)
    clock.time = 59.9
    assert client.ask("GET", "/v2/").status == 200
    clock.time = 60.0
    assert 'error="invalid_token"' in client.ask("GET", "/v2/").headers["WWW-Authenticate"]
    client.headers = {}
    client.headers = token(client)
    service.revoke_all()
    assert client.ask("GET", "/v2/").status == 401


def test_an_identity_token_is_exchanged():
    client, _, _ = tokens_client(identity_tokens={"refresh": "anna"})
    form = b"grant_type=refresh_token&scope=repository:app:push+repository:b:pull"
    answer = client.ask("POST", "/token", form + b"&refresh_token=refresh")
    client.headers = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert client.ask("GET", f"/v2/b/blobs/{D}").status == 404
    assert client.ask("POST", "/token", form + b"&refresh_token=other").status == 401


def test_token_server_can_lack_post():
    client, _, _ = tokens_client(oauth2=False)
    assert client.ask("POST", "/token", b"grant_type=refresh_token").status == 405


def test_realm_can_be_another_host():
    client, _, _ = tokens_client(realm="https://auth.test/here?account=x")
    assert (
        'realm="https://auth.test/here?account=x"'
        in (client.ask("GET", "/v2/").headers["WWW-Authenticate"])
    )
    assert client.ask("GET", "https://auth.test/here?service=embedded-registry").status == 200
    assert client.ask("GET", "/token").status == 404


# --- All in all ---------------------------------------------------------------------------


def test_requests_are_recorded_without_secrets(client):
    client.ask("GET", "/v2/app/tags/list?n=1", Authorization="Basic c2VjcmV0")
    (request,) = client.registry.requests
    assert (request.method, request.path, request.query) == ("GET", "/v2/app/tags/list", "n=1")
    assert request.status == 404
    assert request.headers["authorization"] == "Basic c2VjcmV0"
    assert "c2VjcmV0" not in repr(request)


def test_second_registry_serves_the_same_files():
    files = MemoryFileTree()
    manifest = RegistryClient(EmbeddedRegistry(files)).push_artifact("a/b", "v1")
    client = RegistryClient(EmbeddedRegistry(files))
    assert client.ask("GET", "/v2/a/b/manifests/v1").body == manifest.content
    assert client.ask("GET", "/v2/_catalog").json == {"repositories": ["a/b"]}


def test_threads_share_it(client):
    contents = [b"%d" % number * 1000 for number in range(64)]

    def push(content):
        digest = client.push_blob("app", content).digest
        return client.ask("GET", f"/v2/app/blobs/{digest}").body

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(push, contents)) == contents
