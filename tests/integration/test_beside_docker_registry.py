"""The same requests to docker-registry and to the embedded registry: where they differ, and why.

`DIFFERENCES` names each request that is answered differently, with both answers and the reason.
"""

from __future__ import annotations

import http.client
import json
import re
from urllib.parse import quote, urlsplit

import pytest

from oras_adapters.registry_server import RegistryServer
from oras_core.model import media_types
from oras_core.model.codec import encode_index, encode_manifest
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.testing import EmbeddedRegistry

pytestmark = pytest.mark.slow

BLOB = b"the content of a blob"
D = str(Digest.of(BLOB))
CONFIG = Descriptor.of(b"{}", media_types.OCI_IMAGE_CONFIG)
UNKNOWN = str(Digest.of(b"unknown"))
LAYER = Descriptor.of(BLOB, media_types.OCI_LAYER_TAR)
MANIFEST = encode_manifest(config=CONFIG, layers=[LAYER])
M = str(MANIFEST.digest)
OTHER = encode_manifest(config=CONFIG, layers=[LAYER], annotations={"key": "value"})
REFERRER = encode_manifest(config=CONFIG, layers=[LAYER], subject=MANIFEST.descriptor)
SPARSE = encode_manifest(
    config=CONFIG, layers=[Descriptor.of(b"missing", media_types.OCI_LAYER_TAR)]
)
INDEX = encode_index(manifests=[MANIFEST.descriptor])
IMAGE = {"Content-Type": media_types.OCI_MANIFEST}
ACCEPT = {"Accept": f"{media_types.OCI_MANIFEST}, {media_types.OCI_INDEX}"}
SESSION = "{location}"

# Name, method, path below /v2/NAME/ (or a whole path), body, header fields.
REQUESTS = [
    ("version", "GET", "/v2/", None, {}),
    ("version without slash", "GET", "/v2", None, {}),
    ("another version", "GET", "/v1/", None, {}),
    ("tags of an unknown repository", "GET", "tags/list", None, {}),
    ("manifest of an unknown repository", "GET", "manifests/v1", None, ACCEPT),
    ("blob of an unknown repository", "GET", f"blobs/{D}", None, {}),
    ("invalid name", "GET", "/v2/Upper/tags/list", None, {}),
    # Blobs
    ("begin", "POST", "blobs/uploads/", b"", {}),
    ("status of a new session", "GET", SESSION, None, {}),
    ("first chunk", "PATCH", SESSION, BLOB[:8], {"Content-Range": "0-7"}),
    ("status", "GET", SESSION, None, {}),
    ("last chunk", "PATCH", SESSION, BLOB[8:], {"Content-Range": f"8-{len(BLOB) - 1}"}),
    ("finish", "PUT", SESSION + f"&digest={D}", b"", {}),
    ("blob", "GET", f"blobs/{D}", None, {}),
    ("size of the blob", "HEAD", f"blobs/{D}", None, {}),
    ("range", "GET", f"blobs/{D}", None, {"Range": "bytes=2-5"}),
    ("range to the end", "GET", f"blobs/{D}", None, {"Range": "bytes=4-"}),
    ("last bytes", "GET", f"blobs/{D}", None, {"Range": "bytes=-3"}),
    ("range beyond the end", "GET", f"blobs/{D}", None, {"Range": "bytes=100-"}),
    ("range backwards", "GET", f"blobs/{D}", None, {"Range": "bytes=5-4"}),
    ("unknown blob", "GET", f"blobs/{UNKNOWN}", None, {}),
    ("size of an unknown blob", "HEAD", f"blobs/{UNKNOWN}", None, {}),
    ("malformed digest", "GET", "blobs/sha256:abc", None, {}),
    ("post of a whole blob", "POST", f"blobs/uploads/?digest={CONFIG.digest}", b"{}", {}),
    ("begin again", "POST", "blobs/uploads/", b"", {}),
    ("whole blob", "PUT", SESSION + f"&digest={CONFIG.digest}", b"{}", {}),
    ("begin for a chunk out of order", "POST", "blobs/uploads/", b"", {}),
    ("chunk out of order", "PATCH", SESSION, BLOB[:8], {"Content-Range": "5-12"}),
    ("begin for a wrong digest", "POST", "blobs/uploads/", b"", {}),
    ("wrong digest", "PUT", SESSION + f"&digest={UNKNOWN}", BLOB, {}),
    ("begin without a digest", "POST", "blobs/uploads/", b"", {}),
    ("no digest", "PUT", SESSION, BLOB, {}),
    ("begin to cancel", "POST", "blobs/uploads/", b"", {}),
    ("cancel", "DELETE", SESSION, None, {}),
    ("cancelled session", "GET", SESSION, None, {}),
    ("unknown session", "GET", "blobs/uploads/unknown", None, {}),
    ("mount", "POST", f"/v2/NAME/other/blobs/uploads/?mount={D}&from=NAME", b"", {}),
    ("mount of an unknown blob", "POST", f"blobs/uploads/?mount={UNKNOWN}&from=NAME", b"", {}),
    ("mount from nowhere", "POST", f"blobs/uploads/?mount={D}", b"", {}),
    # Manifests
    ("manifest with missing blobs", "PUT", "manifests/v1", SPARSE.content, IMAGE),
    ("no manifest", "PUT", "manifests/v1", b"{}", IMAGE),
    ("invalid tag", "PUT", "manifests/.v1", MANIFEST.content, IMAGE),
    ("manifest by tag", "PUT", "manifests/v1", MANIFEST.content, IMAGE),
    ("manifest by digest", "PUT", f"manifests/{OTHER.digest}", OTHER.content, IMAGE),
    ("manifest by wrong digest", "PUT", f"manifests/{UNKNOWN}", MANIFEST.content, IMAGE),
    ("manifest with subject", "PUT", "manifests/r1", REFERRER.content, IMAGE),
    ("index", "PUT", "manifests/i1", INDEX.content, {"Content-Type": media_types.OCI_INDEX}),
    ("get by tag", "GET", "manifests/v1", None, ACCEPT),
    ("get by digest", "GET", f"manifests/{M}", None, ACCEPT),
    ("head by tag", "HEAD", "manifests/v1", None, ACCEPT),
    ("get without Accept", "GET", "manifests/v1", None, {}),
    ("unknown tag", "GET", "manifests/v2", None, ACCEPT),
    ("unknown digest", "GET", f"manifests/{UNKNOWN}", None, ACCEPT),
    ("manifest as a blob", "GET", f"blobs/{M}", None, {}),
    ("blob as a manifest", "GET", f"manifests/{D}", None, ACCEPT),
    # Lists
    ("tags", "GET", "tags/list", None, {}),
    ("page of tags", "GET", "tags/list?n=2", None, {}),
    ("tags after one", "GET", "tags/list?last=i1", None, {}),
    ("no tags", "GET", "tags/list?n=0", None, {}),
    ("referrers", "GET", f"referrers/{M}", None, {}),
    # Deletion
    ("delete a tag", "DELETE", "manifests/r1", None, {}),
    ("delete a manifest", "DELETE", f"manifests/{OTHER.digest}", None, {}),
    ("delete it again", "DELETE", f"manifests/{OTHER.digest}", None, {}),
    ("delete a blob", "DELETE", f"blobs/{D}", None, {}),
    ("deleted blob", "GET", f"blobs/{D}", None, {}),
    ("wrong method", "PATCH", "manifests/v1", b"", {}),
]

COMPARED = [
    "Accept-Ranges",
    "Allow",
    "Content-Range",
    "Content-Type",
    "Docker-Content-Digest",
    "Docker-Distribution-Api-Version",
    "ETag",
    "Link",
    "Location",
    "OCI-Subject",
    "Range",
]


def answers(address, name):
    """Send all requests to one registry, and return what is compared of each answer."""
    connection = http.client.HTTPConnection(address, timeout=20)
    found, location = {}, ""
    for title, method, path, body, headers in REQUESTS:
        target = path.replace(SESSION, location).replace("NAME", name)
        if not target.startswith("/"):
            target = f"/v2/{name}/{target}"
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        try:
            content = response.read()
        except http.client.IncompleteRead as error:
            content = error.partial
            connection.close()  # the next request opens a new one
        if "blobs/uploads" in (place := response.headers.get("Location", "")):
            url = urlsplit(place)
            location = f"{url.path}?{url.query}"
        found[title] = seen(response, content, name)
    connection.close()
    return found


def seen(response, content, name):
    """Return status, error codes, header fields and body, without names of this run."""
    facts = {"status": response.status}
    if response.status >= 400 and content:
        document = json.loads(content) if content.startswith(b"{") else {}
        facts["codes"] = [error["code"] for error in document.get("errors", [])]
    else:
        text = content.decode().replace(name, "NAME")
        facts["body"] = json.loads(text) if text.startswith("{") else text
    for field in COMPARED:
        if (value := response.headers.get(field)) is not None:
            facts[field] = _plain(field, value, name)
    return facts


def _plain(field, value, name):
    if field == "Content-Type":
        return value.partition(";")[0]
    value = value.replace(name, "NAME").replace(quote(name, safe=""), "NAME")
    if field == "Location":
        path = urlsplit(value).path  # absolute or not
        return re.sub("uploads/.+", "uploads/ID", path)
    return sorted(value.split(", ")) if field == "Allow" else value


ROUTER = "docker-registry's router refuses the path, and has no JSON error for that"
RFC_9110 = "docker-registry leaves the answer to Go's file server; ours adds the error of the spec"
OLD = "docker-registry 2.8 implements the spec 1.0"
TAGS = "docker-registry 2.8 neither sorts tags nor pages them"

# By request: their status, our status, the other facts that differ, and the reason.
DIFFERENCES = {
    "another version": (404, 404, {"Content-Type", "codes"}, ROUTER),
    "invalid name": (404, 400, {"Content-Type", "codes"}, ROUTER),
    "invalid tag": (404, 400, {"Content-Type", "codes"}, ROUTER),
    "wrong method": (405, 405, {"Content-Type", "codes"}, ROUTER),
    "version without slash": (
        301,
        200,
        {"Content-Type", "Location", "body"},
        "clients that follow no redirect reach our registry, too",
    ),
    "chunk out of order": (
        202,
        416,
        {"Content-Type", "Range", "body", "codes"},
        "docker-registry stores the chunk where the session ends; the spec demands 416",
    ),
    "post of a whole blob": (
        202,
        201,
        {"Docker-Content-Digest", "Location", "Range"},
        "docker-registry does not support it, and opens a session; both are allowed",
    ),
    "range backwards": (
        416,
        416,
        {"Content-Range", "Content-Type", "Docker-Content-Digest", "ETag", "codes"},
        RFC_9110,
    ),
    "range beyond the end": (
        416,
        416,
        {"Content-Type", "Docker-Content-Digest", "ETag", "codes"},
        RFC_9110,
    ),
    "unknown session": (
        404,
        404,
        {"codes"},
        "docker-registry expects a UUID; the spec has BLOB_UPLOAD_UNKNOWN for any session",
    ),
    "no manifest": (500, 400, {"codes"}, "the fault is the client's"),
    "manifest with subject": (201, 201, {"OCI-Subject"}, OLD),
    "referrers": (404, 200, {"Content-Type", "body", "codes"}, OLD),
    "delete a tag": (400, 202, {"Content-Type", "body", "codes"}, OLD),
    "get without Accept": (
        404,
        200,
        {"Content-Type", "Docker-Content-Digest", "ETag", "body", "codes"},
        "docker-registry takes a client without Accept for one that knows older formats only",
    ),
    "blob as a manifest": (500, 404, {"codes"}, "there is no such manifest"),
    "manifest as a blob": (
        404,
        200,
        {"Accept-Ranges", "Content-Type", "Docker-Content-Digest", "ETag", "body", "codes"},
        "the storage is an OCI image layout, which has manifests among the blobs",
    ),
    "tags": (200, 200, {"body"}, TAGS),
    "page of tags": (200, 200, {"Link", "body"}, TAGS),
    "tags after one": (200, 200, {"body"}, TAGS),
    "no tags": (200, 200, {"body"}, TAGS),
}


OF_ONE_RELEASE = {"range beyond the end": {"body"}}
"""Release 2.8.2 announces a body for this and sends none; release 2.8.3 sends it."""


def test_every_difference_to_docker_registry_is_known(open_registry, repository_name):
    theirs = answers(open_registry.address, repository_name)
    with RegistryServer(EmbeddedRegistry()) as server:
        ours = answers(server.address, repository_name)
    assert len(ours) == len(REQUESTS) >= 60
    found = {}
    for title in ours:
        one, two = theirs[title], ours[title]
        facts = {fact for fact in one.keys() | two.keys() if one.get(fact) != two.get(fact)}
        facts -= OF_ONE_RELEASE.get(title, set())
        if facts:
            found[title] = (one["status"], two["status"], facts - {"status"})
    known = {title: (one, two, facts) for title, (one, two, facts, _) in DIFFERENCES.items()}
    assert found == known
