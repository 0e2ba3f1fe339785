"""The contract of the content ports: the behaviour of every target of a copy."""

from __future__ import annotations

from threading import Thread

from oras_core.content.sources import BytesSource
from oras_core.errors import (
    DigestMismatchError,
    InvalidInputError,
    NotFoundError,
    SizeMismatchError,
)
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import Target
from oras_core.testing.contracts.content_access import (
    LAYER,
    BreakingSource,
    CountingSource,
    push_artifact,
    push_blob,
    push_document,
    read,
)
from oras_core.testing.contracts.expect import raises

__all__ = ["TargetContract"]


class TargetContract:
    """The contract of every target.

    Subclass it as `Test…` and give it a pytest fixture `target`, which returns an empty
    target. Each method is one promise of the port.
    """

    # --- Content --------------------------------------------------------------------------

    def test_it_has_the_methods_of_a_target(self, target: Target) -> None:
        """A copy looks for these methods."""
        assert isinstance(target, Target)

    def test_a_new_target_is_empty(self, target: Target) -> None:
        """A new target has no content and no tags."""
        blob = Descriptor.of(b"blob", LAYER)
        assert not target.exists(blob)
        with raises(NotFoundError):
            read(target, blob)
        with raises(NotFoundError):
            target.resolve("v1")
        with raises(NotFoundError):
            target.resolve(str(blob.digest))

    def test_a_blob_is_fetched_unchanged(self, target: Target) -> None:
        """A fetch returns the pushed bytes."""
        blob = push_blob(target, b"\x00\xff blob \r\n")
        assert target.exists(blob)
        assert read(target, blob) == b"\x00\xff blob \r\n"

    def test_a_large_blob_is_stored_whole(self, target: Target) -> None:
        """Content larger than any buffer is stored whole."""
        content = bytes(range(256)) * 12_345
        assert read(target, push_blob(target, content)) == content

    def test_a_stream_is_read_in_pieces(self, target: Target) -> None:
        """A stream returns at most the size requested, then b""; closing it twice is fine."""
        blob = push_blob(target, b"abcdef")
        stream = target.fetch(blob)
        pieces = []
        while piece := stream.read(4):
            assert len(piece) <= 4
            pieces.append(piece)
        assert b"".join(pieces) == b"abcdef"
        assert stream.read(4) == b""
        stream.close()
        stream.close()

    def test_a_blob_can_be_fetched_several_times(self, target: Target) -> None:
        """Each stream starts at the first byte."""
        blob = push_blob(target, b"blob")
        first, second = target.fetch(blob), target.fetch(blob)
        assert first.read() == second.read() == b"blob"
        first.close()
        second.close()

    def test_existing_content_is_not_pushed_again(self, target: Target) -> None:
        """Content that exists is not pushed again: its source is not opened."""
        blob = push_blob(target, b"blob")
        manifest = push_artifact(target, b"blob")
        for descriptor, content in [(blob, b"blob"), (manifest.descriptor, manifest.content)]:
            source = CountingSource(content)
            target.push(descriptor.plain(), source)
            assert source.streams == []

    def test_a_source_is_closed(self, target: Target) -> None:
        """The target closes every stream that it opens, after a failure too."""
        right, wrong = CountingSource(b"blob"), CountingSource(b"bolb")
        target.push(Descriptor.of(b"blob", LAYER), right)
        with raises(DigestMismatchError):
            target.push(Descriptor.of(b"lbob", LAYER), wrong)
        assert right.streams
        assert wrong.streams
        assert all(stream.closed for stream in right.streams + wrong.streams)

    def test_changed_content_is_refused(self, target: Target) -> None:
        """Other bytes than those of the digest are refused; nothing is stored."""
        blob = Descriptor.of(b"blob", LAYER)
        with raises(DigestMismatchError) as expected:
            target.push(blob, BytesSource(b"bolb"))
        assert expected.error.expected == str(blob.digest)
        assert not target.exists(blob)

    def test_short_content_is_refused(self, target: Target) -> None:
        """Fewer bytes than the descriptor says are refused."""
        blob = Descriptor.of(b"blob", LAYER)
        for size in (3, 4):
            with raises(SizeMismatchError):
                target.push(blob, CountingSource(b"blo", size=size))
            assert not target.exists(blob)

    def test_long_content_is_refused(self, target: Target) -> None:
        """More bytes than the descriptor says are refused."""
        blob = Descriptor.of(b"blob", LAYER)
        for size in (4, 5):
            with raises(SizeMismatchError):
                target.push(blob, CountingSource(b"blobs", size=size))
            assert not target.exists(blob)

    def test_an_error_of_the_source_passes_through(self, target: Target) -> None:
        """A source that fails leaves no blob, and a later push of the blob succeeds."""
        blob = Descriptor.of(b"x" * 5, LAYER)
        with raises(NotFoundError) as expected:
            target.push(blob, BreakingSource(5))
        assert expected.error.what == "the rest"
        assert not target.exists(blob)
        target.push(blob, BytesSource(b"x" * 5))
        assert target.exists(blob)

    def test_many_threads_push_at_once(self, target: Target) -> None:
        """Threads may push equal and different content at once."""

        def push_both(number: int) -> None:
            push_blob(target, b"%d" % number)
            push_blob(target, b"shared" * 10_000)

        threads = [Thread(target=push_both, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for content in [b"shared" * 10_000, *(b"%d" % number for number in range(8))]:
            assert read(target, Descriptor.of(content, LAYER)) == content

    # --- Manifests ------------------------------------------------------------------------

    def test_a_manifest_keeps_its_bytes(self, target: Target) -> None:
        """A manifest keeps its bytes: another form of the same values has another digest."""
        packed = push_artifact(target, b"layer")
        manifest = codec.decode(b"\n " + packed.content + b"\n")
        descriptor = push_document(target, manifest)
        assert read(target, descriptor) == manifest.content
        assert read(target, packed.descriptor) == packed.content

    def test_an_index_is_stored(self, target: Target) -> None:
        """An index is stored like a manifest."""
        manifests = [push_artifact(target, layer).descriptor for layer in (b"a", b"b")]
        index = codec.encode_index(manifests=manifests)
        descriptor = push_document(target, index)
        assert target.exists(descriptor)
        assert read(target, descriptor) == index.content
        assert target.resolve(str(index.digest)).media_type == media_types.OCI_INDEX

    def test_a_manifest_may_be_pushed_before_its_subject(self, target: Target) -> None:
        """A manifest may be pushed before its subject (image spec, manifest.md)."""
        absent = Descriptor.of(b"{}", media_types.OCI_MANIFEST)
        manifest = push_artifact(target, b"layer", subject=absent)
        assert read(target, manifest.descriptor) == manifest.content

    def test_a_wrong_manifest_is_refused(self, target: Target) -> None:
        """A manifest is checked by digest and by size."""
        right, wrong = push_artifact(target, b"a"), push_artifact(target, b"b")
        descriptor = codec.decode(right.content + b"\n").descriptor.plain()
        with raises(DigestMismatchError):
            target.push(descriptor, BytesSource(wrong.content + b"\n"))
        with raises(SizeMismatchError):
            target.push(descriptor, BytesSource(wrong.content))
        assert not target.exists(descriptor)

    # --- Names ----------------------------------------------------------------------------

    def test_a_digest_resolves_to_its_manifest(self, target: Target) -> None:
        """A tag resolves to a descriptor with media type and size."""
        manifest = push_artifact(target, b"layer")
        resolved = target.resolve(str(manifest.digest))
        assert resolved.plain() == manifest.descriptor.plain()

    def test_a_manifest_may_have_several_tags(self, target: Target) -> None:
        """A manifest may have several tags."""
        manifest = push_artifact(target, b"layer")
        for tag in ("v1", "latest", "_.-" + "x" * 125):
            target.tag(manifest.descriptor, tag)
            assert target.resolve(tag).plain() == manifest.descriptor.plain()
        assert target.resolve("v1").plain() == manifest.descriptor.plain()
        with raises(NotFoundError):
            target.resolve("v2")

    def test_a_tag_moves_to_another_manifest(self, target: Target) -> None:
        """A tag that moves names the new manifest; the old manifest stays."""
        first, second = push_artifact(target, b"a"), push_artifact(target, b"b")
        target.tag(first.descriptor, "v1")
        target.tag(second.descriptor, "v1")
        assert target.resolve("v1").digest == second.digest
        assert target.exists(first.descriptor)

    def test_a_missing_manifest_cannot_be_tagged(self, target: Target) -> None:
        """A tag must name an existing manifest."""
        absent = codec.encode_index(manifests=[]).descriptor
        with raises(NotFoundError):
            target.tag(absent, "v1")
        with raises(NotFoundError):
            target.resolve("v1")

    def test_an_invalid_tag_is_refused(self, target: Target) -> None:
        """A tag must match the grammar of the distribution spec (R36)."""
        manifest = push_artifact(target, b"layer")
        for name in ("", "-x", "a/b", "../x", "x" * 129, "a b"):
            with raises(InvalidInputError):
                target.tag(manifest.descriptor, name)
