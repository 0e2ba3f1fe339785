from __future__ import annotations

import json

import pytest

from oras_core.content.sources import BytesSource, FileSource
from oras_core.copying.options import CopyOptions
from oras_core.errors import (
    CopyError,
    NotFoundError,
    SourceChangedError,
    TitleCollisionError,
    UnsafePathError,
)
from oras_core.model import codec, media_types
from oras_core.model.annotations import AnnotationSet
from oras_core.model.descriptor import Descriptor
from oras_core.packing.manifest import empty_config
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import read
from oras_core.testing.contracts.tree_access import at, names, write
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.registry.registry import EmbeddedRegistry
from oras_core.verbs.push import Config, Directory, File, push
from support.artifacts import TITLE, file, layer, repository, tree_of
from support.targets import EventRecorder, Forwarding, StrictStore, WatchedStore

# --- Pushing ------------------------------------------------------------------------------


def test_manifest_of_a_push(scratch):
    target = StrictStore()
    subject = push(target, "v0", [], scratch=scratch)
    root = push(
        target,
        "v1",
        [file("./a.txt", b"one", annotations={"k": "of the file", "l": "l"})],
        scratch=scratch,
        config=Config(BytesSource(b'{"a": 1}'), "application/vnd.example.config+json"),
        annotations=AnnotationSet(
            {
                "$manifest": {"m": "1"},
                "$config": {"c": "2"},
                "./a.txt": {"k": "of the set"},
                "other": {"o": "3"},
            }
        ),
        subject=subject,
    )
    manifest = codec.decode(read(target, root))
    assert manifest.descriptor == root
    assert manifest.annotations == {"m": "1"}
    assert manifest.config == Descriptor.of(
        b'{"a": 1}', "application/vnd.example.config+json", annotations={"c": "2"}
    )
    assert manifest.layers == (
        Descriptor.of(
            b"one",
            media_types.OCI_LAYER_TAR,
            annotations={TITLE: "a.txt", "k": "of the set", "l": "l"},
        ),
    )
    assert manifest.subject == subject.plain()
    assert read(target, manifest.config) == b'{"a": 1}'


def test_push_uses_the_empty_config(target, scratch):
    root = push(target, "v1", [], scratch=scratch)
    manifest = codec.decode(read(target, root))
    assert manifest.config == empty_config()
    assert read(target, manifest.config) == b"{}"
    annotated = push(
        target, "v2", [], scratch=scratch, annotations=AnnotationSet({"$config": {"a": "1"}})
    )
    config = codec.decode(read(target, annotated)).config
    assert config == Descriptor.of(b"{}", media_types.OCI_EMPTY, annotations={"a": "1"})


@pytest.mark.parametrize("make", [MemoryStore, repository])
def test_subject_can_be_missing(make, scratch):
    target = make()
    absent = Descriptor.of(b"absent", media_types.OCI_MANIFEST)
    root = push(target, "v1", [], scratch=scratch, subject=absent)
    assert json.loads(read(target, root))["subject"]["digest"] == str(absent.digest)


def test_equal_files_give_an_equal_digest(scratch):
    contents = [file("a", b"one"), Directory("d", tree_of(x=b"ex"))]
    roots = {push(MemoryStore(), tag, contents, scratch=scratch) for tag in ("v1", "v2")}
    assert len(roots) == 1


def test_manifest_is_pushed_last(scratch):
    server = EmbeddedRegistry()
    contents = [file(f"f{number}", b"%d" % number) for number in range(5)]
    push(repository(server), "v1", contents, scratch=scratch)
    *before, last = [
        request for request in server.requests if request.method in ("PUT", "PATCH", "POST")
    ]
    assert (last.method, last.path, last.status) == ("PUT", "/v2/app/manifests/v1", 201)
    assert len(before) >= 6
    assert all("/blobs/" in request.path for request in before)


def test_existing_blobs_are_not_pushed_again(scratch):
    server = EmbeddedRegistry()
    listener = EventRecorder()
    push(repository(server), "v1", [file("a", b"one")], scratch=scratch)
    contents = [file("b", b"one"), file("c", b"two")]
    options = CopyOptions(listener=listener)
    push(repository(server), "v2", contents, scratch=scratch, options=options)
    assert listener.of(layer(b"one")) == [("skipped", "exists")]
    assert listener.of(layer(b"two"))[-1] == ("finished",)


@pytest.mark.parametrize("titles", [("a", "a"), ("a", "./a"), ("a/b", "a//b")])
def test_two_blobs_with_one_title_are_refused_before_any_request(scratch, titles):
    target = WatchedStore()
    contents = [file(title, title.encode() + b"%d" % n) for n, title in enumerate(titles)]
    with pytest.raises(TitleCollisionError, match=r"two files of the push .* another title"):
        push(target, "v1", contents, scratch=scratch)
    assert target.pushed == []


@pytest.mark.parametrize("title", ["../a", "/etc/passwd", "C:/a", "..\\b", "", "."])
def test_an_unsafe_title_is_refused_at_push(scratch, title):
    target = WatchedStore()
    for content in (file(title, b"one"), Directory(title, tree_of(x=b"ex"))):
        with pytest.raises(UnsafePathError):
            push(target, "v1", [content], scratch=scratch)
    assert target.pushed == []
    assert names(scratch) == []


def test_a_file_that_changes_ends_the_push(target, scratch):
    tree = MemoryFileTree()
    write(tree, "a", b"content")
    source = FileSource(tree, at("a"))

    class Hasty(Forwarding):
        """Reads the file as late as possible."""

        def push(self, descriptor, source):
            write(tree, "a", b"c0ntent")
            super().push(descriptor, source)

    with pytest.raises(SourceChangedError) as caught:
        push(Hasty(target), "v1", [File("a", source)], scratch=scratch)
    assert "(source)" in "".join(caught.value.__notes__)
    with pytest.raises(NotFoundError):
        target.resolve("v1")
    assert not target.exists(layer(b"content"))


def test_a_refused_blob_means_no_manifest(scratch):
    class Refusing(StrictStore):
        def push(self, descriptor, source):
            if descriptor.size == 3:
                raise PermissionError("quota")
            super().push(descriptor, source)

    target = Refusing()
    with pytest.raises(CopyError, match="quota"):
        push(target, "v1", [file("a", b"one"), file("b", b"three")], scratch=scratch)
    assert target.tagged == []
    assert not any(target.resolve(str(digest)).is_manifest for digest in target.pushed)


# --- One of what may be many ----------------------------------------------------------------


def test_single_file_is_accepted():
    target = MemoryStore()
    root = push(target, "v1", file("a", b"one"), further_tags="latest")
    assert target.resolve("latest").digest == root.digest
    assert target.resolve("v1").digest == root.digest


def test_wrong_type_error_names_the_argument():
    target = WatchedStore()
    for contents in ("a.txt", [b"a.txt"]):
        with pytest.raises(TypeError, match="contents must be File or Directory objects"):
            push(target, "v1", contents)
    assert target.pushed == []


def test_annotations_for_no_file_log_a_warning(caplog):
    annotations = AnnotationSet({"b": {"k": "v"}, "a": {"k": "v"}, "$config": {"k": "v"}})
    push(MemoryStore(), "v1", [file("a", b"one")], annotations=annotations)
    (record,) = caplog.records
    assert record.getMessage() == ("annotations of 'b' are not used: no pushed file has this title")


@pytest.mark.parametrize("titles", [("a", "a/b"), ("data/sub/x", "data")])
def test_titles_inside_one_another_are_refused_at_push(titles):
    target = WatchedStore()
    with pytest.raises(TitleCollisionError, match="one would replace the other"):
        push(target, "v1", [file(title, title.encode()) for title in titles])
    assert target.pushed == []
