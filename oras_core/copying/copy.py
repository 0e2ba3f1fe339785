"""Copying a graph of content from one target to another: what push and pull are made of."""

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
"""Contents in flight: as many small ones as hide a round trip of some 40 ms, and not so many that
a registry would mind."""


def _all_successors(
    options: CopyOptions,
) -> Callable[[Fetcher, Descriptor], Sequence[Descriptor]]:
    return partial(successors, limit=options.manifest_size)


@frozen
class CopyOptions:
    """How to copy.

    Attributes:
        concurrency: how many contents move at the same time; 1 also means that everything
            happens in the caller's thread.
        listener: told of the progress.
        manifest_size: the largest manifest accepted, in bytes.
        find_successors: what of a manifest's or index' successors is copied with it; by
            default all, but for a subject that the source lacks.
        platform: which manifest of an index is meant; None for the whole index. Says what
            `copy` copies, not what of a graph.
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
    """Copy what `reference` names, and all that it refers to.

    Args:
        source: where it is.
        reference: a tag or a digest there.
        destination: where it shall be.
        destination_reference: the tag that shall name it there; `reference` if None. A
            digest names nothing new.
        further_tags: tags that shall name it there too.
        options: how. With a platform, an index is left behind: the manifest in it that is
            meant for the platform is what is copied and named.

    Returns:
        The descriptor of what was copied.

    Raises: as `copy_graph`, and `NotFoundError` if the source has no such name, or nothing
        for the platform.
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
    """Return what `copy` copies: what `reference` names, or what in it is for the platform.

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
    """Copy `root` and all that it refers to; what the destination has is left out.

    Whatever is referred to arrives before what refers to it. The first failure ends the
    copy: nothing new is begun, what is under way is broken off, and no manifest is pushed.
    What has arrived stays, so that another run goes on from there.

    Args:
        source: where it is.
        root: what is copied.
        destination: where it shall be.
        reference: the tag that shall name the root there; needs a `Target`.
        further_tags: tags that shall name it too.
        options: how.

    Raises:
        OrasError: whatever one of the two sides raises; a note says which and at what.
        CancelledError: within a second of the cancellation of the thread's `CancelToken`.
        CopyError: in place of an exception that is no `OrasError`.
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
    """Copy several graphs at once, which may share content; otherwise as `copy_graph`."""
    _copy_graphs(source, roots, destination, (), options or CopyOptions())


def _copy_graphs(
    source: Fetcher,
    roots: Sequence[Descriptor],
    destination: Storage,
    tags: Sequence[str],
    options: CopyOptions,
) -> None:
    """Copy; the tags are for the one root where there are some."""
    expect_pushes(destination)
    cached = ManifestCache(source, limit=options.manifest_size)
    named = {root.digest for root in roots if tags}
    with Crew(options.concurrency) as crew:
        plan = _Walk(cached, destination, options).plan(roots, crew, named=named)
        if plan.contents:
            options.listener.planned(plan.contents, plan.size)
        mover = _Mover(source, cached, destination, options, crew.token)
        for level in plan.levels:
            crew.each(mover.move, [step for step in level if step.descriptor.digest not in named])
        for root in roots:
            mover.name(root, tags)


def expect_pushes(destination: Storage) -> None:
    """Tell `destination` that content is going to come, if it wants to know."""
    if isinstance(destination, PushExpecter):
        destination.expect_pushes()


class _Walk:
    """Finds out what the destination lacks. `explore` runs on several threads."""

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
        """Walk from the roots, a generation at a time, down to what is there already.

        Of what is `named` nothing is told: it may still have to be pushed, under its name.
        """
        generation: Sequence[Descriptor] = roots
        while generation:
            new = {
                n.digest: n for n in generation if n.has_successors and n.digest not in self._nodes
            }
            self._nodes |= new
            found = crew.each(self.explore, new.values())
            self._edges |= zip(new, found, strict=True)
            for node in new.values():
                if node.digest in self._present and node.digest not in named:
                    self._options.listener.skipped(node, "exists")
            generation = [child for children in found for child in children]
        for root in roots:
            if root.digest in self._absent:
                raise self._absent[root.digest]
        return arrange(
            [root for root in roots if root.digest not in self._present],
            {digest: self._wanted(digest) for digest in self._edges},
        )

    def explore(self, node: Descriptor) -> Sequence[Descriptor]:
        """Return what a manifest refers to; nothing if it is there already, or nowhere."""
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
        """Return what a manifest refers to and is to be moved before it.

        A subject that the source lacks is left out: it may come later, or may have been
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
    """Moves single steps. Its methods run on several threads."""

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
        # Looked for once: it takes longer than anything else that is done for a small file.
        self._mounter = destination if isinstance(destination, Mounter) else None
        self._placer = destination if isinstance(destination, Placer) else None
        self._listener = options.listener
        self._token = token

    def move(self, step: CopyStep) -> None:
        """Move one content, and put it under its further titles."""
        descriptor = step.descriptor
        if self._mounted(descriptor):
            self._listener.skipped(descriptor, "mounted")
        else:
            self._transfer(descriptor, partial(self._destination.push, descriptor))
        if self._placer is not None:
            for further in step.further_titles:
                self._place(self._placer, further)

    def name(self, root: Descriptor, tags: Sequence[str]) -> None:
        """Move the root and let `tags` name it; the first in one step where that is possible."""
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
            # Its `tag` would have to fetch the content first.
            destination.push_reference(root, self._cached.source(root), tag)
        elif isinstance(destination, Target):
            destination.tag(root, tag)
        else:
            raise CopyError(
                "tag", "destination", str(root), TypeError("it is no Target: it has no tags")
            )

    def _place(self, destination: Placer, further: Descriptor) -> None:
        try:
            with blaming("place", "destination", further):
                destination.place(further)
        except NotFoundError:
            # An unpacked directory, whose archive nobody keeps: it travels again.
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
            # Who verifies is the destination, but what is wrong came from the source.
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
