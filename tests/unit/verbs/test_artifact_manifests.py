"""Artifact manifests, of OCI's release candidates and of ORAS, are manifests like others."""

from __future__ import annotations

import json

import pytest

from oras_core.content.sources import BytesSource
from oras_core.copying.copy import copy
from oras_core.copying.extended import extended_copy
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.wire import to_wire
from oras_core.testing.contracts.content_access import push_artifact, push_blob
from oras_core.verbs.discover import discover
from oras_core.verbs.inspect import fetch_manifest
from support.artifacts import repository

SBOM = "application/vnd.example.sbom"


@pytest.fixture(params=media_types.ARTIFACT_MANIFESTS)
def media_type(request):
    return request.param


KINDS = ("memory", "registry", "registry without referrers")


def push_artifact_manifest(target, media_type, *, subject=None, tag=None):
    blob = push_blob(target, b"packages")
    document = {
        "mediaType": media_type,
        "artifactType": SBOM,
        "blobs": [to_wire(blob)],
        **({"subject": to_wire(subject.plain())} if subject else {}),
    }
    content = json.dumps(document).encode()
    artifact = Descriptor.of(content, media_type)
    target.push(artifact, BytesSource(content))
    if tag:
        target.tag(artifact, tag)
    return artifact, blob


def test_artifact_manifest_is_copied_with_its_blobs(target, media_type):
    source = repository()
    artifact, blob = push_artifact_manifest(source, media_type, tag="v1")
    assert copy(source, "v1", target).root.digest == artifact.digest
    assert target.exists(blob)
    assert target.resolve("v1").plain() == artifact


def test_artifact_manifest_is_discovered_through_its_subject(target, media_type):
    subject = push_artifact(target, b"subject").descriptor
    target.tag(subject.plain(), "v1")
    artifact, _ = push_artifact_manifest(target, media_type, subject=subject)
    (found,) = discover(target, "v1").referrers
    assert (found.descriptor.digest, found.descriptor.artifact_type) == (artifact.digest, SBOM)


def test_artifact_manifest_is_copied_as_a_referrer(target, media_type):
    source = repository()
    subject = push_artifact(source, b"subject").descriptor
    source.tag(subject.plain(), "v1")
    artifact, blob = push_artifact_manifest(source, media_type, subject=subject)
    extended_copy(source, "v1", target)
    assert target.exists(artifact)
    assert target.exists(blob)
    assert [r.descriptor.digest for r in discover(target, "v1").referrers] == [artifact.digest]


def test_artifact_manifest_is_inspected(target, media_type):
    artifact, blob = push_artifact_manifest(target, media_type, tag="v1")
    manifest = fetch_manifest(target, "v1")
    assert (manifest.digest, manifest.artifact_type) == (artifact.digest, SBOM)
    assert manifest.layers == (blob,)
