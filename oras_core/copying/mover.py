"""Carry out the steps of a copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from oras_core.cancellation import CancelToken
from oras_core.content.graph import ManifestCache, fetch_document
from oras_core.content.sources import BytesSource
from oras_core.copying.blame import blaming
from oras_core.copying.naming import missing_tags
from oras_core.copying.options import CopyOptions, Moves
from oras_core.copying.plan import CopyStep
from oras_core.copying.tracing import traced
from oras_core.errors import (
    CancelledError,
    CopyError,
    DigestMismatchError,
    NotFoundError,
    SizeMismatchError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import (
    ByteSource,
    Fetcher,
    LocalStorage,
    Mounter,
    MultiTagPusher,
    Placer,
    ReferencePusher,
    Resolver,
    Storage,
    Target,
)

__all__ = ["Mover"]


class Mover:
    """Carries out single steps. Threads share its methods."""

    def __init__(
        self,
        source: Fetcher,
        cached: ManifestCache,
        destination: Storage,
        options: CopyOptions,
        token: CancelToken,
    ) -> None:
        """Move from `source`, whose manifests are `cached`, until `token` is cancelled."""
        self._source = source
        self._cached = cached
        self._destination = destination
        # Checked once: the check takes longer than all other work for a small file.
        self._mounter = destination if isinstance(destination, Mounter) else None
        self._local = destination if isinstance(destination, LocalStorage) else None
        self._placer = destination if isinstance(destination, Placer) else None
        self._listener = options.listener
        self._mount_source = options.mount_source
        self._limit = options.manifest_size
        self._token = token

    def move(self, step: CopyStep) -> Moves:
        """Move one blob or manifest, and place it under its further titles."""
        descriptor = step.descriptor
        if self._mounted(descriptor):
            self._listener.skipped(descriptor, "mounted")
            moves = Moves(mounted=(descriptor,))
        else:
            moves = self._transfer(descriptor, partial(self._destination.push, descriptor))
        self._place_further(step)
        return moves

    def is_at_hand(self, step: CopyStep) -> bool:
        """Tell whether the destination has a small blob, without a request."""
        return self._local is not None and self._local.has_small(step.descriptor)

    def skip(self, step: CopyStep) -> Moves:
        """Report a blob that is present, and place it under its further titles."""
        self._listener.skipped(step.descriptor, "exists")
        self._place_further(step)
        return Moves(skipped=(step.descriptor,))

    def _place_further(self, step: CopyStep) -> None:
        if self._placer is not None:
            for further in step.further_titles:
                self._place(self._placer, further)

    def name(self, root: Descriptor, tags: Sequence[str]) -> Moves:
        """Move the root and tag it; push and tags are one request where possible."""
        destination = self._destination
        if len(tags) > 1 and root.has_successors and isinstance(destination, MultiTagPusher):
            return self._transfer(root, lambda source: destination.push_tags(root, source, tags))
        first, *others = tags
        moves = self._move_named(root, first)
        for tag in others:
            with blaming("tag", "destination", root):
                self._tag(root, tag)
        return moves

    def name_present(self, root: Descriptor, tags: Sequence[str]) -> Moves:
        """Create the tags that the destination lacks; it has the root."""
        destination = self._destination
        # Other targets compare the tag with the root themselves.
        if isinstance(destination, ReferencePusher) and isinstance(destination, Resolver):
            missing = missing_tags(destination, root, tags)
            if not missing and root.has_successors and not self._has_subject(root):
                self._listener.skipped(root, "exists")
                return Moves(skipped=(root,))
            # A manifest with a subject is pushed again: a client that updates the list of
            # referrers itself may have ended before.
            tags = missing or tags
        return self.name(root, tags)

    def _has_subject(self, root: Descriptor) -> bool:
        with blaming("fetch", "source", root):
            return fetch_document(self._cached, root, limit=self._limit).subject is not None

    def _move_named(self, root: Descriptor, tag: str) -> Moves:
        destination = self._destination
        if isinstance(destination, ReferencePusher) and root.has_successors:
            return self._transfer(
                root, lambda source: destination.push_reference(root, source, tag)
            )
        moves = self._transfer(root, partial(destination.push, root))
        with blaming("tag", "destination", root):
            self._tag(root, tag)
        return moves

    def _tag(self, root: Descriptor, tag: str) -> None:
        destination = self._destination
        if isinstance(destination, ReferencePusher) and root.has_successors:
            # `tag` of a registry would fetch the manifest first.
            destination.push_reference(root, self._cached.source(root), tag)
        elif isinstance(destination, Target):
            destination.tag(root, tag)
        else:
            raise CopyError(
                "tag", "destination", str(root), TypeError("it is not a Target: it has no tags")
            )

    def _place(self, destination: Placer, further: Descriptor) -> None:
        try:
            with blaming("place", "destination", further):
                destination.place(further)
        except NotFoundError:
            # The archive of an unpacked directory is not kept: transfer it again.
            self._listener.planned(1, further.size)
            self._transfer(further, partial(self._destination.push, further))

    def _mounted(self, descriptor: Descriptor) -> bool:
        if descriptor.has_successors or self._mounter is None:
            return False
        with blaming("mount", "destination", descriptor):
            if self._mounter.mount(descriptor, self._source):
                return True
            other = self._mount_source and self._mount_source(descriptor)
            return other is not None and self._mounter.mount(descriptor, other)

    def _transfer(self, descriptor: Descriptor, push: Callable[[ByteSource], None]) -> Moves:
        watched = traced(
            self._cached.source(descriptor)
            if descriptor.data is None
            else BytesSource(descriptor.data),
            descriptor,
            self._listener,
            self._token,
        )
        try:
            push(watched)
        except Exception as error:
            if self._token.cancelled or isinstance(error, CancelledError):
                raise CancelledError(f"copy {descriptor}") from error
            # The destination verifies, but wrong bytes came from the source.
            wrong = isinstance(error, DigestMismatchError | SizeMismatchError)
            at_source = watched.failed or wrong
            operation, origin = ("fetch", "source") if at_source else ("push", "destination")
            self._listener.failed(descriptor, error)
            with blaming(operation, origin, descriptor):
                raise
        if watched.opened:
            self._listener.finished(descriptor)
            return Moves(moved=(descriptor,))
        self._listener.skipped(descriptor, "exists")
        return Moves(skipped=(descriptor,))
