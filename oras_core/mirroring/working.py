"""Carry out jobs. A job is a copy with referrers, by the copy engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Final, Protocol

from attrs import evolve, frozen

from oras_core.content.graph import ManifestCache
from oras_core.content.platforms import select_manifest
from oras_core.content.referrers import is_of_type
from oras_core.copying.copy import receiving
from oras_core.copying.extended import ReferrerFilter, extended_copy_graphs
from oras_core.copying.options import CopyOptions, Moves
from oras_core.copying.prepared import Prepared, carry_out, prepare
from oras_core.errors import CancelledError, NotFoundError, OrasError, SizeLimitError
from oras_core.mirroring.failures import failure_of
from oras_core.mirroring.job import Choice, Job, TaggedRoot, repository_reference
from oras_core.mirroring.records import Examined, Outcome, Record, Task
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.repository import RemoteRepository
from oras_core.verbs.tagging import create_tags

__all__ = ["Registries", "perform", "repository_in", "run_job"]

MAX_PREPARED: Final = 4 * 1024 * 1024
"""Bytes of manifests that are sent with a job between processes. A worker reads larger graphs
again."""

SHARED_SIZE: Final = 4096
"""Bytes of the smallest blob that is mounted. A smaller blob costs as much to move as to mount."""


class Registries(Protocol):
    """The registries that a process reaches, with its own credentials."""

    def registry(self, host: str) -> RemoteRegistry:
        """Return the registry `HOST` or `HOST:PORT`, the same object for each call."""
        ...

    def pauses(self) -> Mapping[str, float]:
        """Return the seconds for which registries still demand a pause, by host."""
        ...


def repository_in(registries: Registries, name: str) -> RemoteRepository:
    """Return the repository `HOST/REPOSITORY`.

    Raises:
        InvalidReferenceError: if the name is malformed.
    """
    reference = repository_reference(name)
    return registries.registry(reference.registry).repository(reference.repository)


def run_job(job: Job, registries: Registries, *, options: CopyOptions | None = None) -> Record:
    """Copy the tags of a job, with their referrers. A second run moves nothing.

    Blobs of other repositories are not mounted: only `run_mirrors` knows where they are.

    Returns:
        The record, with the counts of moved blobs and manifests, or with the failure.

    Raises:
        CancelledError: if the thread's token is cancelled.

    Example:
        >>> mirror = Mirror("localhost:5001/team/model", "localhost:5001/copy/model")
        >>> job = next(plan_mirror(mirror, registries))
        >>> run_job(job, registries).failure is None
        True
    """
    outcome = perform(Task(job), registries, options=options)
    if isinstance(outcome, Examined):
        outcome = perform(Task(job, outcome), registries, options=options)
    assert isinstance(outcome, Record)  # noqa: S101 - the second call always ends a job
    return outcome


def perform(task: Task, registries: Registries, *, options: CopyOptions | None = None) -> Outcome:
    """Carry out one call of a job. Idempotent.

    The first call finds the blobs and manifests that the destination lacks. If no large blob
    is among them, it copies the artifacts. Otherwise the second call copies the artifacts; its
    task names the repositories to mount blobs from.

    Raises:
        CancelledError: if the thread's token is cancelled.
    """
    started = time.monotonic()
    work = _Work(task, registries, options or CopyOptions())
    try:
        outcome = work.copy(task.examined) if task.examined else work.examine()
    except CancelledError:
        raise
    except OrasError as error:
        outcome = Record.failed(task.job, failure_of(error, task.job))
    spent = time.monotonic() - started + (task.examined.seconds if task.examined else 0.0)
    return evolve(outcome, seconds=spent, pauses=registries.pauses())


@frozen
class _Roots:
    """The artifacts of a job as they are now."""

    tags: Mapping[str, Descriptor]
    changed: tuple[str, ...]
    left_out: tuple[str, ...]


class _Work:
    """One call of a job."""

    def __init__(self, task: Task, registries: Registries, options: CopyOptions) -> None:
        self._job = task.job
        self._source = repository_in(registries, task.job.source)
        self._destination = repository_in(registries, task.job.destination)
        self._cached = ManifestCache(self._source, limit=options.manifest_size)
        self._options = evolve(
            options, mount_source=_mounting(self._job.destination_host, task.mounts, registries)
        )

    def examine(self) -> Outcome:
        try:
            roots = self._selected({entry.tag: entry.root for entry in self._job.tags}, ())
            prepared = self._prepared(roots)
        except NotFoundError:
            roots = self._resolved_again()
            prepared = self._prepared(roots)
        job = evolve(self._job, tags=tuple(TaggedRoot(*item) for item in roots.tags.items()))
        large = () if prepared is None else _large(prepared.blobs)
        # The job in the result has the platform's manifests: they are not selected again.
        examined = Examined(
            evolve(job, choice=evolve(job.choice, platform=None)),
            prepared if prepared and prepared.manifest_bytes <= MAX_PREPARED else None,
            tuple(descriptor.digest for descriptor in large),
            roots.changed,
            roots.left_out,
        )
        return examined if large else self.copy(examined, prepared)

    def copy(self, examined: Examined, prepared: Prepared | None = None) -> Record:
        prepared = prepared or examined.prepared
        tags = {entry.tag: entry.root for entry in examined.job.tags}
        source, options = self._source, self._options
        with receiving(self._destination) as target:
            if prepared is None:
                roots = distinct(tags.values())
                filter_ = referrer_filter(self._job.choice)
                moves = extended_copy_graphs(
                    source, roots, target, referrers=filter_, options=options
                )
                create_tags(source, target, tags, options)
            else:
                moves = carry_out(prepared, source, target, options=options)
                create_tags(prepared.cache(source, options), target, tags, options)
        return self._record(examined, moves)

    def _record(self, examined: Examined, moves: Moves) -> Record:
        job = self._job
        return Record(
            job.key,
            job.source,
            job.destination,
            tags=len(examined.job.tags),
            moved=len(moves.moved),
            skipped=len(moves.skipped),
            mounted=len(moves.mounted),
            bytes=moves.bytes,
            left_out=examined.left_out,
            changed=examined.changed,
            blobs=tuple(d.digest for d in _large((*moves.moved, *moves.mounted))),
        )

    def _prepared(self, roots: _Roots) -> Prepared | None:
        """Return the steps; None if there are too many for one plan."""
        try:
            return prepare(
                self._source,
                distinct(roots.tags.values()),
                self._destination,
                referrers=referrer_filter(self._job.choice),
                options=self._options,
                cached=self._cached,
            )
        except SizeLimitError:
            return None

    def _selected(self, tags: Mapping[str, Descriptor], left_out: Sequence[str]) -> _Roots:
        """Apply the platform."""
        platform = self._job.choice.platform
        if platform is None:
            return _Roots(tags, (), tuple(left_out))
        limit = self._options.manifest_size
        selected: dict[str, Descriptor] = {}
        lacking = list(left_out)
        for tag, root in tags.items():
            # Fails for a root that was deleted: `examine` resolves the tags again then.
            with closing(self._cached.fetch(root)):
                pass
            try:
                found = select_manifest(self._cached, root, platform, limit=limit)
            except NotFoundError:
                lacking.append(tag)
            else:
                selected[tag] = found.plain()
        return _Roots(selected, (), tuple(lacking))

    def _resolved_again(self) -> _Roots:
        """Resolve the tags again, since an artifact is gone.

        Raises:
            NotFoundError: if no tag has changed.
        """
        tags: dict[str, Descriptor] = {}
        changed: list[str] = []
        gone: list[str] = []
        for entry in self._job.tags:
            try:
                found = self._source.resolve(entry.tag).plain()
            except NotFoundError:
                gone.append(entry.tag)
                continue
            tags[entry.tag] = found
            if found.digest != entry.root.digest:
                changed.append(entry.tag)
        return evolve(self._selected(tags, gone), changed=tuple(changed))


def distinct(roots: Iterable[Descriptor]) -> list[Descriptor]:
    """Return the artifacts, of which several tags may name one."""
    return list({root.digest: root for root in roots}.values())


def referrer_filter(choice: Choice) -> ReferrerFilter:
    """Return the filter of the referrers to copy."""
    if choice.referrer_types is None:
        return ReferrerFilter()
    if not choice.referrer_types:
        return ReferrerFilter(depth=0)
    return ReferrerFilter(is_of_type(*choice.referrer_types))


def _large(descriptors: Sequence[Descriptor]) -> tuple[Descriptor, ...]:
    return tuple(d for d in descriptors if not d.has_successors and d.size >= SHARED_SIZE)


def _mounting(
    host: str, mounts: Mapping[Digest, str], registries: Registries
) -> Callable[[Descriptor], object | None]:
    def find(descriptor: Descriptor) -> object | None:
        repository = mounts.get(descriptor.digest)
        return None if repository is None else repository_in(registries, f"{host}/{repository}")

    return find
