"""Verify a mirror: compare the tags, the referrers and the blobs of both sides."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from functools import partial
from typing import Literal, TypeVar

from attrs import asdict, frozen

from oras_core.content.graph import ManifestCache, fetch_document
from oras_core.content.platforms import select_manifest
from oras_core.copying.crew import Crew
from oras_core.copying.options import CopyOptions
from oras_core.copying.referrer_search import ReferrerSearch
from oras_core.errors import CancelledError, NotFoundError, OrasError
from oras_core.mirroring.job import Job, TaggedRoot
from oras_core.mirroring.plan import Mirror, plan_mirror
from oras_core.mirroring.records import Record
from oras_core.mirroring.working import Registries, distinct, referrer_filter, repository_in
from oras_core.model.descriptor import Descriptor
from oras_core.registry.repository import RemoteRepository

__all__ = ["Difference", "verify_job", "verify_mirror"]

T = TypeVar("T")
R = TypeVar("R")

DifferenceKind = Literal["tag", "other", "referrer", "manifest", "blob", "unread"]
"""The kinds of differences between the source and the destination of a mirror."""


@frozen
class Difference:
    """A fault of a mirror.

    Attributes:
        kind: `tag`, `referrer`, `manifest` or `blob` if the destination lacks one; `other` for a
            tag that names another artifact there; `unread` for a repository or job that cannot
            be compared.
        repository: the repository of the destination, `HOST/REPOSITORY`.
        name: the tag, or the digest.
        detail: an explanation for people.
    """

    kind: DifferenceKind
    repository: str
    name: str
    detail: str = ""

    def __str__(self) -> str:
        """Return one line."""
        what = {
            "other": f"the tag {self.name} names another artifact",
            "unread": f"{self.name or 'the repository'} could not be compared",
        }.get(self.kind, f"the {self.kind} {self.name} is missing")
        return f"{self.repository}: {what}{self.detail and f' ({self.detail})'}"

    def json(self) -> str:
        """Return one line of JSON, for programs."""
        return json.dumps(asdict(self))


def verify_mirror(
    mirrors: Sequence[Mirror],
    registries: Registries,
    executor: Executor,
    verify: Callable[[Job], Sequence[Difference]],
    *,
    in_flight: int = 64,
) -> Iterator[Difference]:
    """Iterate over the differences between sources and destinations. Nothing is moved.

    Tags that only the destination has are no differences.

    Args:
        mirrors: the registries and repositories that were mirrored.
        registries: the registries, to plan from in this process.
        executor: runs `verify`, in threads or in other processes.
        verify: compares one job, as `verify_job` does; picklable if the executor has
            processes.
        in_flight: the number of jobs in memory.

    Raises:
        CancelledError: if the thread's token is cancelled.

    Example:
        >>> mirror = Mirror("localhost:5001/team/model", "localhost:5001/copy/model")
        >>> with ThreadPoolExecutor() as threads:
        ...     verify = partial(verify_job, registries=registries)
        ...     found = list(verify_mirror([mirror], registries, threads, verify))
        >>> [difference.kind for difference in found]
        ['tag', 'tag', 'tag', 'referrer']
    """
    unread: list[Difference] = []

    def jobs() -> Iterator[Job]:
        for mirror in mirrors:
            for event in plan_mirror(mirror, registries):
                if isinstance(event, Job):
                    yield event
                elif isinstance(event, Record) and event.failure:
                    unread.append(
                        Difference("unread", event.destination, "", event.failure.message)
                    )

    for differences in _in_flight(executor, verify, jobs(), in_flight):
        yield from differences
    yield from unread


def _in_flight(
    executor: Executor, function: Callable[[T], R], items: Iterable[T], bound: int
) -> Iterator[R]:
    """Yield the results in any order, with a bounded number of items in memory."""
    running: set[Future[R]] = set()
    try:
        for item in items:
            running.add(executor.submit(function, item))
            if len(running) >= bound:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    finally:
        for future in running:
            future.cancel()


def verify_job(
    job: Job, registries: Registries, *, deep: bool = False, options: CopyOptions | None = None
) -> tuple[Difference, ...]:
    """Compare the tags of a job, and the referrers of their artifacts.

    Args:
        job: the tags, with the digests that they have at the source.
        registries: the registries.
        deep: look also for every manifest and blob at the destination, by HEAD requests.
        options: how many requests to send at the same time.

    Raises:
        CancelledError: if the thread's token is cancelled.

    Example:
        >>> mirror = Mirror("localhost:5001/team/model", "localhost:5001/copy/model")
        >>> job = next(plan_mirror(mirror, registries))
        >>> record = run_job(job, registries)
        >>> verify_job(job, registries, deep=True)
        ()
    """
    try:
        return tuple(_Comparison(job, registries, options or CopyOptions()).run(deep=deep))
    except CancelledError:
        raise
    except OrasError as error:
        names = ", ".join(entry.tag for entry in job.tags)
        return (Difference("unread", job.destination, names, str(error)),)


class _Comparison:
    """The comparison of one job."""

    def __init__(self, job: Job, registries: Registries, options: CopyOptions) -> None:
        self._job = job
        self._options = options
        self._source = repository_in(registries, job.source)
        self._destination = repository_in(registries, job.destination)

    def run(self, *, deep: bool) -> Iterator[Difference]:
        with Crew(self._options.concurrency) as crew:
            wanted = dict(
                item for item in crew.each(self._wanted, self._job.tags) if item is not None
            )
            for some in crew.each(self._compare_tag, wanted.items()):
                yield from some
            roots = distinct(wanted.values())
            cached = ManifestCache(self._source, limit=self._options.manifest_size)
            search = ReferrerSearch(
                self._source, cached, referrer_filter(self._job.choice), self._options
            )
            found = search.run(roots, crew)
            subjects = [(search.nodes[digest], some) for digest, some in found.items()]
            for some in crew.each(self._compare_referrers, subjects):
                yield from some
            if deep:
                referrers = (referrer.plain() for some in found.values() for referrer in some)
                yield from self._missing([*roots, *referrers], crew)

    def _wanted(self, entry: TaggedRoot) -> tuple[str, Descriptor] | None:
        """Return a tag with the artifact that its copy has; None if there is nothing to copy."""
        platform = self._job.choice.platform
        if platform is None:
            return entry.tag, entry.root
        try:
            limit = self._options.manifest_size
            return entry.tag, select_manifest(self._source, entry.root, platform, limit=limit)
        except NotFoundError:
            return None

    def _compare_tag(self, item: tuple[str, Descriptor]) -> list[Difference]:
        tag, root = item
        try:
            found = self._destination.resolve(tag)
        except NotFoundError:
            return [Difference("tag", self._job.destination, tag)]
        if found.digest == root.digest:
            return []
        detail = f"{found.digest} instead of {root.digest}"
        return [Difference("other", self._job.destination, tag, detail)]

    def _compare_referrers(self, item: tuple[Descriptor, Sequence[Descriptor]]) -> list[Difference]:
        subject, referrers = item
        try:
            listed = {referrer.digest for referrer in self._destination.referrers(subject)}
        except NotFoundError:
            listed = set()
        return [
            Difference("referrer", self._job.destination, str(r.digest), f"of {subject.digest}")
            for r in referrers
            if r.digest not in listed
        ]

    def _missing(self, roots: Sequence[Descriptor], crew: Crew) -> Iterator[Difference]:
        """Walk the graphs at the destination, one generation at a time."""
        seen: set[object] = set()
        generation = list(roots)
        while generation:
            new = {(d.digest, d.has_successors): d.plain() for d in generation}
            todo = [descriptor for node, descriptor in new.items() if node not in seen]
            seen |= new.keys()
            found = crew.each(partial(_look, self._destination, self._options), todo)
            generation = [child for children in found for child in children or ()]
            for descriptor, children in zip(todo, found, strict=True):
                if children is None:
                    kind: DifferenceKind = "manifest" if descriptor.has_successors else "blob"
                    yield Difference(kind, self._job.destination, str(descriptor.digest))


def _look(
    target: RemoteRepository, options: CopyOptions, descriptor: Descriptor
) -> tuple[Descriptor, ...] | None:
    """Return the successors of a manifest or blob; None if it is missing."""
    if not descriptor.has_successors:
        return () if target.exists(descriptor) else None
    try:
        document = fetch_document(target, descriptor, limit=options.manifest_size)
    except NotFoundError:
        return None
    # A subject may be absent anywhere (image spec, manifest.md).
    subject = document.subject
    return tuple(d for d in document.successors if subject is None or d.digest != subject.digest)
