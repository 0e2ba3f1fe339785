"""Jobs: the parts of a mirror that workers carry out, one by one, in any process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from oras_core.errors import InvalidInputError
from oras_core.model.descriptor import Descriptor
from oras_core.model.platform import Platform
from oras_core.model.reference import Reference
from oras_core.model.wire import from_wire, json_kind, to_wire

__all__ = ["Choice", "Job", "TaggedRoot", "job_from_text"]


@frozen
class TaggedRoot:
    """A tag, and the artifact that it named when the mirror was planned.

    Attributes:
        tag: the tag.
        root: media type, digest and size of its manifest or index.
    """

    tag: str
    root: Descriptor


@frozen
class Choice:
    """The part of every artifact that is copied.

    Attributes:
        platform: of an index, only the manifest for this platform; None for all.
        referrer_types: artifact types of the referrers to copy; None for all referrers, an
            empty tuple for none.
    """

    platform: Platform | None = None
    referrer_types: tuple[str, ...] | None = None


@frozen
class Job:
    """Some tags of one repository. Immutable and picklable; holds no secret.

    Attributes:
        source: the repository to copy from, `HOST/REPOSITORY`.
        destination: the repository to copy to, `HOST/REPOSITORY`.
        tags: the tags to copy, by digest.
        choice: the part of every artifact that is copied.
    """

    source: str
    destination: str
    tags: tuple[TaggedRoot, ...]
    choice: Choice = field(factory=Choice)

    @property
    def key(self) -> str:
        """The identity of the job; equal jobs have equal keys, in every process."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:32]

    @property
    def source_host(self) -> str:
        """The registry of the source."""
        return host_of(self.source)

    @property
    def destination_host(self) -> str:
        """The registry of the destination."""
        return host_of(self.destination)

    def text(self) -> str:
        """Return the job as JSON, for a ledger; `job_from_text` reads it."""
        platform, types = self.choice.platform, self.choice.referrer_types
        members = {
            "source": self.source,
            "destination": self.destination,
            "tags": [{"tag": tagged.tag, "root": tagged.root} for tagged in self.tags],
            "choice": {"platform": platform, "referrer_types": types},
        }
        return json.dumps(members, default=to_wire, separators=(",", ":"), sort_keys=True)


def job_from_text(text: str) -> Job:
    """Return the job that `Job.text` wrote.

    Raises:
        InvalidInputError: if the text is not a job.
    """
    try:
        members = json.loads(text)
        tags = members["tags"]
        if not isinstance(tags, list):
            raise TypeError(f"tags is {json_kind(tags)}")
        return Job(
            from_wire(members["source"], str, location="source"),
            from_wire(members["destination"], str, location="destination"),
            tuple(_tagged_root(tagged) for tagged in tags),
            _choice(members["choice"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInputError(text[:60], f"it is not a job of a mirror: {error}") from None


def _tagged_root(members: Mapping[str, Any]) -> TaggedRoot:
    return TaggedRoot(
        from_wire(members["tag"], str, location="tag"),
        from_wire(members["root"], Descriptor, location="root"),
    )


def _choice(members: Mapping[str, Any]) -> Choice:
    platform, types = members["platform"], members["referrer_types"]
    return Choice(
        None if platform is None else from_wire(platform, Platform, location="platform"),
        None if types is None else from_wire(types, tuple[str, ...], location="referrer_types"),
    )


def host_of(repository: str) -> str:
    """Return the registry of `HOST/REPOSITORY`."""
    return repository.partition("/")[0]


def repository_reference(repository: str) -> Reference:
    """Return the reference of `HOST/REPOSITORY`.

    Raises:
        InvalidReferenceError: if it is malformed.
    """
    host, _, name = repository.partition("/")
    return Reference(host, name)
