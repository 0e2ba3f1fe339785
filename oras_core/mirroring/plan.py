"""Plan a mirror: a stream of jobs, of which few are in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

from attrs import field, frozen

from oras_core.copying.crew import Crew
from oras_core.copying.options import DEFAULT_CONCURRENCY
from oras_core.errors import (
    CancelledError,
    InvalidInputError,
    NotFoundError,
    OrasError,
    UnsupportedError,
)
from oras_core.mirroring.dates import candidate_of
from oras_core.mirroring.failures import failure_of
from oras_core.mirroring.job import Job, TaggedRoot
from oras_core.mirroring.records import Record
from oras_core.mirroring.selection import Candidate, Selection, Selector
from oras_core.mirroring.working import Registries, repository_in
from oras_core.model.reference import is_registry, is_repository
from oras_core.registry.referrers_list import is_referrers_list
from oras_core.registry.repository import RemoteRepository

__all__ = ["Mirror", "PlanEvent", "Planned", "plan_mirror"]

T = TypeVar("T")

TAGS_PER_JOB: Final = 32
"""Tags of one job: enough that a job outlasts its way to the worker, few enough to repeat."""

PAGE_SIZE: Final = 1000
"""Names of one page of a catalog or of tags; registries that allow fewer send fewer."""


@frozen
class Mirror:
    """One registry or repository to mirror, and its destination.

    Attributes:
        source: a registry, `HOST`; or one repository, `HOST/REPOSITORY`.
        destination: the destination. For a registry, `HOST` or `HOST/PREFIX`: repositories
            keep their names below it. For a repository, `HOST/REPOSITORY`.
        selection: the repositories, tags and artifacts to mirror.
    """

    source: str
    destination: str
    selection: Selection = field(factory=Selection)

    def __attrs_post_init__(self) -> None:
        """Check the names.

        Raises:
            InvalidInputError: if a name is malformed.
        """
        for name in (self.source, self.destination):
            host, slash, path = name.partition("/")
            if not is_registry(host) or (slash and not is_repository(path)):
                raise InvalidInputError(name, "expected HOST, HOST:PORT or HOST/REPOSITORY")
        if "/" in self.source and "/" not in self.destination:
            raise InvalidInputError(
                self.destination, f"{self.source} is a repository; name its destination's too"
            )
        if "/" in self.source and self.selection.repositories:
            raise InvalidInputError(
                self.source, "it is a repository; select repositories of a registry only"
            )

    def destination_of(self, repository: str) -> str:
        """Return the destination of a repository, `HOST/REPOSITORY`."""
        if "/" in self.source:
            return self.destination
        return f"{self.destination}/{repository}"


@frozen
class Planned:
    """All jobs of a repository have been planned.

    Attributes:
        source: the repository to copy from, `HOST/REPOSITORY`.
        destination: the repository to copy to.
    """

    source: str
    destination: str


PlanEvent = Job | Planned | Record
"""A job; the end of a repository; or a record with the failure to plan a repository."""


def _none(_: Planned) -> bool:
    return False


def plan_mirror(
    mirror: Mirror,
    registries: Registries,
    *,
    is_planned: Callable[[Planned], bool] = _none,
    tags_per_job: int = TAGS_PER_JOB,
    concurrency: int = DEFAULT_CONCURRENCY,
) -> Iterator[PlanEvent]:
    """Iterate over the jobs of a mirror. Nothing is requested before the first is taken.

    Memory holds one page of repositories and one page of tags. A selection of the newest tags
    holds the tags of one repository.

    Args:
        mirror: what to mirror.
        registries: the registries, with this process's credentials.
        is_planned: tells whether the jobs of a repository are known from an earlier run.
        tags_per_job: the largest number of tags of one job.
        concurrency: the number of tags that are resolved at the same time.

    Yields:
        Jobs, a `Planned` after the last job of each repository, and a `Record` with a failure
        for a repository, or a catalog, that cannot be read.

    Raises:
        CancelledError: if the thread's token is cancelled.

    Example:
        >>> mirror = Mirror("localhost:5001/team/model", "localhost:5001/copy/model")
        >>> [len(event.tags) for event in plan_mirror(mirror, registries) if isinstance(event, Job)]
        [3]
    """
    selector = Selector(mirror.selection)
    try:
        for repository in _repositories(mirror, registries, selector):
            source = mirror.source if "/" in mirror.source else f"{mirror.source}/{repository}"
            planned = Planned(source, mirror.destination_of(repository))
            if is_planned(planned):
                continue
            jobs = _jobs(planned, selector, registries, tags_per_job, concurrency)
            yield from _reporting(planned, jobs)
    except CancelledError:
        raise
    except OrasError as error:
        yield _failed(Planned(mirror.source, mirror.destination), error)


def _reporting(planned: Planned, jobs: Iterable[Job]) -> Iterator[PlanEvent]:
    try:
        yield from jobs
    except CancelledError:
        raise
    except OrasError as error:
        yield _failed(planned, error)
    else:
        yield planned


def _failed(planned: Planned, error: OrasError) -> Record:
    """Return the record of what cannot be planned; its key is that of a job without tags."""
    job = Job(planned.source, planned.destination, ())
    return Record.failed(job, failure_of(error, job))


def _repositories(mirror: Mirror, registries: Registries, selector: Selector) -> Iterator[str]:
    host, _, path = mirror.source.partition("/")
    if path:
        yield path
        return
    named = selector.named_repositories
    if named is not None:
        yield from named
        return
    try:
        for name in registries.registry(host).catalog(PAGE_SIZE):
            if selector.includes_repository(name):
                yield name
    except UnsupportedError as error:
        raise UnsupportedError(
            f"list the repositories of {host}", f"{error.reason}; name the repositories instead"
        ) from error


def _jobs(
    planned: Planned,
    selector: Selector,
    registries: Registries,
    tags_per_job: int,
    concurrency: int,
) -> Iterator[Job]:
    repository = repository_in(registries, planned.source)
    choice = selector.selection.choice
    for some in _batches(_chosen(repository, selector, concurrency), tags_per_job):
        yield Job(planned.source, planned.destination, some, choice)


def _batches(items: Iterator[T], size: int) -> Iterator[tuple[T, ...]]:
    return iter(lambda: tuple(islice(items, size)), ())


def _chosen(
    repository: RemoteRepository, selector: Selector, concurrency: int
) -> Iterator[TaggedRoot]:
    """Iterate over the selected tags, with the artifacts that they name."""
    names = filter(selector.includes_tag, repository.tags(PAGE_SIZE))
    found = _resolved(repository, names, selector, concurrency)
    if selector.selection.newest is None:
        yield from (entry for entry, _ in found)
        return
    entries = {candidate.tag: (entry, candidate) for entry, candidate in found}
    for candidate in selector.newest(candidate for _, candidate in entries.values()):
        yield entries[candidate.tag][0]


def _resolved(
    repository: RemoteRepository, names: Iterator[str], selector: Selector, concurrency: int
) -> Iterator[tuple[TaggedRoot, Candidate]]:
    reads = selector.selection.needs_manifests

    def resolve(tag: str) -> tuple[TaggedRoot, Candidate] | None:
        try:
            root = repository.resolve(tag).plain()
            candidate = candidate_of(repository, tag, root) if reads else Candidate(tag)
        except NotFoundError:
            return None  # removed since the tags were listed
        # The destination writes lists of referrers of its own.
        if is_referrers_list(tag, root) or not selector.includes(candidate):
            return None
        return TaggedRoot(tag, root), candidate

    for some in _batches(names, 8 * concurrency):
        with Crew(concurrency) as crew:
            yield from filter(None, crew.each(resolve, some))
