"""The manifest of a push by a client that builds none itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
EMPTY_CONFIG = b"{}"
EMPTY_DIGEST = hashlib.sha256(EMPTY_CONFIG).hexdigest()

Layer = tuple[str, str, int | str]
"""Name, digest in hexadecimal, and size, or their placeholders."""


def layers_of(digests: Mapping[Path, str]) -> list[Layer]:
    """Return a layer for each file."""
    return [(path.name, digest, path.stat().st_size) for path, digest in digests.items()]


def manifest_of(layers: Iterable[Layer]) -> dict[str, object]:
    """Return an image manifest."""
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": f"sha256:{EMPTY_DIGEST}",
            "size": len(EMPTY_CONFIG),
        },
        "layers": [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": f"sha256:{digest}",
                "size": size,
                "annotations": {"org.opencontainers.image.title": name},
            }
            for name, digest, size in layers
        ],
    }
