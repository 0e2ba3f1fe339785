"""Manifests and indexes as JSON, with one thing changed."""

from __future__ import annotations

import json

from oras_core.model import media_types

__all__ = ["LEAF", "MISSING", "ZEROS", "index", "layer", "manifest"]

ZEROS = "sha256:" + "0" * 64
LEAF = {"mediaType": "text/plain", "digest": ZEROS, "size": 3}

MISSING = object()


def wire(document, **changes):
    """Return the JSON of `document` with members changed, or left out by `MISSING`."""
    changed = {**document, **changes}
    return json.dumps({k: v for k, v in changed.items() if v is not MISSING}).encode()


def manifest(**changes):
    """Return a manifest with one layer."""
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": LEAF,
        "layers": [LEAF],
    }
    return wire(document, **changes)


def index(**changes):
    """Return an index with one manifest."""
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [LEAF]}
    return wire(document, **changes)


def layer(**changes):
    """Return a manifest whose second layer has other members."""
    return manifest(layers=[LEAF, json.loads(wire(LEAF, **changes))])
