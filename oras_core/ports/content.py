"""The content ports: streams of bytes, and targets that store blobs and manifests.

Most protocols have one method and are composed by name. A target that can do more, such as mount,
delete or list, implements the protocol of that ability; callers check it with `isinstance`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from oras_core.model.descriptor import Descriptor

__all__ = [
    "BlobExpecter",
    "ByteSource",
    "ByteStream",
    "ClonableStream",
    "Deleter",
    "Fetcher",
    "Ingester",
    "LocalStorage",
    "Mounter",
    "MultiTagPusher",
    "Placer",
    "PredecessorFinder",
    "Pusher",
    "RangeFetcher",
    "ReadOnlyTarget",
    "Receiver",
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
    "UnverifiedFetcher",
]


class ByteStream(Protocol):
    """Bytes to read once, in order; `io.BytesIO` and open binary files conform."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; none only at the end; all remaining bytes for -1."""
        ...

    def close(self) -> None:
        """Release all resources; may be called twice."""
        ...


@runtime_checkable
class ClonableStream(ByteStream, Protocol):
    """All bytes of one file, which the operating system may be able to copy without the program."""

    def clone_into(self, clone: Callable[[ByteStream], ByteStream | None]) -> ByteStream | None:
        """Pass the stream that a `FileTree` has opened to `clone`; call it before any read.

        Args:
            clone: the method `clone` of a `CloningFile`, with the size of the file.

        Returns:
            A stream of the bytes of the clone, which are not verified; the caller closes it.
            None if the file cannot be cloned; this stream can be read then.
        """
        ...


class ByteSource(Protocol):
    """Bytes that can be read from the start several times, for further attempts.

    Streams that are open at the same time are independent.
    """

    @property
    def size(self) -> int | None:
        """The number of bytes; None if unknown before reading."""
        ...

    def open(self) -> ByteStream:
        """Return a new stream from the first byte; the caller closes it."""
        ...


@runtime_checkable
class ResumableSource(ByteSource, Protocol):
    """Bytes that can also be read from an offset."""

    def open_from(self, start: int) -> ByteStream:
        """Return a new stream from offset `start`; the caller closes it."""
        ...


@runtime_checkable
class Fetcher(Protocol):
    """Returns blobs and manifests by descriptor."""

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of a blob or manifest; the caller closes it.

        The targets of this library verify the stream at its end. Others need not: copies
        verify all bytes themselves.

        Raises:
            NotFoundError: if the target does not have it.
        """
        ...


@runtime_checkable
class UnverifiedFetcher(Fetcher, Protocol):
    """Returns blobs without verification, so that a copy hashes them only once."""

    def fetch_unverified(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of a blob or manifest whose bytes the caller must verify.

        Raises:
            NotFoundError: if the target does not have it.
        """
        ...


@runtime_checkable
class RangeFetcher(Fetcher, Protocol):
    """Returns ranges of blobs."""

    def fetch_range(self, descriptor: Descriptor, start: int, length: int) -> ByteStream:
        """Return a stream of `length` bytes from offset `start`; the caller closes it.

        These bytes are not verified: the digest covers only the whole blob.

        Raises:
            NotFoundError: if the target does not have the blob.
        """
        ...


@runtime_checkable
class Pusher(Protocol):
    """Stores blobs and manifests."""

    def push(self, descriptor: Descriptor, source: ByteSource) -> None:
        """Store all bytes of `source` verified, or nothing.

        If the target already has the blob or manifest, `source` is not opened; the target
        uses the cheapest way to find out. Everything that a manifest refers to must be
        stored before the manifest.

        Raises:
            DigestMismatchError: if the bytes have another digest than `descriptor`.
            SizeMismatchError: if there are fewer or more bytes than `descriptor` says.
        """
        ...


@runtime_checkable
class Resolver(Protocol):
    """Resolves tags and digests."""

    def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor of a tag, or of a digest in text form.

        Raises:
            NotFoundError: if the target has no such tag or digest.
        """
        ...


@runtime_checkable
class Tagger(Protocol):
    """Creates tags."""

    def tag(self, descriptor: Descriptor, reference: str) -> None:
        """Point the tag `reference` at the manifest; replace an existing tag.

        Raises:
            NotFoundError: if the target does not have the manifest.
        """
        ...


@runtime_checkable
class Storage(Fetcher, Pusher, Protocol):
    """Stores blobs and manifests by digest. Thread-safe."""

    def exists(self, descriptor: Descriptor) -> bool:
        """Tell whether the target has the blob or manifest."""
        ...


@runtime_checkable
class ReadOnlyTarget(Fetcher, Resolver, Protocol):
    """Returns blobs and manifests and resolves tags: the source of a copy."""


@runtime_checkable
class Target(Storage, Resolver, Tagger, Protocol):
    """Stores blobs and manifests by digest, and tags: the source or destination of a copy."""


@runtime_checkable
class ReferenceFetcher(Protocol):
    """Returns a manifest by tag in one step, which saves the request that resolves the tag."""

    def fetch_reference(self, reference: str) -> tuple[Descriptor, bytes]:
        """Return the descriptor and the bytes of a manifest or index.

        Raises:
            NotFoundError: if the target has no such tag or digest.
        """
        ...


@runtime_checkable
class ReferencePusher(Protocol):
    """Stores a manifest and its tag in one step."""

    def push_reference(self, descriptor: Descriptor, source: ByteSource, reference: str) -> None:
        """Store a manifest as `Pusher.push` does, and point the tag `reference` at it."""
        ...


@runtime_checkable
class MultiTagPusher(Protocol):
    """Stores a manifest under several tags at once."""

    def push_tags(self, descriptor: Descriptor, source: ByteSource, tags: Sequence[str]) -> None:
        """Store a manifest like `Pusher.push`, and point the tags at it."""
        ...


@runtime_checkable
class Ingester(Protocol):
    """Stores large blobs while their digest is computed."""

    def ingest(self, source: ByteSource, media_type: str) -> Descriptor:
        """Return the descriptor of the bytes of `source`, and store them at the same time.

        Storing may fail without an error. To be certain, push the blob afterwards; that
        costs one request if it was stored. Useful for large blobs that are probably new.

        Raises:
            OrasError: an error of the source.
        """
        ...


@runtime_checkable
class Receiver(Protocol):
    """Prepares for the lookups, pushes and tags of one copy, such as by a lock or a token."""

    def receiving(self) -> AbstractContextManager[Storage]:
        """Return a context for one copy, which gives the target to copy to.

        In the block, every blob that `exists` has found stays. Lists by which manifests are
        found, such as the index of a layout, are complete when the block has ended.
        """
        ...


@runtime_checkable
class BlobExpecter(Protocol):
    """Chooses how it looks for blobs by the number of blobs that a copy brings."""

    def expect_blobs(self, count: int) -> None:
        """Learn that a copy will push up to `count` blobs; called before the first of them."""
        ...


@runtime_checkable
class Placer(Protocol):
    """Stores blobs under titles; one blob may have several titles."""

    def place(self, descriptor: Descriptor) -> None:
        """Store a blob that the target already has under the title of `descriptor` too.

        Raises:
            NotFoundError: if the target does not have the blob.
        """
        ...


@runtime_checkable
class LocalStorage(Protocol):
    """A target on this machine, which tells without a request whether it has a blob."""

    def has_small(self, descriptor: Descriptor) -> bool:
        """Tell whether a small blob is present; False if it is large, or an error occurs.

        A copy calls this for all blobs in one thread, since passing a small file to another thread
        takes longer than hashing it. The copy pushes the other blobs, and `push` raises the errors.
        """
        ...


@runtime_checkable
class Mounter(Protocol):
    """Mounts a blob from another repository, without transferring its bytes."""

    def mount(self, descriptor: Descriptor, source: object) -> bool:
        """Mount the blob from the target `source`; return False if that is not possible."""
        ...


@runtime_checkable
class Deleter(Protocol):
    """Deletes blobs and manifests."""

    def delete(self, descriptor: Descriptor) -> None:
        """Delete a blob, or a manifest with all its tags.

        Raises:
            NotFoundError: if the target does not have it.
        """
        ...


@runtime_checkable
class Untagger(Protocol):
    """Removes tags without their manifests."""

    def untag(self, reference: str) -> None:
        """Remove the tag.

        Raises:
            NotFoundError: if there is no such tag.
            UnsupportedError: if the tag cannot be removed without its manifest (R34).
        """
        ...


@runtime_checkable
class TagLister(Protocol):
    """Lists tags."""

    def tags(self) -> Iterator[str]:
        """Iterate over the tags, in the order of the target."""
        ...


@runtime_checkable
class RootLister(Protocol):
    """Lists all manifests, tagged or not."""

    def roots(self) -> Iterator[Descriptor]:
        """Iterate over descriptors from which all manifests of the target can be reached."""
        ...


@runtime_checkable
class ReferrerLister(Protocol):
    """Lists the manifests whose subject is a given one."""

    def referrers(
        self, descriptor: Descriptor, artifact_type: str | None = None
    ) -> Iterator[Descriptor]:
        """Iterate over the descriptors of the referrers, optionally of one artifact type."""
        ...


@runtime_checkable
class PredecessorFinder(Protocol):
    """Lists the manifests and indexes that refer to a blob or manifest."""

    def predecessors(self, descriptor: Descriptor) -> Iterator[Descriptor]:
        """Iterate over the descriptors of the manifests and indexes that refer to `descriptor`."""
        ...
