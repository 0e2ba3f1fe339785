"""The content ports: bytes, and what holds them by digest and names them by tag.

One-method protocols, composed by name. A target that can do more, mount or delete or
list, says so by having the method; callers look for it with `isinstance`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from oras_core.model.descriptor import Descriptor

__all__ = [
    "ByteSource",
    "ByteStream",
    "Deleter",
    "Fetcher",
    "Ingester",
    "Mounter",
    "Placer",
    "PredecessorFinder",
    "PushExpecter",
    "Pusher",
    "RangeFetcher",
    "ReadOnlyTarget",
    "ReferenceFetcher",
    "ReferencePusher",
    "ReferrerLister",
    "Resolver",
    "ResumableSource",
    "RootLister",
    "Storage",
    "TagLister",
    "Tagger",
    "Target",
    "Untagger",
]


class ByteStream(Protocol):
    """Bytes to be read once, forwards; `io.BytesIO` and open binary files are such."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes, at least one unless the end is reached; all for -1."""
        ...

    def close(self) -> None:
        """Release what is held; twice does no harm."""
        ...


class ByteSource(Protocol):
    """Bytes that can be read from the start as often as needed, for another attempt.

    Streams that are open at the same time do not disturb one another.
    """

    @property
    def size(self) -> int | None:
        """The number of bytes; None where it is not known before they were read."""
        ...

    def open(self) -> ByteStream:
        """Return a new stream from the first byte on; the caller closes it."""
        ...


@runtime_checkable
class ResumableSource(ByteSource, Protocol):
    """Bytes that need not be read from the start where the beginning is known already."""

    def open_from(self, start: int) -> ByteStream:
        """Return a new stream from byte `start` on; the caller closes it."""
        ...


@runtime_checkable
class Fetcher(Protocol):
    """Gives content by its descriptor."""

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of the content, which the caller closes.

        The bytes are not yet verified: `oras_core.content.verify` does that.

        Raises:
            NotFoundError: if it is not here.
        """
        ...


@runtime_checkable
class RangeFetcher(Fetcher, Protocol):
    """Gives parts of content too."""

    def fetch_range(self, descriptor: Descriptor, start: int, length: int) -> ByteStream:
        """Return a stream of `length` bytes from byte `start` on, which the caller closes.

        What a part holds cannot be verified by the digest of the whole.

        Raises:
            NotFoundError: if the content is not here.
        """
        ...


@runtime_checkable
class Pusher(Protocol):
    """Takes content in."""

    def push(self, descriptor: Descriptor, source: ByteSource) -> None:
        """Store the bytes of `source`, whole and verified or not at all.

        Where the content is already here, `source` is not opened and nothing happens: the
        target knows the cheapest way to find out. What a manifest refers to must be here
        before the manifest.

        Raises:
            DigestMismatchError: if they have another digest than `descriptor` says.
            SizeMismatchError: if they are fewer or more.
        """
        ...


@runtime_checkable
class Resolver(Protocol):
    """Knows content by names."""

    def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor of what a tag names, or a digest in its text form.

        Raises:
            NotFoundError: if there is no such name.
        """
        ...


@runtime_checkable
class Tagger(Protocol):
    """Gives names to content."""

    def tag(self, descriptor: Descriptor, reference: str) -> None:
        """Let the tag `reference` name the content, and nothing else from now on.

        Raises:
            NotFoundError: if the content is not here.
        """
        ...


@runtime_checkable
class Storage(Fetcher, Pusher, Protocol):
    """Holds content by digest. Thread-safe."""

    def exists(self, descriptor: Descriptor) -> bool:
        """Tell whether the content is here."""
        ...


@runtime_checkable
class ReadOnlyTarget(Fetcher, Resolver, Protocol):
    """Gives content and knows it by names: what can be copied from."""


@runtime_checkable
class Target(Storage, Resolver, Tagger, Protocol):
    """Holds content by digest and names it by tag: what can be copied from and to."""


@runtime_checkable
class ReferenceFetcher(Protocol):
    """Can give content by its name in one step, where resolving first costs a round trip."""

    def fetch_reference(self, reference: str) -> tuple[Descriptor, bytes]:
        """Return a manifest or index with its descriptor.

        Raises:
            NotFoundError: if there is no such name.
        """
        ...


@runtime_checkable
class ReferencePusher(Protocol):
    """Can take a manifest in under its name in one step."""

    def push_reference(self, descriptor: Descriptor, source: ByteSource, reference: str) -> None:
        """Store a manifest as `Pusher.push` does, and let the tag `reference` name it."""
        ...


@runtime_checkable
class Ingester(Protocol):
    """Can take large content in while its digest is still being computed."""

    def ingest(self, source: ByteSource, media_type: str) -> Descriptor:
        """Return the descriptor of the bytes of `source`, and store them meanwhile.

        They are stored if that could be done; whoever needs to be sure pushes them
        afterwards, which costs next to nothing where they are. Worth it for large content
        that is likely to be new.

        Raises:
            OrasError: what the source raises. What keeps the target from storing is no error.
        """
        ...


@runtime_checkable
class PushExpecter(Protocol):
    """Asks once for what pushes need, if it knows that they are going to come."""

    def expect_pushes(self) -> None:
        """Learn that they are; nothing is asked for yet."""
        ...


@runtime_checkable
class Placer(Protocol):
    """Holds content under titles, of which one content may have several."""

    def place(self, descriptor: Descriptor) -> None:
        """Put content that is already here under the descriptor's title too.

        Raises:
            NotFoundError: if the content is not here.
        """
        ...


@runtime_checkable
class Mounter(Protocol):
    """Can take a blob over from a neighbouring repository without moving its bytes."""

    def mount(self, descriptor: Descriptor, source: object) -> bool:
        """Take the blob from `source`, another target; False where that is not possible."""
        ...


@runtime_checkable
class Deleter(Protocol):
    """Can remove content."""

    def delete(self, descriptor: Descriptor) -> None:
        """Remove the content and every tag of it.

        Raises:
            NotFoundError: if it is not here.
        """
        ...


@runtime_checkable
class Untagger(Protocol):
    """Can take a name away from content without removing it."""

    def untag(self, reference: str) -> None:
        """Remove the tag.

        Raises:
            NotFoundError: if there is no such tag.
            UnsupportedError: if it cannot be removed without the content (R34).
        """
        ...


@runtime_checkable
class TagLister(Protocol):
    """Can list its tags."""

    def tags(self) -> Iterator[str]:
        """Iterate over the tags, in the target's own order."""
        ...


@runtime_checkable
class RootLister(Protocol):
    """Can list all that it holds, tags or not."""

    def roots(self) -> Iterator[Descriptor]:
        """Iterate over descriptors from which all manifests here can be reached."""
        ...


@runtime_checkable
class ReferrerLister(Protocol):
    """Can list the manifests whose subject is a given one."""

    def referrers(
        self, descriptor: Descriptor, artifact_type: str | None = None
    ) -> Iterator[Descriptor]:
        """Iterate over the descriptors of the referrers, of one artifact type or all."""
        ...


@runtime_checkable
class PredecessorFinder(Protocol):
    """Can tell which manifests and indexes refer to given content."""

    def predecessors(self, descriptor: Descriptor) -> Iterator[Descriptor]:
        """Iterate over the descriptors of those that refer to `descriptor`."""
        ...
