"""Copy a graph of blobs and manifests from one target to another; push and pull are copies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final

from attrs import Factory, field, frozen

from oras_core.cancellation import CancelToken
from oras_core.content.graph import ManifestCache, fetch_document, successors
from oras_core.content.platforms import select_manifest
from oras_core.content.sources import BytesSource
from oras_core.copying.blame import blaming
from oras_core.copying.crew import Crew
from oras_core.copying.plan import CopyPlan, CopyStep, arrange
from oras_core.copying.tracing import traced
from oras_core.errors import (
    CancelledError,
    CopyError,
    DigestMismatchError,
    NotFoundError,
    SizeMismatchError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.platform import Platform
from oras_core.ports.content import (
    ByteSource,
    Fetcher,
    Mounter,
    MultiTagPusher,
    Placer,
    PushExpecter,
    ReadOnlyTarget,
    ReferencePusher,
    Storage,
    Target,
)
from oras_core.ports.progress import ProgressListener

__all__ = ["CopyOptions", "copy", "copy_graph", "copy_graphs", "expect_pushes", "find_root"]

DEFAULT_CONCURRENCY: Final = 16
"""Blobs in flight. So many small blobs hide a round trip of about 40 ms, and registries accept as
many connections."""


def _all_successors(
    options: CopyOptions,
) -> Callable[[Fetcher, Descriptor], Sequence[Descriptor]]:
    return partial(successors, limit=options.manifest_size)


@frozen
class CopyOptions:
    """Options of a copy.

    Attributes:
        concurrency: the number of blobs that move at the same time; with 1, the copy runs in
            the caller's thread.
        listener: receives the progress.
        manifest_size: the largest manifest accepted, in bytes.
        find_successors: returns the successors of a manifest or index that are copied with it;
            by default all of them, except a subject that the source lacks.
        platform: selects one manifest of an index; None copies the whole index. `copy` and
            `extended_copy` use it, `copy_graph` does not.
    """

    concurrency: int = DEFAULT_CONCURRENCY
    listener: ProgressListener = field(factory=ProgressListener)
    manifest_size: int = MAX_MANIFEST_SIZE
    find_successors: Callable[[Fetcher, Descriptor], Sequence[Descriptor]] = field(
        default=Factory(_all_successors, takes_self=True)
    )
    platform: Platform | None = None


def copy(
    source: ReadOnlyTarget,
    reference: str,
    destination: Target,
    destination_reference: str | None = None,
    *,
    further_tags: Sequence[str] = (),
    options: CopyOptions | None = None,
) -> Descriptor:
    """Copy an artifact: a manifest or index, and everything that it refers to.

    Args:
        source: the target to copy from.
        reference: a tag or a digest in the source.
        destination: the target to copy to.
        destination_reference: the tag to create; `reference` if None. No tag is created for
            a digest.
        further_tags: more tags to create.
        options: how to copy. With a platform, only the manifest for that platform is copied
            and tagged, not the index.

    Returns:
        The descriptor of the manifest or index that was copied.

    Raises: as `copy_graph`, and `NotFoundError` if the source has no such reference, or no
        manifest for the platform.
    """
    options = options or CopyOptions()
    root = find_root(source, reference, options)
    name = destination_reference or reference
    copy_graph(
        source,
        root.plain(),
        destination,
        reference=None if ":" in name else name,
        further_tags=further_tags,
        options=options,
    )
    return root


def find_root(source: ReadOnlyTarget, reference: str, options: CopyOptions) -> Descriptor:
    """Return the descriptor that `copy` copies, with the platform of `options` applied.

    Raises: as `copy`.
    """
    with blaming("resolve", "source", None):
        root = source.resolve(reference)
    if options.platform is None:
        return root
    with blaming("select", "source", root):
        return select_manifest(source, root, options.platform, limit=options.manifest_size)


def copy_graph(
    source: Fetcher,
    root: Descriptor,
    destination: Storage,
    *,
    reference: str | None = None,
    further_tags: Sequence[str] = (),
    options: CopyOptions | None = None,
) -> None:
    """Copy `root` and everything that it refers to, except what the destination has.

    Blobs arrive before the manifests that refer to them. The first failure ends the copy:
    no further transfer starts, running transfers are cancelled, and no manifest is pushed.
    Blobs that have arrived stay, so that the next run resumes there.

    Args:
        source: the target to copy from.
        root: the blob, manifest or index to copy.
        destination: the target to copy to.
        reference: the tag to create for the root; needs a `Target`.
        further_tags: more tags to create.
        options: how to copy.

    Raises:
        OrasError: an error of the source or the destination; a note names the side and the
            descriptor.
        CancelledError: within a second of the cancellation of the thread's `CancelToken`.
        CopyError: in place of an exception that is not an `OrasError`.
    """
    tags = [tag for tag in (reference, *further_tags) if tag is not None]
    _copy_graphs(source, [root], destination, tags, options or CopyOptions())


def copy_graphs(
    source: Fetcher,
    roots: Sequence[Descriptor],
    destination: Storage,
    *,
    options: CopyOptions | None = None,
) -> None:
    """Copy several graphs at once, which may share blobs; otherwise as `copy_graph`."""
    _copy_graphs(source, roots, destination, (), options or CopyOptions())


def _copy_graphs(
    source: Fetcher,
    roots: Sequence[Descriptor],
    destination: Storage,
    tags: Sequence[str],
    options: CopyOptions,
) -> None:
    """Copy the roots; `tags` are created for the single root."""
    expect_pushes(destination)
    cached = ManifestCache(source, limit=options.manifest_size)
    named = {root.digest for root in roots if tags}
    with Crew(options.concurrency) as crew:
        plan = _Walk(cached, destination, options).plan(roots, crew, named=named)
        tagged = [root for root in roots if root.digest in named and root not in plan]
        if contents := plan.contents + len(tagged):
            size = plan.size + sum(root.size for root in tagged)
            options.listener.planned(contents, size)
        mover = _Mover(source, cached, destination, options, crew.token)
        for level in plan.levels:
            crew.each(mover.move, [step for step in level if step.descriptor.digest not in named])
        for root in roots:
            mover.name(root, tags)


def expect_pushes(destination: Storage) -> None:
    """Announce the pushes to `destination`, if it is a `PushExpecter`."""
    if isinstance(destination, PushExpecter):
        destination.expect_pushes()


class _Walk:
    """Finds the blobs and manifests that the destination lacks. Threads share `explore`."""

    def __init__(self, source: Fetcher, destination: Storage, options: CopyOptions) -> None:
        self._source = source
        self._destination = destination
        self._options = options
        self._nodes: dict[Digest, Descriptor] = {}
        self._edges: dict[Digest, Sequence[Descriptor]] = {}
        self._present: set[Digest] = set()
        self._absent: dict[Digest, NotFoundError] = {}

    def plan(
        self, roots: Sequence[Descriptor], crew: Crew, *, named: Collection[Digest] = ()
    ) -> CopyPlan:
        """Walk from the roots, one generation at a time, to what the destination has.

        The listener is not told about roots in `named`: the copy may still push them, by tag.
        """
        generation: Sequence[Descriptor] = roots
        while generation:
            new = {
                n.digest: n for n in generation if n.has_successors and n.digest not in self._nodes
            }
            self._nodes |= new
            found = crew.each(self.explore, new.values())
            self._edges |= zip(new, found, strict=True)
            self._report_present([node for node in new.values() if node.digest not in named])
            generation = [child for children in found for child in children]
        for root in roots:
            if root.digest in self._absent:
                raise self._absent[root.digest]
        return arrange(
            [root for root in roots if root.digest not in self._present],
            {digest: self._wanted(digest) for digest in self._edges},
        )

    def _report_present(self, nodes: Sequence[Descriptor]) -> None:
        present = [node for node in nodes if node.digest in self._present]
        if present:
            self._options.listener.planned(len(present), sum(node.size for node in present))
        for node in present:
            self._options.listener.skipped(node, "exists")

    def explore(self, node: Descriptor) -> Sequence[Descriptor]:
        """Return the successors of a manifest; none if it is present, or missing everywhere."""
        with blaming("look for", "destination", node):
            if self._destination.exists(node):
                self._present.add(node.digest)
                return ()
        try:
            with blaming("fetch", "source", node):
                return self._options.find_successors(self._source, node)
        except NotFoundError as error:
            self._absent[node.digest] = error
            return ()

    def _wanted(self, digest: Digest) -> list[Descriptor]:
        """Return the successors of a manifest that must move before it.

        A subject that the source lacks is left out. It may arrive later, or may have been
        deleted (image spec, manifest.md).
        """
        wanted = []
        for child in self._edges[digest]:
            absence = self._absent.get(child.digest)
            if absence is not None and not self._is_subject(child, self._nodes[digest]):
                raise absence
            if absence is None and child.digest not in self._present:
                wanted.append(child)
        return wanted

    def _is_subject(self, node: Descriptor, parent: Descriptor) -> bool:
        document = fetch_document(self._source, parent, limit=self._options.manifest_size)
        return document.subject is not None and document.subject.digest == node.digest


class _Mover:
    """Carries out single steps. Threads share its methods."""

    def __init__(
        self,
        source: Fetcher,
        cached: ManifestCache,
        destination: Storage,
        options: CopyOptions,
        token: CancelToken,
    ) -> None:
        self._source = source
        self._cached = cached
        self._destination = destination
        # Checked once: the check takes longer than all other work for a small file.
        self._mounter = destination if isinstance(destination, Mounter) else None
        self._placer = destination if isinstance(destination, Placer) else None
        self._listener = options.listener
        self._token = token

    def move(self, step: CopyStep) -> None:
        """Move one blob or manifest, and place it under its further titles."""
        descriptor = step.descriptor
        if self._mounted(descriptor):
            self._listener.skipped(descriptor, "mounted")
        else:
            self._transfer(descriptor, partial(self._destination.push, descriptor))
        if self._placer is not None:
            for further in step.further_titles:
                self._place(self._placer, further)

    def name(self, root: Descriptor, tags: Sequence[str]) -> None:
        """Move the root and tag it; push and tags are one request where possible."""
        destination = self._destination
        if len(tags) > 1 and root.has_successors and isinstance(destination, MultiTagPusher):
            self._transfer(root, lambda source: destination.push_tags(root, source, tags))
            return
        for number, tag in enumerate(tags):
            if number == 0:
                self._move_named(root, tag)
            else:
                with blaming("tag", "destination", root):
                    self._tag(root, tag)

    def _move_named(self, root: Descriptor, tag: str) -> None:
        destination = self._destination
        if isinstance(destination, ReferencePusher) and root.has_successors:
            self._transfer(root, lambda source: destination.push_reference(root, source, tag))
            return
        self._transfer(root, partial(destination.push, root))
        with blaming("tag", "destination", root):
            self._tag(root, tag)

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
            return self._mounter.mount(descriptor, self._source)

    def _transfer(self, descriptor: Descriptor, push: Callable[[ByteSource], None]) -> None:
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
        else:
            self._listener.skipped(descriptor, "exists")
