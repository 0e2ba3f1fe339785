"""Requests to a registry in this process, as the distribution spec has them."""

from __future__ import annotations

import json

from oras_core.content.sources import BytesSource
from oras_core.model import media_types
from oras_core.model.codec import encode_manifest
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.http import HttpRequest

ORIGIN = "http://registry.test"
EMPTY = Descriptor.of(b"{}", media_types.OCI_EMPTY)


class RegistryClient:
    """Asks a registry in this process, and reads each answer to its end."""

    def __init__(self, registry):
        self.registry = registry
        self.headers = {}

    def ask(self, method, path, body=None, **headers):
        fields = {**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
        source = BytesSource(body) if isinstance(body, bytes) else body
        url = path if "://" in path else ORIGIN + path
        with self.registry.send(HttpRequest(method, url, fields, source)) as response:
            return Answer(response, response.body.read())

    def push_blob(self, repository, content, digest=None):
        digest = digest or Digest.of(content)
        answer = self.ask("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", content)
        assert answer.status == 201
        return Descriptor(media_types.OCTET_STREAM, digest, len(content))

    def push_manifest(self, repository, reference, manifest):
        answer = self.ask(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            manifest.content,
            Content_Type=manifest.media_type,
        )
        assert answer.status == 201
        return answer

    def push_artifact(self, repository, reference, **members):
        self.push_blob(repository, b"{}")
        manifest = encode_manifest(config=EMPTY, layers=[], **members)
        self.push_manifest(repository, reference, manifest)
        return manifest


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def code(self):
        (error,) = json.loads(self.body)["errors"]
        assert set(error) == {"code", "message", "detail"}
        return error["code"]

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def location(self):
        return self.headers["Location"]
