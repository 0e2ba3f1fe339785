"""Verify: hash every blob and manifest of an OCI layout."""

from __future__ import annotations

from contextlib import closing
from typing import Protocol

from attrs import frozen

from oras_core.content.graph import fetch_document
from oras_core.content.verify import verify_stream
from oras_core.copying.crew import Crew
from oras_core.copying.options import CopyOptions
from oras_core.errors import ContentError, InvalidManifestError, NotFoundError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.content import Fetcher, RootLister, UnverifiedFetcher

__all__ = ["Verification", "verify"]


class VerifiableTarget(Fetcher, RootLister, Protocol):
    """A target that lists its artifacts, such as an OCI layout."""


@frozen
class Verification:
    """The result of `verify`.

    Attributes:
        intact: blobs and manifests that match their digest.
        damaged: blobs and manifests that do not.
        missing: blobs and manifests that are referred to, and absent. A layout may lack some
            (image-layout.md): a subject, or the layers of other platforms.
    """

    intact: tuple[Descriptor, ...]
    damaged: tuple[Descriptor, ...]
    missing: tuple[Descriptor, ...]


def verify(target: VerifiableTarget, *, options: CopyOptions | None = None) -> Verification:
    """Read everything that the index of a layout reaches, and compare it with its digests.

    A copy of the same artifacts into `OciLayoutStore(tree, verify=True)`, or a `backup` with
    `verify=True`, writes damaged and missing blobs again.

    Args:
        target: the layout.
        options: how many blobs to read at the same time, and the largest manifest accepted.

    Raises:
        CancelledError: if the thread's token is cancelled.
        FileAccessError: if a file cannot be read.

    Example:
        >>> done = backup(repository, tree)
        >>> result = verify(OciLayoutStore(tree))
        >>> (result.damaged, result.missing)
        ((), ())
    """
    options = options or CopyOptions()
    # Hashed here: the target need not hash the same bytes, too.
    fetch = target.fetch_unverified if isinstance(target, UnverifiedFetcher) else target.fetch
    found: dict[str, list[Descriptor]] = {"intact": [], "damaged": [], "missing": []}

    def check(descriptor: Descriptor) -> tuple[str, tuple[Descriptor, ...]]:
        try:
            if descriptor.has_successors:
                document = fetch_document(target, descriptor, limit=options.manifest_size)
                return "intact", document.successors
            with closing(fetch(descriptor)) as stream:
                verify_stream(stream, descriptor)
        except NotFoundError:
            return "missing", ()
        except (ContentError, InvalidManifestError):
            return "damaged", ()
        return "intact", ()

    seen: set[tuple[Digest, bool]] = set()
    todo = [root.plain() for root in target.roots()]
    with Crew(options.concurrency) as crew:
        while todo:
            new = {(d.digest, d.has_successors): d.plain() for d in todo}
            level = [descriptor for node, descriptor in new.items() if node not in seen]
            seen |= new.keys()
            todo = []
            for descriptor, (state, successors) in zip(level, crew.each(check, level), strict=True):
                found[state].append(descriptor)
                todo.extend(successors)
    return Verification(tuple(found["intact"]), tuple(found["damaged"]), tuple(found["missing"]))
