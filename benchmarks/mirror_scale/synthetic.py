"""Registries as `HttpTransport`s: a source that is computed on the fly, and a sink."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from urllib.parse import parse_qs, urlsplit

from attrs import frozen

from oras_core.model.media_types import EMPTY_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport

PER_NAMESPACE = 1000
SHARED_SIZE = 8192
OWN_SIZE = 6000

_EMPTY_INDEX = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode()


@frozen
class Shape:
    """The size of a synthetic registry."""

    repositories: int
    tags: int

    def name(self, number: int) -> str:
        """Return the name of a repository."""
        return f"ns{number // PER_NAMESPACE:03}/app{number:06}"


class SyntheticSource(HttpTransport):
    """A registry of `shape` whose manifests and blobs are computed when they are requested.

    Each artifact has a blob of its own and one that its namespace shares. Every request takes
    `latency` seconds.
    """

    def __init__(self, shape: Shape, *, latency: float = 0.0) -> None:
        self._shape = shape
        self._latency = latency

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        if self._latency:
            time.sleep(self._latency)
        url = urlsplit(request.url)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        parts = url.path.split("/")
        if parts[2] == "_catalog":
            start = int(query["last"][-6:]) + 1 if "last" in query else 0
            names = map(self._shape.name, range(start, self._shape.repositories))
            return _page("repositories", names, url.path, query)
        number, kind, item = int(parts[3][-6:]), parts[4], parts[5]
        if kind == "tags":
            start = int(query["last"][1:]) + 1 if "last" in query else 0
            names = map("v{}".format, range(start, self._shape.tags))
            return _page("tags", names, url.path, query)
        if kind == "referrers":
            return _answer(request, _EMPTY_INDEX, OCI_INDEX)
        if kind == "manifests":
            index = int(item[1:]) if item[0] == "v" else _by_digest(number, self._shape.tags)[item]
            return _answer(request, manifest(number, index), OCI_MANIFEST)
        content = _blobs(number, self._shape.tags)[item]()
        return _answer(request, content, "application/octet-stream", item)


def _page(key: str, names: Iterator[str], path: str, query: Mapping[str, str]) -> HttpResponse:
    page = list(islice(names, int(query.get("n", 1000))))
    content = json.dumps({key: page}).encode()
    headers = {"Content-Length": str(len(content)), "Content-Type": "application/json"}
    if next(names, None) is not None:
        headers["Link"] = f'<{path}?n={query["n"]}&last={page[-1]}>; rel="next"'
    return HttpResponse(200, headers, body=io.BytesIO(content))


class Sink(HttpTransport):
    """A registry that takes everything and keeps the digests of manifests alone."""

    def __init__(self, *, latency: float = 0.0) -> None:
        self._latency = latency
        self._manifests: set[str] = set()

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        if self._latency:
            time.sleep(self._latency)
        content = b""
        if request.body is not None:
            stream = request.body.open()
            content = b"".join(iter(lambda: stream.read(1 << 16), b""))
            stream.close()
        url = urlsplit(request.url)
        parts = url.path.split("/")
        if request.method == "POST":
            if "mount=" in url.query:
                return HttpResponse(201, {"Content-Length": "0"}, body=io.BytesIO())
            headers = {"Location": f"{url.path.rstrip('/')}/session", "Content-Length": "0"}
            return HttpResponse(202, headers, body=io.BytesIO())
        if request.method == "PUT":
            digest = "sha256:" + hashlib.sha256(content).hexdigest()
            if "manifests" in parts:
                self._manifests.add(digest)
            headers = {"Docker-Content-Digest": digest, "Content-Length": "0"}
            return HttpResponse(201, headers, body=io.BytesIO())
        if parts[-2] == "referrers":
            return _answer(request, _EMPTY_INDEX, OCI_INDEX)
        if parts[-2] == "manifests" and parts[-1] in self._manifests:
            headers = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": parts[-1]}
            return HttpResponse(200, {**headers, "Content-Length": "600"}, body=io.BytesIO())
        return HttpResponse(404, {"Content-Length": "0"}, body=io.BytesIO())


def _answer(
    request: HttpRequest, content: bytes, media_type: str, digest: str | None = None
) -> HttpResponse:
    headers = {
        "Content-Type": media_type,
        "Content-Length": str(len(content)),
        "Docker-Content-Digest": digest or "sha256:" + hashlib.sha256(content).hexdigest(),
    }
    body = b"" if request.method == "HEAD" else content
    return HttpResponse(200, headers, body=io.BytesIO(body))


def _own(number: int, tag: int) -> bytes:
    return (b"%d/%d\n" % (number, tag) * OWN_SIZE)[:OWN_SIZE]


def _shared(number: int) -> bytes:
    return (b"base %d\n" % (number // PER_NAMESPACE) * SHARED_SIZE)[:SHARED_SIZE]


def _descriptor(content: bytes, media_type: str = "application/octet-stream") -> dict[str, object]:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


@lru_cache(maxsize=64)
def _shared_descriptor(namespace: int) -> dict[str, object]:
    return _descriptor(_shared(namespace * PER_NAMESPACE))


@lru_cache(maxsize=256)
def manifest(number: int, tag: int) -> bytes:
    """Return the manifest of a tag."""
    layers = [_shared_descriptor(number // PER_NAMESPACE), _descriptor(_own(number, tag))]
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": "application/vnd.synthetic",
            "config": _descriptor(EMPTY_CONFIG, OCI_EMPTY),
            "layers": layers,
        }
    ).encode()


@lru_cache(maxsize=64)
def _by_digest(number: int, tags: int) -> dict[str, int]:
    return {
        "sha256:" + hashlib.sha256(manifest(number, tag)).hexdigest(): tag for tag in range(tags)
    }


@lru_cache(maxsize=64)
def _blobs(number: int, tags: int) -> dict[str, Callable[[], bytes]]:
    found: dict[str, Callable[[], bytes]] = {
        str(_descriptor(EMPTY_CONFIG)["digest"]): lambda: EMPTY_CONFIG,
        str(_shared_descriptor(number // PER_NAMESPACE)["digest"]): lambda: _shared(number),
    }
    for tag in range(tags):
        digest = str(_descriptor(_own(number, tag))["digest"])
        found[digest] = lambda tag=tag: _own(number, tag)  # type: ignore[misc]
    return found
