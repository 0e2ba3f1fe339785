"""The tasks that workers get, and the records that they return."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from oras_core.copying.prepared import Prepared
from oras_core.mirroring.job import Job
from oras_core.model.digest import Digest

__all__ = ["Examined", "Failure", "Outcome", "Record", "Task"]


@frozen
class Failure:
    """Why a job failed.

    Attributes:
        kind: the name of the error's class.
        message: the error's message, which holds no secret.
        host: the registry that failed; empty if the failure concerns none.
        is_passing: whether the same job may succeed later: there was no answer, or the
            registry was overloaded or broken.
    """

    kind: str
    message: str
    host: str = ""
    is_passing: bool = False


@frozen
class Record:
    """The result of one job.

    Attributes:
        key: the key of the job.
        source: the repository that was copied from.
        destination: the repository that was copied to.
        tags: the number of the job's tags that the destination has now.
        moved: the number of blobs and manifests that were transferred.
        skipped: the number of those that were present.
        mounted: the number of blobs mounted from another repository of the registry.
        bytes: the number of bytes that were transferred.
        seconds: the duration of the job. Not compared.
        left_out: tags that were deleted at the source, or that lack the platform.
        changed: tags that name another artifact than planned, if an artifact of the job was
            deleted at the source. The present artifact was copied.
        failure: why the job failed; None if it did not.
        blobs: large blobs that the destination has now. Other jobs may mount them.
        pauses: seconds until a registry accepts requests again, by host, as it demanded.
            Not compared.
    """

    key: str
    source: str
    destination: str
    tags: int = 0
    moved: int = 0
    skipped: int = 0
    mounted: int = 0
    bytes: int = 0
    seconds: float = field(default=0.0, eq=False)
    left_out: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    failure: Failure | None = None
    blobs: tuple[Digest, ...] = field(default=(), repr=False)
    pauses: Mapping[str, float] = field(factory=dict, eq=False)

    @classmethod
    def failed(cls, job: Job, failure: Failure) -> Record:
        """Return the record of a job that failed."""
        return cls(job.key, job.source, job.destination, failure=failure)


@frozen
class Examined:
    """A job that is ready to move blobs.

    Attributes:
        job: the job, with the artifacts that its tags name now.
        prepared: the steps; None if they are too large to travel.
        blobs: the large blobs that the destination's repository may lack.
        changed: as in `Record`.
        left_out: as in `Record`.
        seconds: the duration of the examination.
        pauses: as in `Record`.
    """

    job: Job
    prepared: Prepared | None
    blobs: tuple[Digest, ...]
    changed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0
    pauses: Mapping[str, float] = field(factory=dict)


@frozen
class Task:
    """One call of a worker.

    Attributes:
        job: the job.
        examined: the result of the first call; None for the first call.
        mounts: the repositories of the destination's registry that have a blob, by digest.
    """

    job: Job
    examined: Examined | None = None
    mounts: Mapping[Digest, str] = field(factory=dict)


Outcome = Record | Examined
"""The result of one call of a worker, for a job that has ended or is ready to move blobs."""
