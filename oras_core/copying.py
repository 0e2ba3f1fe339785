"""Copying a graph of content from one target to another: what push and pull are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from threading import Event, Lock
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import field, frozen

from oras_core.content.graph import ManifestCache, successors
from oras_core.content.sources import BytesSource, FetchedSource
from oras_core.copy_plan import CopyPlan, CopyStep, arrange
from oras_core.errors import (
    CopyError,
    DigestMismatchError,
    NotFoundError,
    OrasError,
    SizeMismatchError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.ports.content import (
    ByteSource,
    ByteStream,
    Fetcher,
    Mounter,
    Placer,
    ReadOnlyTarget,
    ReferencePusher,
    Storage,
    Target,
)
from oras_core.ports.progress import ProgressListener

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CopyOptions", "copy", "copy_graph"]

DEFAULT_CONCURRENCY: Final = 8
"""Contents in flight: hides the round trips of small ones, and is polite to a registry."""

T = TypeVar("T")
R = TypeVar("R")


@frozen
class CopyOptions:
    """How to copy.

    Attributes:
        concurrency: how many contents move at the same time; 1 also means that everything
            happens in the caller's thread.
        listener: told of the progress.
        manifest_size: the largest manifest accepted, in bytes.
        find_successors: what of a manifest's or index' successors is copied with it; all
            by default.
    """

    concurrency: int = DEFAULT_CONCURRENCY
    listener: ProgressListener = field(factory=ProgressListener)
    manifest_size: int = MAX_MANIFEST_SIZE
    find_successors: Callable[[Fetcher, Descriptor], Sequence[Descriptor]] = field()

    @find_successors.default
    def _all_successors(self) -> Callable[[Fetcher, Descriptor], Sequence[Descriptor]]:
        return partial(successors, limit=self.manifest_size)


def copy(
    source: ReadOnlyTarget,
    reference: str,
    destination: Target,
    destination_reference: str | None = None,
    *,
    options: CopyOptions | None = None,
) -> Descriptor:
    """Copy what `reference` names, and all that it refers to.

    Args:
        source: where it is.
        reference: a tag or a digest there.
        destination: where it shall be.
        destination_reference: the tag that shall name it there; `reference` if None. A
            digest names nothing new.
        options: how.

    Returns:
        The descriptor of the root.

    Raises: as `copy_graph`, and `NotFoundError` if the source has no such name.
    """
    with _blaming("resolve", "source", None):
        root = source.resolve(reference)
    name = destination_reference or reference
    copy_graph(source, root, destination, reference=None if ":" in name else name, options=options)
    return root


def copy_graph(
    source: Fetcher,
    root: Descriptor,
    destination: Storage,
    *,
    reference: str | None = None,
    options: CopyOptions | None = None,
) -> None:
    """Copy `root` and all that it refers to; what the destination has is left out.

    Whatever is referred to arrives before what refers to it. The first failure ends the
    copy: nothing new is begun, what is under way stops at its next chunk, and no manifest
    is pushed. What has arrived stays, so that another run goes on from there.

    Args:
        source: where it is.
        root: what is copied.
        destination: where it shall be.
        reference: the tag that shall name the root there; needs a `Target`.
        options: how.

    Raises:
        OrasError: whatever one of the two sides raises; a note says which and at what.
        CopyError: in place of an exception that is no `OrasError`.
    """
    options = options or CopyOptions()
    cached = ManifestCache(source, limit=options.manifest_size)
    with _Crew(options.concurrency) as crew:
        plan = _plan(cached, root, destination, options, crew)
        mover = _Mover(source, cached, destination, options, crew.cancelled)
        for level in plan.levels:
            steps = [step for step in level if step.descriptor.digest != root.digest]
            crew.each(mover.move, steps)
        if reference is not None:
            mover.move_root(root, reference)
        elif plan.levels:
            mover.move(CopyStep(root))
        else:
            options.listener.skipped(root, "exists")


def _plan(
    source: Fetcher, root: Descriptor, destination: Storage, options: CopyOptions, crew: _Crew
) -> CopyPlan:
    """Walk the graph from the root, a generation at a time, down to what is there already."""
    edges: dict[Digest, Sequence[Descriptor]] = {}
    present: set[Digest] = set()

    def explore(node: Descriptor) -> Sequence[Descriptor] | None:
        with _blaming("look for", "destination", node):
            if destination.exists(node):
                return None
        with _blaming("fetch", "source", node):
            return options.find_successors(source, node)

    generation = [root]
    while generation:
        nodes = {n.digest: n for n in generation if n.has_successors and n.digest not in edges}
        found = crew.each(explore, nodes.values())
        generation = []
        for node, children in zip(nodes.values(), found, strict=True):
            if children is None:
                present.add(node.digest)
                if node.digest != root.digest:  # which may still be given a name
                    options.listener.skipped(node, "exists")
            edges[node.digest] = children or ()
            generation.extend(children or ())
    if root.digest in present:
        return CopyPlan(())
    wanted = {
        digest: [child for child in children if child.digest not in present]
        for digest, children in edges.items()
    }
    return arrange(root, wanted)


class _Mover:
    """Moves single steps. Its methods run on several threads."""

    def __init__(
        self,
        source: Fetcher,
        cached: Fetcher,
        destination: Storage,
        options: CopyOptions,
        cancelled: Event,
    ) -> None:
        self._source = source
        self._cached = cached
        self._destination = destination
        self._listener = options.listener
        self._cancelled = cancelled

    def move(self, step: CopyStep) -> None:
        """Move one content, and put it under its further titles."""
        descriptor = step.descriptor
        if self._mounted(descriptor):
            self._listener.skipped(descriptor, "mounted")
        else:
            self._transfer(descriptor, partial(self._destination.push, descriptor))
        if step.further_titles and isinstance(self._destination, Placer):
            for further in step.further_titles:
                self._place(self._destination, further)

    def move_root(self, root: Descriptor, reference: str) -> None:
        """Move the root and name it, in one step where the destination can."""
        destination = self._destination
        if isinstance(destination, ReferencePusher) and root.has_successors:
            self._transfer(root, lambda source: destination.push_reference(root, source, reference))
            return
        self._transfer(root, partial(destination.push, root))
        if not isinstance(destination, Target):
            raise CopyError(
                "tag", "destination", str(root), TypeError("it is no Target: it has no tags")
            )
        with _blaming("tag", "destination", root):
            destination.tag(root, reference)

    def _place(self, destination: Placer, further: Descriptor) -> None:
        try:
            with _blaming("place", "destination", further):
                destination.place(further)
        except NotFoundError:
            # An unpacked directory, whose archive nobody keeps: it travels again.
            self._transfer(further, partial(self._destination.push, further))

    def _mounted(self, descriptor: Descriptor) -> bool:
        if descriptor.has_successors or not isinstance(self._destination, Mounter):
            return False
        with _blaming("mount", "destination", descriptor):
            return self._destination.mount(descriptor, self._source)

    def _transfer(self, descriptor: Descriptor, push: Callable[[ByteSource], None]) -> None:
        traced = _TracedSource(
            FetchedSource(self._cached, descriptor)
            if descriptor.data is None
            else BytesSource(descriptor.data),
            descriptor,
            self._listener,
            self._cancelled,
        )
        try:
            push(traced)
        except Exception as error:
            if traced.cancelled:
                raise _CopyCancelledError from error
            # Who verifies is the destination, but what is wrong came from the source.
            wrong = isinstance(error, DigestMismatchError | SizeMismatchError)
            at_source = traced.failed or wrong
            operation, origin = ("fetch", "source") if at_source else ("push", "destination")
            self._listener.failed(descriptor, error)
            with _blaming(operation, origin, descriptor):
                raise
        if traced.opened:
            self._listener.finished(descriptor)
        else:
            self._listener.skipped(descriptor, "exists")


class _TracedSource:
    """A source that knows whether it was opened and whether it failed, and tells of progress."""

    def __init__(
        self,
        source: ByteSource,
        descriptor: Descriptor,
        listener: ProgressListener,
        cancelled: Event,
    ) -> None:
        self._source = source
        self._descriptor = descriptor
        self._listener = listener
        self._cancellation = cancelled
        self.opened = False
        self.failed = False
        self.cancelled = False

    @property
    def size(self) -> int | None:
        """The size of the source."""
        return self._source.size

    def open(self) -> ByteStream:
        """Open the source."""
        if not self.opened:
            self._listener.started(self._descriptor)
        self.opened = True
        self.failed = False  # of an earlier attempt
        with self.noticing_failure():
            return _TracedStream(self._source.open(), self)

    def advance(self, chunk: bytes) -> bytes:
        """Report a chunk and hand it on."""
        if chunk:
            self._listener.advanced(self._descriptor, len(chunk))
        return chunk

    @contextmanager
    def noticing_failure(self) -> Iterator[None]:
        """Note that it was the source that failed, or that the copy was cancelled."""
        if self._cancellation.is_set():
            self.cancelled = True
            raise _CopyCancelledError
        try:
            yield
        except BaseException:
            self.failed = True
            raise


class _TracedStream:
    def __init__(self, stream: ByteStream, source: _TracedSource) -> None:
        self._stream = stream
        self._source = source

    def read(self, size: int = -1, /) -> bytes:
        with self._source.noticing_failure():
            chunk = self._stream.read(size)
        return self._source.advance(chunk)

    def close(self) -> None:
        self._stream.close()


class _CopyCancelledError(Exception):
    """Ends a transfer because another one failed; never leaves this module."""


class _Crew:
    """A few threads that work through items, and stop together. Tasks never wait for tasks."""

    def __init__(self, size: int) -> None:
        self._alone = size <= 1
        self._executor = ThreadPoolExecutor(max(1, size), thread_name_prefix="oras-copy")
        self._lock = Lock()
        self._failure: BaseException | None = None
        self.cancelled = Event()

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *exception: object) -> None:
        # Also after an interrupt: no thread goes on behind our back.
        self.cancelled.set()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def each(self, task: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Run `task` on every item and return the results in order.

        The first failure cancels the rest, which has stopped when the crew is left.
        """
        todo = list(items)
        if self._alone or len(todo) == 1:
            return [task(item) for item in todo]
        futures = [self._executor.submit(self._run, task, item) for item in todo]
        wait(futures, return_when=FIRST_EXCEPTION)
        if self._failure is not None:
            raise self._failure
        return [future.result() for future in futures]

    def _run(self, task: Callable[[T], R], item: T) -> R:
        if self.cancelled.is_set():
            raise _CopyCancelledError
        try:
            return task(item)
        except BaseException as error:
            with self._lock:
                self._failure = self._failure or error
            self.cancelled.set()
            raise


@contextmanager
def _blaming(operation: str, origin: str, descriptor: Descriptor | None) -> Iterator[None]:
    """Let an error say which side it came from, and hide none behind another type."""
    what = str(descriptor) if descriptor else ""
    try:
        yield
    except OrasError as error:
        error.add_note(f"while copying: {operation} {what}".rstrip() + f" ({origin})")
        raise
    except _CopyCancelledError:
        raise
    except Exception as error:
        raise CopyError(operation, origin, what, error) from error
