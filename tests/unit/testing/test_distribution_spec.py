"""The rules of the distribution spec for a registry, checked in memory and on a disk.

Each rule names the section of spec.md (opencontainers/distribution-spec) and the word that binds
a registry. The sections are those of 1.1; `dev` marks rules of the main branch only.
"""

from __future__ import annotations

import json
import re
from urllib.parse import urlencode, urlsplit

import pytest

from oras_adapters.files.local_files import LocalFileTree
from oras_core.model import media_types
from oras_core.model.codec import encode_index, encode_manifest
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.testing import EmbeddedRegistry, MemoryFileTree, TokenService
from support.registry_client import EMPTY, RegistryClient

BLOB = b"the content of a blob"
DIGEST = Digest.of(BLOB)
UNKNOWN = Digest.of(b"unknown")
CODES = {
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
}

WORKFLOWS = {
    "Pull": {
        "Pulling manifests",
        "Pulling blobs",
        "Checking if content exists in the registry",
    },
    "Push": {
        "Pushing a blob monolithically, POST then PUT",
        "Pushing a blob monolithically, single POST",
        "Pushing a blob in chunks",
        "Cancel a blob upload",
        "Mounting a blob from another repository",
        "Pushing manifests",
        "Pushing manifests by digest with tags",
        "Pushing manifests with subject",
    },
    "Content discovery": {"Listing tags", "Listing referrers"},
    "Content management": {"Deleting tags", "Deleting manifests", "Deleting blobs"},
    "API": {"Determining support", "Error codes"},
}
"""The sections of the spec with rules for a registry."""

RULES = []


def rule(section, level, text):
    """Add a function that checks one rule of the spec."""

    def add(check):
        RULES.append(pytest.param(check, id=f"{section}: {level} {text}"))
        return check

    assert any(section in sections for sections in WORKFLOWS.values())

    return add


class SpecClient(RegistryClient):
    """A client of a registry whose options change, while its content stays."""

    def __init__(self, files):
        self.files = files
        super().__init__(EmbeddedRegistry(files))

    def set_options(self, **options):
        self.registry = EmbeddedRegistry(self.files, **options)


@pytest.fixture(params=["memory", "storage"])
def client(request, tmp_path):
    return SpecClient(LocalFileTree(tmp_path) if request.param == "storage" else MemoryFileTree())


def begun(client):
    return client.ask("POST", "/v2/app/blobs/uploads/")


def assert_created(client, answer, content):
    """Check that a push was acknowledged with a URL that has the content."""
    assert answer.status == 201
    assert client.ask("GET", answer.location).body == content


def chunk(client, location, content, start):
    end = start + len(content) - 1
    return client.ask("PATCH", location, content, Content_Range=f"{start}-{end}")


# --- Pull ----------------------------------------------------------------------------------


@rule("Pulling manifests", "MUST", "names match the grammar")
def _(client):
    assert client.ask("GET", "/v2/Upper/tags/list").code == "NAME_INVALID"
    client.push_artifact("a-b/c__d/e.f", "v1")
    assert client.ask("GET", "/v2/a-b/c__d/e.f/manifests/v1").status == 200


@rule("Pulling manifests", "MUST", "tags have 128 characters at most, and match the grammar")
def _(client):
    longest = "_" + "a" * 127
    client.push_artifact("app", longest)
    assert client.ask("GET", f"/v2/app/manifests/{longest}").status == 200
    manifest = encode_manifest(config=EMPTY, layers=[])
    for tag in (f"{longest}a", ".v1", "-v1"):
        answer = client.ask("PUT", f"/v2/app/manifests/{tag}", manifest.content)
        assert answer.status == 400


@rule("Pulling manifests", "MUST", "200 and the manifest, by tag and by digest")
def _(client):
    manifest = client.push_artifact("app", "v1")
    for reference in ("v1", manifest.digest):
        answer = client.ask("GET", f"/v2/app/manifests/{reference}")
        assert (answer.status, answer.body) == (200, manifest.content)


@rule("Pulling manifests", "SHOULD", "the Content-Type is that of the push")
def _(client):
    manifest = client.push_artifact("app", "v1")
    answer = client.ask("GET", "/v2/app/manifests/v1")
    assert answer.headers["Content-Type"] == manifest.media_type


@rule("Pulling manifests", "SHOULD", "the Content-Type has no parameters")
def _(client):
    manifest = encode_manifest(config=client.push_blob("app", b"{}"), layers=[])
    headers = {"Content_Type": f"{manifest.media_type}; charset=utf-8"}
    assert client.ask("PUT", "/v2/app/manifests/v1", manifest.content, **headers).status == 201
    answer = client.ask("GET", "/v2/app/manifests/v1")
    assert answer.headers["Content-Type"] == manifest.media_type


@rule("Pulling manifests", "MUST (dev)", "Docker-Content-Digest on GET and HEAD")
def _(client):
    manifest = client.push_artifact("app", "v1")
    for method in ("GET", "HEAD"):
        answer = client.ask(method, "/v2/app/manifests/v1")
        assert answer.headers["Docker-Content-Digest"] == str(manifest.digest)


@rule("Pulling manifests", "MUST (dev)", "the digest has the algorithm of the request")
def _(client):
    manifest = encode_manifest(config=client.push_blob("app", b"{}"), layers=[])
    for algorithm in ("sha256", "sha512"):
        digest = Digest.of(manifest.content, algorithm)
        pushed = client.push_manifest("app", f"{digest}?tag={algorithm}", manifest)
        assert pushed.headers["Docker-Content-Digest"] == str(digest)
        for reference in (digest, algorithm):
            answer = client.ask("GET", f"/v2/app/manifests/{reference}")
            assert answer.headers["Docker-Content-Digest"] == str(digest)
            assert answer.body == manifest.content


@rule("Pulling manifests", "MUST", "404 for an unknown manifest and an unknown repository")
def _(client):
    client.push_artifact("app", "v1")
    for path in (
        "/v2/app/manifests/v2",
        f"/v2/app/manifests/{UNKNOWN}",
        "/v2/unknown/manifests/v1",
    ):
        assert client.ask("GET", path).status == 404


@rule("Pulling blobs", "MUST", "200 and the blob")
def _(client):
    client.push_blob("app", BLOB)
    answer = client.ask("GET", f"/v2/app/blobs/{DIGEST}")
    assert (answer.status, answer.body) == (200, BLOB)


@rule("Pulling blobs", "MUST (dev)", "Docker-Content-Digest has the algorithm of the request")
def _(client):
    for algorithm in ("sha256", "sha512"):
        digest = Digest.of(BLOB, algorithm)
        client.push_blob("app", BLOB, digest)
        answer = client.ask("GET", f"/v2/app/blobs/{digest}")
        assert answer.headers["Docker-Content-Digest"] == str(digest)


@rule("Pulling blobs", "MUST", "404 for an unknown blob and an unknown repository")
def _(client):
    client.push_blob("app", BLOB)
    for path in (f"/v2/app/blobs/{UNKNOWN}", f"/v2/unknown/blobs/{DIGEST}"):
        assert client.ask("GET", path).code == "BLOB_UNKNOWN"


@rule("Pulling blobs", "SHOULD", "Range of RFC 9110")
def _(client):
    client.push_blob("app", BLOB)
    path, size = f"/v2/app/blobs/{DIGEST}", len(BLOB)
    for asked, part in (("2-5", slice(2, 6)), ("4-", slice(4, None)), ("-3", slice(-3, None))):
        answer = client.ask("GET", path, Range=f"bytes={asked}")
        first, last, _ = part.indices(size)
        assert (answer.status, answer.body) == (206, BLOB[part])
        assert answer.headers["Content-Range"] == f"bytes {first}-{last - 1}/{size}"


@rule("Pulling blobs", "SHOULD (dev)", "416 for a range that the blob does not have")
def _(client):
    client.push_blob("app", BLOB)
    for asked in (f"{len(BLOB)}-", f"{len(BLOB)}-{len(BLOB) + 5}", "5-4", "-0"):
        answer = client.ask("GET", f"/v2/app/blobs/{DIGEST}", Range=f"bytes={asked}")
        assert answer.status == 416
        assert answer.headers["Content-Range"] == f"bytes */{len(BLOB)}"


@rule("Checking if content exists in the registry", "MUST", "200 for HEAD, without a body")
def _(client):
    client.push_blob("app", BLOB)
    client.push_artifact("app", "v1")
    for path in (f"/v2/app/blobs/{DIGEST}", "/v2/app/manifests/v1"):
        answer = client.ask("HEAD", path)
        assert (answer.status, answer.body) == (200, b"")


@rule("Checking if content exists in the registry", "SHOULD", "Content-Length is the size")
def _(client):
    client.push_blob("app", BLOB)
    manifest = client.push_artifact("app", "v1")
    for path, size in (
        (f"/v2/app/blobs/{DIGEST}", len(BLOB)),
        ("/v2/app/manifests/v1", len(manifest.content)),
    ):
        assert client.ask("HEAD", path).headers["Content-Length"] == str(size)


@rule("Checking if content exists in the registry", "MUST", "404 for unknown content")
def _(client):
    for path in (f"/v2/app/blobs/{UNKNOWN}", f"/v2/app/manifests/{UNKNOWN}", "/v2/a/manifests/v"):
        assert client.ask("HEAD", path).status == 404


# --- Push ----------------------------------------------------------------------------------


@rule("Pushing a blob monolithically, POST then PUT", "MUST", "202 with a Location")
def _(client):
    one, two = begun(client), begun(client)
    assert one.status == 202
    assert one.location != two.location  # it identifies the session
    assert urlsplit(one.location).path.startswith("/v2/app/blobs/uploads/")


@rule("Pushing a blob monolithically, POST then PUT", "MUST", "201 with a pullable Location")
def _(client):
    answer = client.ask("PUT", f"{begun(client).location}&digest={DIGEST}", BLOB)
    assert_created(client, answer, BLOB)


@rule("Pushing a blob monolithically, POST then PUT", "MUST", "other bytes are refused")
def _(client):
    for digest in (UNKNOWN, Digest.of(b"unknown", "sha512")):
        answer = client.ask("PUT", f"{begun(client).location}&digest={digest}", BLOB)
        assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
        assert client.ask("HEAD", f"/v2/app/blobs/{digest}").status == 404


@rule("Pushing a blob monolithically, single POST", "MUST", "201 with a pullable Location")
def _(client):
    answer = client.ask("POST", f"/v2/app/blobs/uploads/?digest={DIGEST}", BLOB)
    assert_created(client, answer, BLOB)


@rule("Pushing a blob in chunks", "MUST", "202 with Location and Range for each chunk")
def _(client):
    answer = begun(client)
    for start in range(0, len(BLOB), 8):
        part = BLOB[start : start + 8]
        answer = chunk(client, answer.location, part, start)
        assert (answer.status, answer.headers["Range"]) == (202, f"0-{start + len(part) - 1}")
    answer = client.ask("PUT", f"{answer.location}&digest={DIGEST}")
    assert_created(client, answer, BLOB)


@rule("Pushing a blob in chunks", "MUST", "the last chunk may come with the PUT")
def _(client):
    location = chunk(client, begun(client).location, BLOB[:8], 0).location
    last = f"8-{len(BLOB) - 1}"
    place = f"{location}&digest={DIGEST}"
    assert_created(client, client.ask("PUT", place, BLOB[8:], Content_Range=last), BLOB)


@rule("Pushing a blob in chunks", "MUST", "416 for a chunk out of order")
def _(client):
    location = chunk(client, begun(client).location, BLOB[:8], 0).location
    for start in (0, 9):
        answer = chunk(client, location, BLOB[:8], start)
        assert (answer.status, answer.headers["Range"]) == (416, "0-7")
    assert chunk(client, answer.location, BLOB[8:], 8).status == 202


@rule("Pushing a blob in chunks", "MUST", "204 with Location and Range for the status")
def _(client):
    location = chunk(client, begun(client).location, BLOB[:8], 0).location
    answer = client.ask("GET", location)
    assert (answer.status, answer.headers["Range"]) == (204, "0-7")
    assert chunk(client, answer.location, BLOB[8:], 8).status == 202


@rule("Pushing a blob in chunks", "MUST", "404 for an unknown session")
def _(client):
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        answer = client.ask(method, f"/v2/app/blobs/uploads/unknown?digest={DIGEST}")
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


@rule("Cancel a blob upload", "SHOULD (dev)", "204, and the session is unknown then")
def _(client):
    location = chunk(client, begun(client).location, BLOB[:8], 0).location
    assert client.ask("DELETE", location).status == 204
    assert client.ask("GET", location).status == 404


@rule("Cancel a blob upload", "SHOULD (dev)", "an unfinished upload expires")
def _(client):
    times = [0.0]
    client.set_options(upload_lifetime=60.0, now=lambda: times[-1])
    location = chunk(client, begun(client).location, BLOB[:8], 0).location
    times.append(61.0)
    assert client.ask("GET", location).status == 404


@rule("Mounting a blob from another repository", "MUST", "201 with a pullable Location")
def _(client):
    client.push_blob("other", BLOB)
    answer = client.ask("POST", f"/v2/app/blobs/uploads/?mount={DIGEST}&from=other")
    assert answer.location == f"/v2/app/blobs/{DIGEST}"
    assert_created(client, answer, BLOB)
    client.ask("DELETE", f"/v2/other/blobs/{DIGEST}")
    assert client.ask("GET", answer.location).body == BLOB


@rule("Mounting a blob from another repository", "SHOULD", "202 with a session otherwise")
def _(client):
    for query in (f"mount={UNKNOWN}&from=other", f"mount={DIGEST}"):
        answer = client.ask("POST", f"/v2/app/blobs/uploads/?{query}")
        assert answer.status == 202
        assert client.ask("PUT", f"{answer.location}&digest={DIGEST}", BLOB).status == 201


@rule("Pushing manifests", "MUST", "201 with a pullable Location")
def _(client):
    manifest = encode_manifest(config=client.push_blob("app", b"{}"), layers=[])
    for reference in ("v1", manifest.digest):
        answer = client.push_manifest("app", reference, manifest)
        assert_created(client, answer, manifest.content)


@rule("Pushing manifests", "MUST", "the bytes stay exactly as they were pushed")
def _(client):
    client.push_blob("app", b"{}")
    content = json.dumps(
        json.loads(encode_manifest(config=EMPTY, layers=[]).content) | {"extra": "\u00e9"},
        indent=3,
    ).encode()
    headers = {"Content_Type": media_types.OCI_MANIFEST}
    assert client.ask("PUT", "/v2/app/manifests/v1", content, **headers).status == 201
    assert client.ask("GET", "/v2/app/manifests/v1").body == content


@rule("Pushing manifests", "MUST", "a digest in the path is that of the bytes")
def _(client):
    manifest = encode_manifest(config=client.push_blob("app", b"{}"), layers=[])
    answer = client.ask("PUT", f"/v2/app/manifests/{UNKNOWN}", manifest.content)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


@rule("Pushing manifests", "MUST", "MANIFEST_BLOB_UNKNOWN, if missing parts are refused")
def _(client):
    missing = Descriptor.of(b"missing", media_types.OCTET_STREAM)
    manifest = encode_manifest(config=missing, layers=[])
    index = encode_index(manifests=[manifest.descriptor])
    for document in (manifest, index):
        headers = {"Content_Type": document.media_type}
        answer = client.ask("PUT", "/v2/app/manifests/v1", document.content, **headers)
        assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")


@rule("Pushing manifests", "MAY", "missing parts are accepted by a switch")
def _(client):
    client.set_options(sparse=True)
    missing = Descriptor.of(b"missing", media_types.OCTET_STREAM)
    manifest = encode_manifest(config=missing, layers=[missing])
    index = encode_index(manifests=[manifest.descriptor])
    for document, tag in ((index, "index"), (manifest, "manifest")):
        client.push_manifest("app", tag, document)
        assert client.ask("GET", f"/v2/app/manifests/{tag}").body == document.content
    assert client.ask("GET", f"/v2/app/manifests/{manifest.digest}").status == 200


@rule("Pushing manifests", "SHOULD", "manifests of 4 MiB are accepted, larger ones get 413")
def _(client):
    client.push_blob("app", b"{}")
    content = encode_manifest(config=EMPTY, layers=[]).content
    largest = content + b" " * (MAX_MANIFEST_SIZE - len(content))
    assert client.ask("PUT", "/v2/app/manifests/v1", largest).status == 201
    assert client.ask("PUT", "/v2/app/manifests/v2", largest + b" ").status == 413


@rule("Pushing manifests by digest with tags", "MUST (dev)", "10 tags, and OCI-Tag for each")
def _(client):
    manifest = encode_manifest(config=client.push_blob("app", b"{}"), layers=[])
    tags = [f"v{number}" for number in range(10)]
    query = "&".join(f"tag={tag}" for tag in tags)
    answer = client.push_manifest("app", f"{manifest.digest}?{query}", manifest)
    assert answer.headers["OCI-Tag"].split(", ") == tags
    assert client.ask("GET", "/v2/app/tags/list").json["tags"] == tags
    for tag in tags:
        assert client.ask("GET", f"/v2/app/manifests/{tag}").body == manifest.content


@rule("Pushing manifests by digest with tags", "MAY (dev)", "414 for too many tags")
def _(client):
    manifest = encode_manifest(config=client.push_blob("app", b"{}"), layers=[])
    query = "&".join(f"tag=v{number}" for number in range(101))
    path = f"/v2/app/manifests/{manifest.digest}?{query}"
    assert client.ask("PUT", path, manifest.content).status == 414
    assert client.ask("GET", "/v2/app/tags/list").json["tags"] == []


@rule("Pushing manifests by digest with tags", "MUST (dev)", "an invalid tag sets none")
def _(client):
    manifest = encode_manifest(config=client.push_blob("app", b"{}"), layers=[])
    path = f"/v2/app/manifests/{manifest.digest}?tag=v1&tag=.v2"
    assert client.ask("PUT", path, manifest.content).status == 400
    assert client.ask("GET", f"/v2/app/manifests/{manifest.digest}").status == 404


@rule("Pushing manifests with subject", "MUST", "OCI-Subject, though the subject may be missing")
def _(client):
    client.push_blob("app", b"{}")
    subject = Descriptor.of(b"later", media_types.OCI_MANIFEST)
    manifest = encode_manifest(config=EMPTY, layers=[], subject=subject)
    answer = client.push_manifest("app", "v1", manifest)
    assert answer.headers["OCI-Subject"] == str(subject.digest)


# --- Content discovery ---------------------------------------------------------------------


@rule("Listing tags", "MUST", "200 with the name and the tags in lexical order")
def _(client):
    manifest = client.push_artifact("app", "v1")
    for tag in ("B", "a", "v10", "v2", "_"):
        client.push_manifest("app", tag, manifest)
    answer = client.ask("GET", "/v2/app/tags/list")
    assert answer.status == 200
    assert answer.json == {"name": "app", "tags": ["B", "_", "a", "v1", "v10", "v2"]}


@rule("Listing tags", "MUST", "404 for an unknown repository")
def _(client):
    assert client.ask("GET", "/v2/unknown/tags/list").code == "NAME_UNKNOWN"


@rule("Listing tags", "MUST", "n results, and a Link of RFC 5988 to the next ones")
def _(client):
    manifest = client.push_artifact("app", "v0")
    for number in range(1, 5):
        client.push_manifest("app", f"v{number}", manifest)
    found, path = [], "/v2/app/tags/list?n=2"
    while path:
        answer = client.ask("GET", path)
        found.append(answer.json["tags"])
        link = re.fullmatch('<(.+)>; rel="next"', answer.headers.get("Link", ""))
        path = link and link[1]
    assert found == [["v0", "v1"], ["v2", "v3"], ["v4"]]


@rule("Listing tags", "MUST", "n=0 gives an empty list without a Link")
def _(client):
    client.push_artifact("app", "v1")
    answer = client.ask("GET", "/v2/app/tags/list?n=0")
    assert answer.json["tags"] == []
    assert "Link" not in answer.headers


@rule("Listing tags", "MUST", "last excludes the tags up to it, with and without n")
def _(client):
    manifest = client.push_artifact("app", "a")
    for tag in ("b", "c", "d"):
        client.push_manifest("app", tag, manifest)
    for query, tags in (("last=b", ["c", "d"]), ("last=b&n=1", ["c"]), ("last=bb", ["c", "d"])):
        assert client.ask("GET", f"/v2/app/tags/list?{query}").json["tags"] == tags


def with_referrers(client):
    subject = client.push_artifact("app", "v1")
    members = {"subject": subject.descriptor, "annotations": {"key": "value"}}
    typed = client.push_artifact("app", "r1", artifact_type="application/x", **members)
    untyped = client.push_artifact("app", "r2", **members)
    index = encode_index(manifests=[], artifact_type="application/y", **members)
    client.push_manifest("app", "r3", index)
    return subject, [
        (typed, "application/x"),
        (untyped, EMPTY.media_type),
        (index, "application/y"),
    ]


@rule("Listing referrers", "MUST", "200 with an image index, empty for an unknown subject")
def _(client):
    for path in (f"/v2/app/referrers/{UNKNOWN}", f"/v2/unknown/referrers/{UNKNOWN}"):
        answer = client.ask("GET", path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, media_types.OCI_INDEX)
        assert answer.json["schemaVersion"] == 2
        assert answer.json["mediaType"] == media_types.OCI_INDEX
        assert answer.json["manifests"] == []


@rule("Listing referrers", "MUST", "descriptors with artifactType and annotations")
def _(client):
    subject, referrers = with_referrers(client)
    listed = client.ask("GET", f"/v2/app/referrers/{subject.digest}").json["manifests"]
    assert {item["digest"]: item for item in listed} == {
        str(document.digest): {
            "mediaType": document.media_type,
            "digest": str(document.digest),
            "size": len(document.content),
            "artifactType": artifact_type,
            "annotations": {"key": "value"},
        }
        for document, artifact_type in referrers
    }


@rule("Listing referrers", "MUST", "an index without a type has no artifactType")
def _(client):
    subject = client.push_artifact("app", "v1")
    client.push_manifest("app", "r1", encode_index(manifests=[], subject=subject.descriptor))
    (listed,) = client.ask("GET", f"/v2/app/referrers/{subject.digest}").json["manifests"]
    assert "artifactType" not in listed


@rule("Listing referrers", "MUST", "OCI-Filters-Applied if artifactType filters")
def _(client):
    subject, referrers = with_referrers(client)
    for document, artifact_type in referrers:
        query = urlencode({"artifactType": artifact_type})
        path = f"/v2/app/referrers/{subject.digest}?{query}"
        answer = client.ask("GET", path)
        assert answer.headers["OCI-Filters-Applied"] == "artifactType"
        assert [item["digest"] for item in answer.json["manifests"]] == [str(document.digest)]


@rule("Listing referrers", "MUST", "400 for an invalid digest")
def _(client):
    for digest in ("v1", "sha256:abc", "md5:abc"):
        assert client.ask("GET", f"/v2/app/referrers/{digest}").status == 400


@rule("Listing referrers", "MUST", "a subject that is pushed later has its referrers")
def _(client):
    client.push_blob("app", b"{}")
    subject = encode_manifest(config=EMPTY, layers=[])
    referrer = client.push_artifact("app", "r1", subject=subject.descriptor)
    client.push_manifest("app", "v1", subject)
    listed = client.ask("GET", f"/v2/app/referrers/{subject.digest}").json["manifests"]
    assert [item["digest"] for item in listed] == [str(referrer.digest)]


# --- Content management --------------------------------------------------------------------


@rule("Deleting tags", "MUST", "202, and the manifest keeps its digest and other tags")
def _(client):
    manifest = client.push_artifact("app", "v1")
    client.push_manifest("app", "v2", manifest)
    assert client.ask("DELETE", "/v2/app/manifests/v1").status == 202
    assert client.ask("GET", "/v2/app/manifests/v1").status == 404
    for reference in ("v2", manifest.digest):
        assert client.ask("GET", f"/v2/app/manifests/{reference}").status == 200


@rule("Deleting manifests", "MUST", "202, and neither the digest nor a tag is found then")
def _(client):
    manifest = client.push_artifact("app", "v1")
    assert client.ask("DELETE", f"/v2/app/manifests/{manifest.digest}").status == 202
    for reference in ("v1", manifest.digest):
        assert client.ask("GET", f"/v2/app/manifests/{reference}").status == 404
    assert client.ask("GET", "/v2/app/tags/list").json["tags"] == []


@rule("Deleting manifests", "MUST", "a deleted referrer is no longer listed")
def _(client):
    subject, referrers = with_referrers(client)
    for document, _ in referrers:
        assert client.ask("DELETE", f"/v2/app/manifests/{document.digest}").status == 202
    assert client.ask("GET", f"/v2/app/referrers/{subject.digest}").json["manifests"] == []


@rule("Deleting manifests", "MUST", "the manifests of a deleted index stay")
def _(client):
    manifest = client.push_artifact("app", "v1")
    index = encode_index(manifests=[manifest.descriptor])
    client.push_manifest("app", "index", index)
    client.ask("DELETE", f"/v2/app/manifests/{index.digest}")
    assert client.ask("GET", f"/v2/app/manifests/{manifest.digest}").status == 200


@rule("Deleting blobs", "MUST", "202, and 404 then")
def _(client):
    client.push_blob("app", BLOB)
    assert client.ask("DELETE", f"/v2/app/blobs/{DIGEST}").status == 202
    for method in ("GET", "DELETE"):
        assert client.ask(method, f"/v2/app/blobs/{DIGEST}").status == 404


@rule("Deleting blobs", "MUST", "404 for unknown content")
@rule("Deleting manifests", "MUST", "404 for unknown content")
def _(client):
    client.push_artifact("app", "v1")
    for repository in ("app", "unknown"):
        for path in ("manifests/v2", f"manifests/{UNKNOWN}", f"blobs/{UNKNOWN}"):
            assert client.ask("DELETE", f"/v2/{repository}/{path}").status == 404


@rule("Deleting blobs", "MUST", "400 or 405 where deletion is disabled")
@rule("Deleting manifests", "MUST", "400 or 405 where deletion is disabled")
def _(client):
    client.set_options(read_only=True)
    for path in ("manifests/v1", f"manifests/{UNKNOWN}", f"blobs/{UNKNOWN}"):
        assert client.ask("DELETE", f"/v2/app/{path}").status == 405


# --- API -----------------------------------------------------------------------------------


@rule("Determining support", "MUST", "200 for /v2/, or 401 with a challenge")
def _(client):
    assert client.ask("GET", "/v2/").status == 200
    for options in ({"users": {}}, {"token_service": TokenService()}):
        client.set_options(**options)
        answer = client.ask("GET", "/v2/")
        assert answer.status == 401
        assert "WWW-Authenticate" in answer.headers


@rule("Error codes", "MUST", "errors have the JSON format and the codes of the spec")
def _(client):
    client.push_artifact("app", "v1")
    for method, path in (
        ("GET", "/v2/app/manifests/v2"),
        ("GET", f"/v2/app/blobs/{UNKNOWN}"),
        ("GET", "/v2/app/blobs/sha256:abc"),
        ("GET", "/v2/unknown/tags/list"),
        ("GET", "/v2/app/tags/list?n=two"),
        ("GET", "/v2/Upper/tags/list"),
        ("PUT", "/v2/app/manifests/v1"),
        ("PATCH", "/v2/app/blobs/uploads/unknown"),
        ("PATCH", "/v2/app/manifests/v1"),
    ):
        answer = client.ask(method, path)
        assert 400 <= answer.status < 500
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.code in CODES


@pytest.mark.parametrize("check", RULES)
def test_the_spec(check, client):
    check(client)


def test_every_section_of_the_spec_has_rules():
    named = {parameter.id.partition(":")[0] for parameter in RULES}
    assert named == set().union(*WORKFLOWS.values())
