"""Platforms: select a manifest from an index, and read the platform of an image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from oras_core.content.graph import fetch_document
from oras_core.content.verify import read_verified
from oras_core.errors import InvalidManifestError, NotFoundError
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.manifest import Manifest
from oras_core.model.platform import Platform
from oras_core.model.wire import from_wire
from oras_core.ports.content import Fetcher

__all__ = ["platform_of", "select_manifest"]

IMAGE_CONFIGS: Final = (media_types.OCI_IMAGE_CONFIG, media_types.DOCKER_IMAGE_CONFIG)
"""Media types of configs that name the platform of their image."""

_MEMBERS: Final = ("os", "architecture", "variant", "os.version", "os.features")


def platform_of(
    fetcher: Fetcher, manifest: Manifest, *, limit: int = MAX_MANIFEST_SIZE
) -> Platform | None:
    """Return the platform in the config of an image; None for other artifacts.

    Raises:
        NotFoundError: if the config does not exist.
        ContentError: if the config does not match its descriptor, or exceeds `limit` bytes.
        InvalidManifestError: if the config is malformed.
    """
    config = manifest.config
    if config.media_type not in IMAGE_CONFIGS:
        return None
    content = config.data
    if content is None:
        with closing(fetcher.fetch(config)) as stream:
            content = read_verified(stream, config, limit=limit)
    try:
        members = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidManifestError("it is not JSON", location="config") from error
    if not isinstance(members, dict):
        raise InvalidManifestError("it is not a JSON object", location="config")
    # Go encodes an unknown value as an empty string.
    named = {key: members[key] for key in _MEMBERS if members.get(key)}
    if "os" not in named or "architecture" not in named:
        return None
    platform: Platform = from_wire(named, Platform, location="config")
    return platform


def select_manifest(
    fetcher: Fetcher, root: Descriptor, platform: Platform, *, limit: int = MAX_MANIFEST_SIZE
) -> Descriptor:
    """Return the first manifest at or below `root` that fits `platform`.

    The platform of an entry is the one in the index. If an entry has none, a nested index
    is searched, and an image's config is read. A root that is not an image fits every
    platform.

    Raises:
        NotFoundError: if no manifest fits; the message lists the platforms on offer.
        OrasError: as `fetch_document`.
    """
    offered: list[str] = []
    for found, own in _manifests(fetcher, root, platform, limit):
        if own is None or platform.accepts(own):
            return found
        offered.append(str(own))
    kinds = ", ".join(sorted(set(offered)))
    raise NotFoundError(
        f"platform {platform}", f"{root.digest}, which offers {kinds or 'no platform'}"
    )


def _manifests(
    fetcher: Fetcher, root: Descriptor, wanted: Platform, limit: int
) -> Iterator[tuple[Descriptor, Platform | None]]:
    """Iterate over manifests and their platforms, entries with a platform first."""
    seen: set[Digest] = set()
    waiting = [root]
    while waiting:
        descriptor = waiting.pop()
        if descriptor.digest in seen:
            continue
        seen.add(descriptor.digest)
        document = fetch_document(fetcher, descriptor, limit=limit)
        if isinstance(document, Manifest):
            own = platform_of(fetcher, document, limit=limit)
            if own is not None or descriptor.digest == root.digest:
                yield descriptor, own
            continue
        silent = []
        for entry in document.images or document.manifests:
            if entry.platform is None:
                silent.append(entry)
            elif entry.is_index and wanted.accepts(entry.platform):
                silent.insert(0, entry)
            else:
                yield entry, entry.platform
        waiting += [entry for entry in reversed(silent) if entry.has_successors]
