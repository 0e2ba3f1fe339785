from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.artifact import Config, Directory, File, pull, push
from oras_core.content.sources import BytesSource, FileSource
from oras_core.copying import CopyOptions, copy
from oras_core.errors import (
    AlreadyExistsError,
    CopyError,
    DigestMismatchError,
    InvalidManifestError,
    NotFoundError,
    SizeLimitError,
    SizeMismatchError,
    SourceChangedError,
    UnsafePathError,
    UnsupportedError,
)
from oras_core.model import codec, media_types
from oras_core.model.annotations import AnnotationSet
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import MAX_MANIFEST_SIZE, Limits
from oras_core.model.platform import Platform
from oras_core.packing import empty_config, pack_manifest
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.retries import RetryPolicy
from oras_core.stores.memory import MemoryStore
from oras_core.testing.content_access import push_blob, push_document, read
from oras_core.testing.embedded_registry import EmbeddedRegistry
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.tree_access import at, kind_at, names, write
from oras_core.testing.tree_access import read as read_file
from support.targets import EventRecorder, Forwarding, StrictStore, WatchedStore

TITLE = media_types.ANNOTATION_TITLE


def repository(server=None, name="app"):
    registry = RemoteRegistry(
        "localhost:5000",
        server or EmbeddedRegistry(),
        plain_http=True,
        retry_policy=RetryPolicy(attempts=1),
    )
    return registry.repository(name)


@pytest.fixture(params=[StrictStore, repository], ids=["memory", "registry"])
def target(request):
    return request.param()


@pytest.fixture
def scratch():
    return MemoryFileTree()


@pytest.fixture
def folder():
    return MemoryFileTree()


def file(title, content, **fields):
    return File(title, BytesSource(content), **fields)


def tree_of(**files):
    tree = MemoryFileTree()
    for name, content in files.items():
        write(tree, name, content)
    return tree


def all_files(tree, path=None):
    found = {}
    for entry in tree.entries(path):
        if entry.kind == "directory":
            found |= all_files(tree, entry.path)
        else:
            found[str(entry.path)] = read_file(tree, str(entry.path))
    return found


def layer(content, title=None, **annotations):
    return Descriptor.of(
        content, "a/b", annotations={**({TITLE: title} if title else {}), **annotations}
    )


def artifact_in(target, *layers, tag="v1"):
    """Push a manifest of (content, title) as a stranger would, whatever the titles."""
    for content, _ in layers:
        push_blob(target, content)
    push_blob(target, b"{}")
    manifest = pack_manifest([layer(content, title) for content, title in layers])
    push_document(target, manifest)
    target.tag(manifest.descriptor.plain(), tag)
    return manifest


# --- There and back -----------------------------------------------------------------------


def test_files_and_directories_come_back(target, scratch, folder):
    root = push(
        target,
        "v1",
        [
            file("a.txt", b"one"),
            file("docs/b.txt", b"two", media_type="text/plain"),
            Directory("data", tree_of(x=b"ex", y=b"why")),
        ],
        scratch=scratch,
        artifact_type="application/vnd.example",
    )
    pulled = pull(target, "v1", folder)
    assert pulled.root.plain() == root.plain()
    assert [str(path) for path in pulled.files] == ["a.txt", "docs/b.txt", "data"]
    assert all_files(folder) == {
        "a.txt": b"one",
        "docs/b.txt": b"two",
        "data/x": b"ex",
        "data/y": b"why",
    }
    assert pulled.manifest.artifact_type == "application/vnd.example"
    assert [found.media_type for found in pulled.manifest.layers] == [
        media_types.OCI_LAYER_TAR,
        "text/plain",
        media_types.OCI_LAYER_TAR_GZIP,
    ]


_names = st.from_regex(r"[a-c]{1,2}\.txt", fullmatch=True)
_titles = st.lists(_names, min_size=1, max_size=2).map("/".join).map(lambda t: f"d/{t}")


def _apart(files):
    return not any(a != b and b.startswith(f"{a}/") for a in files for b in files)


@given(st.dictionaries(_titles, st.binary(max_size=3), max_size=5).filter(_apart))
def test_any_files_come_back(files):
    target, folder = repository(), MemoryFileTree()
    contents = [file(title, content) for title, content in files.items()]
    push(target, "v1", contents, scratch=MemoryFileTree())
    pulled = pull(target, "v1", folder)
    assert all_files(folder) == files
    assert [str(path) for path in pulled.files] == list(files)


def test_one_content_under_two_titles_travels_once(target, scratch, folder):
    push(target, "v1", [file("a", b"same"), file("b/c", b"same")], scratch=scratch)
    watched = WatchedStore(target)
    pulled = pull(watched, "v1", folder)
    assert all_files(folder) == {"a": b"same", "b/c": b"same"}
    assert watched.fetched[Digest.of(b"same")] == 1
    assert len(pulled.files) == 2


def test_equal_directories_under_two_titles_both_appear(target, scratch, folder):
    contents = [Directory(title, tree_of(x=b"ex")) for title in ("one/data", "two/data")]
    push(target, "v1", contents, scratch=scratch)
    pull(target, "v1", folder)
    assert all_files(folder) == {"one/data/x": b"ex", "two/data/x": b"ex"}


def test_content_that_equals_the_config(target, scratch, folder):
    push(target, "v1", [file("empty.json", b"{}")], scratch=scratch)
    pull(target, "v1", folder)
    assert all_files(folder) == {"empty.json": b"{}"}


def test_a_file_of_a_manifest_s_type(scratch, folder):
    target = MemoryStore()
    content = pack_manifest([]).content
    inner = file("manifest.json", content, media_type=media_types.OCI_MANIFEST)
    push(target, "v1", [inner], scratch=scratch)
    pull(target, "v1", folder)
    assert all_files(folder) == {"manifest.json": content}


def test_nothing_at_all(target, scratch, folder):
    push(target, "v1", [], scratch=scratch)
    assert pull(target, "v1", folder).files == ()
    assert names(folder) == []


# --- Pushing ------------------------------------------------------------------------------


def test_the_manifest_that_is_pushed(scratch):
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


def test_the_empty_config(target, scratch):
    root = push(target, "v1", [], scratch=scratch)
    manifest = codec.decode(read(target, root))
    assert manifest.config == empty_config()
    assert read(target, manifest.config) == b"{}"
    annotated = push(
        target, "v2", [], scratch=scratch, annotations=AnnotationSet({"$config": {"a": "1"}})
    )
    config = codec.decode(read(target, annotated)).config
    assert config == Descriptor.of(b"{}", media_types.OCI_EMPTY, annotations={"a": "1"})


@pytest.mark.parametrize("target", [MemoryStore(), repository()], ids=["memory", "registry"])
def test_the_subject_need_not_be_there(target, scratch):
    absent = Descriptor.of(b"absent", media_types.OCI_MANIFEST)
    root = push(target, "v1", [], scratch=scratch, subject=absent)
    assert json.loads(read(target, root))["subject"]["digest"] == str(absent.digest)


def test_equal_files_give_an_equal_digest(scratch):
    contents = [file("a", b"one"), Directory("d", tree_of(x=b"ex"))]
    roots = {push(MemoryStore(), tag, contents, scratch=scratch) for tag in ("v1", "v2")}
    assert len(roots) == 1


def test_the_manifest_comes_last(scratch):
    server = EmbeddedRegistry()
    contents = [file(f"f{number}", b"%d" % number) for number in range(5)]
    push(repository(server), "v1", contents, scratch=scratch)
    *before, last = [
        request for request in server.requests if request.method in ("PUT", "PATCH", "POST")
    ]
    assert (last.method, last.path, last.status) == ("PUT", "/v2/app/manifests/v1", 201)
    assert len(before) >= 6
    assert all("/blobs/" in request.path for request in before)


def test_what_is_there_is_not_pushed_again(scratch):
    server = EmbeddedRegistry()
    listener = EventRecorder()
    push(repository(server), "v1", [file("a", b"one")], scratch=scratch)
    contents = [file("b", b"one"), file("c", b"two")]
    options = CopyOptions(listener=listener)
    push(repository(server), "v2", contents, scratch=scratch, options=options)
    assert listener.of(layer(b"one")) == [("skipped", "exists")]
    assert listener.of(layer(b"two"))[-1] == ("finished",)


@pytest.mark.parametrize("titles", [("a", "a"), ("a", "./a"), ("a/b", "a//b")])
def test_two_contents_with_one_title_are_refused_before_anything_is_sent(scratch, titles):
    target = WatchedStore()
    contents = [file(title, title.encode() + b"%d" % n) for n, title in enumerate(titles)]
    with pytest.raises(AlreadyExistsError, match="the title of another file"):
        push(target, "v1", contents, scratch=scratch)
    assert target.pushed == []


@pytest.mark.parametrize("title", ["../a", "/etc/passwd", "C:/a", "a\\b", "", "."])
def test_a_title_that_no_pull_would_write_is_refused(scratch, title):
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


# --- Pulling ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "title", ["../a", "/etc/passwd", "ok/../../a", "C:/a", "a\\b", "a\0b", "", ".", "\x1b[2J"]
)
def test_hostile_titles_are_refused_before_anything_is_fetched(target, folder, title):
    artifact_in(target, (b"good", "good"), (b"evil", "placeholder"))
    good, evil = layer(b"good", "good"), layer(b"evil", "a").with_annotations({TITLE: title})
    manifest = pack_manifest([good, evil])
    push_document(target, manifest)
    target.tag(manifest.descriptor.plain(), "evil")
    watched = WatchedStore(target)
    with pytest.raises(UnsafePathError):
        pull(watched, "evil", folder)
    assert set(watched.fetched) <= {manifest.digest}
    assert names(folder) == []


@pytest.mark.parametrize("second", ["a", "./a", "a/", "a/."])
def test_two_layers_with_one_title_are_refused_before_anything_is_fetched(target, folder, second):
    manifest = artifact_in(target, (b"one", "a"), (b"two", second))
    watched = WatchedStore(target)
    with pytest.raises(AlreadyExistsError, match="the title of another layer"):
        pull(watched, "v1", folder)
    assert set(watched.fetched) <= {manifest.digest}
    assert names(folder) == []


def test_one_layer_twice_is_one_file(target, folder):
    artifact_in(target, (b"one", "a"), (b"one", "./a"))
    assert [str(path) for path in pull(target, "v1", folder).files] == ["a"]
    assert all_files(folder) == {"a": b"one"}


class Tampering(Forwarding):
    """Gives other bytes for one content."""

    def __init__(self, target, descriptor, content):
        super().__init__(target)
        self.digest, self.content = descriptor.digest, content

    def fetch(self, descriptor):
        if descriptor.digest == self.digest:
            return io.BytesIO(self.content)
        return super().fetch(descriptor)


@pytest.mark.parametrize("old", [None, b"old", b"g00d"])
@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"evil", DigestMismatchError),
        (b"goo", SizeMismatchError),
        (b"", SizeMismatchError),
        (b"good!", SizeMismatchError),
        (b"good" * 1_000_000, SizeMismatchError),
    ],
)
def test_wrong_content_never_gets_the_name(folder, content, error, old):
    target = MemoryStore()
    artifact_in(target, (b"good", "a"))
    if old is not None:
        write(folder, "a", old)
    with pytest.raises(error) as caught:
        pull(Tampering(target, layer(b"good"), content), "v1", folder)
    assert "(source)" in "".join(caught.value.__notes__)
    assert all_files(folder) == ({} if old is None else {"a": old})


def test_a_wrong_manifest_is_refused(folder):
    target = MemoryStore()
    manifest = artifact_in(target, (b"good", "a"))
    other = artifact_in(target, (b"evil", "a"), tag="evil")
    with pytest.raises(DigestMismatchError):
        pull(Tampering(target, manifest.descriptor, other.content), "v1", folder)
    assert names(folder) == []


def test_a_file_that_is_right_is_not_fetched(target, folder):
    artifact_in(target, (b"one", "a"), (b"two", "b"))
    write(folder, "a", b"one")
    before = folder.entry(at("a"))
    watched, listener = WatchedStore(target), EventRecorder()
    pulled = pull(watched, "v1", folder, options=CopyOptions(listener=listener))
    assert Digest.of(b"one") not in watched.fetched
    assert folder.entry(at("a")) == before
    assert listener.of(layer(b"one")) == [("skipped", "exists")]
    assert [str(path) for path in pulled.files] == ["a", "b"]


def test_another_run_goes_on_where_the_first_one_failed(target, folder):
    artifact_in(target, (b"one", "a"), (b"two", "b"))

    class Broken(WatchedStore):
        def fetch(self, descriptor):
            if descriptor.digest == Digest.of(b"two"):
                raise ConnectionError("reset")
            return super().fetch(descriptor)

    with pytest.raises(CopyError, match="reset"):
        pull(Broken(target), "v1", folder, options=CopyOptions(concurrency=1))
    assert all_files(folder) == {"a": b"one"}
    watched = WatchedStore(target)
    pull(watched, "v1", folder)
    assert all_files(folder) == {"a": b"one", "b": b"two"}
    assert Digest.of(b"one") not in watched.fetched


def test_other_files_of_the_folder_stay(target, folder):
    write(folder, "mine", b"mine")
    artifact_in(target, (b"one", "a"))
    pull(target, "v1", folder)
    assert all_files(folder) == {"mine": b"mine", "a": b"one"}


def test_layers_without_title_are_left_out(target, folder):
    artifact_in(target, (b"one", None), (b"two", "b"))
    watched = WatchedStore(target)
    pulled = pull(watched, "v1", folder)
    assert [str(path) for path in pulled.files] == ["b"]
    assert Digest.of(b"one") not in watched.fetched
    assert Digest.of(b"{}") not in watched.fetched


def test_the_caller_may_name_and_choose_layers(target, folder):
    artifact_in(target, (b"one", None), (b"two", "../b"), (b"three", "c"))
    pulled = pull(
        target,
        "v1",
        folder,
        includes=lambda descriptor: descriptor.size == 3,
        title_of=lambda descriptor: f"layers/{descriptor.digest.encoded[:8]}",
    )
    one, two = (Digest.of(content).encoded[:8] for content in (b"one", b"two"))
    assert [str(path) for path in pulled.files] == [f"layers/{one}", f"layers/{two}"]
    assert read_file(folder, f"layers/{two}") == b"two"
    with pytest.raises(UnsafePathError):
        pull(target, "v1", folder, title_of=lambda _: "../x")


def test_the_caller_may_decide_what_is_unpacked(target, scratch, folder):
    push(target, "v1", [Directory("data", tree_of(x=b"ex"))], scratch=scratch)
    pull(target, "v1", folder, unpacks=lambda _: False)
    assert kind_at(folder, "data") == "file"


def test_what_is_not_there(target, folder):
    for reference in ("v1", str(Digest.of(b"absent"))):
        with pytest.raises(NotFoundError):
            pull(target, reference, folder)
    assert names(folder) == []


def test_a_blob_is_no_artifact(folder):
    target = MemoryStore()
    small, large = push_blob(target, b"blob"), push_blob(target, bytes(MAX_MANIFEST_SIZE + 1))
    with pytest.raises(InvalidManifestError):
        pull(target, str(small.digest), folder)
    with pytest.raises(SizeLimitError):
        pull(target, str(large.digest), folder)


def test_the_largest_manifest_is_a_limit(target, folder):
    manifest = artifact_in(target, (b"one", "a"))
    size = len(manifest.content)
    with pytest.raises(SizeLimitError):
        pull(WatchedStore(target), "v1", folder, limits=Limits(manifest_size=size - 1))
    pull(WatchedStore(target), "v1", folder, limits=Limits(manifest_size=size))
    assert all_files(folder) == {"a": b"one"}


def test_a_larger_manifest_may_be_allowed(folder):
    target = MemoryStore()
    push_blob(target, b"one")
    content = pack_manifest([layer(b"one", "a")]).content + b" " * MAX_MANIFEST_SIZE
    large = Descriptor.of(content, media_types.OCI_MANIFEST)
    target.push(large, BytesSource(content))
    target.tag(large, "v1")
    with pytest.raises(SizeLimitError):
        pull(target, "v1", folder)
    pull(target, "v1", folder, limits=Limits(manifest_size=len(content)))
    assert all_files(folder) == {"a": b"one"}


# --- Indexes ------------------------------------------------------------------------------


def tag_index(target, *entries, tag="v1"):
    index = codec.encode_index(manifests=entries)
    push_document(target, index)
    target.tag(index.descriptor.plain(), tag)
    return index


def entry(manifest, platform=None, **annotations):
    return Descriptor(
        manifest.media_type,
        manifest.digest,
        len(manifest.content),
        platform=platform and Platform.parse(platform),
        annotations=annotations,
    )


@pytest.fixture
def two_platforms(target):
    amd, arm = (
        artifact_in(target, (text, "program"), tag=text.decode()) for text in (b"amd", b"arm")
    )
    return tag_index(target, entry(amd, "linux/amd64"), entry(arm, "linux/arm64/v8"))


def test_the_platform_s_manifest_is_pulled(target, two_platforms, folder):
    for platform, content in (("linux/amd64", b"amd"), ("linux/arm64", b"arm")):
        pulled = pull(target, "v1", folder, platform=Platform.parse(platform))
        assert all_files(folder) == {"program": content}
        assert pulled.root.digest == two_platforms.digest
        assert pulled.manifest.layers[0].digest == Digest.of(content)


def test_a_platform_that_is_not_offered(target, two_platforms, folder):
    with pytest.raises(NotFoundError, match="which offers linux/amd64, linux/arm64/v8"):
        pull(target, "v1", folder, platform=Platform.parse("windows/amd64"))
    assert names(folder) == []


def test_several_manifests_and_no_platform(target, two_platforms, folder):
    with pytest.raises(UnsupportedError, match="choose a platform: linux/amd64, linux/arm64/v8"):
        pull(target, "v1", folder)
    assert names(folder) == []


def test_an_empty_index(target, folder):
    tag_index(target)
    with pytest.raises(UnsupportedError, match="it is empty"):
        pull(target, "v1", folder)
    with pytest.raises(NotFoundError, match="no platform"):
        pull(target, "v1", folder, platform=Platform.parse("linux/amd64"))


def test_a_single_manifest_needs_no_platform(target, folder):
    manifest = artifact_in(target, (b"one", "a"), tag="one")
    inner = tag_index(target, entry(manifest), tag="inner")
    tag_index(target, entry(inner))
    assert pull(target, "v1", folder).manifest == manifest
    assert all_files(folder) == {"a": b"one"}


def test_a_platform_is_not_asked_of_a_manifest(target, folder):
    artifact_in(target, (b"one", "a"))
    pull(target, "v1", folder, platform=Platform.parse("windows/amd64"))
    assert all_files(folder) == {"a": b"one"}


def test_nested_indexes_do_not_recurse(folder):
    target = MemoryStore()
    document = artifact_in(target, (b"one", "a"))
    for _ in range(1500):
        document = codec.encode_index(manifests=[document.descriptor])
        push_document(target, document)
    pull(target, str(document.digest), folder)
    assert all_files(folder) == {"a": b"one"}


@pytest.mark.parametrize("title", ["program", "other", "../../evil"])
def test_a_title_in_an_index_makes_no_file(target, folder, title):
    manifest = artifact_in(target, (b"one", "program"), tag="one")
    tag_index(target, entry(manifest, "linux/amd64", **{TITLE: title}))
    pulled = pull(target, "v1", folder, platform=Platform.parse("linux/amd64"))
    assert all_files(folder) == {"program": b"one"}
    assert [str(path) for path in pulled.files] == ["program"]


def test_a_manifest_embedded_in_its_index(folder):
    target = MemoryStore()
    push_blob(target, b"one")
    child = pack_manifest([layer(b"one", "a")])
    embedded = Descriptor(child.media_type, child.digest, len(child.content), data=child.content)
    tag_index(target, embedded)
    pull(target, "v1", folder)
    assert all_files(folder) == {"a": b"one"}


# --- A registry ---------------------------------------------------------------------------


class TamperingTransport:
    """Changes the bodies of blobs on their way from a registry."""

    def __init__(self, server, change):
        self.server, self.change = server, change

    def send(self, request):
        response = self.server.send(request)
        if request.method != "GET" or "/blobs/" not in request.url:
            return response
        body = self.change(response.body.read())
        headers = response.headers.with_fields({"Content-Length": str(len(body))})
        return type(response)(response.status, headers, body=io.BytesIO(body))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda body: body.replace(b"g", b"f"), DigestMismatchError),
        (lambda body: body[:-1], SizeMismatchError),
        (lambda body: body + b"!", SizeMismatchError),
    ],
)
def test_what_is_changed_on_the_way_is_noticed(scratch, folder, change, error):
    server = EmbeddedRegistry()
    push(repository(server), "v1", [file("a", b"good")], scratch=scratch)
    write(folder, "a", b"old")
    with pytest.raises(error):
        pull(repository(TamperingTransport(server, change)), "v1", folder)
    assert all_files(folder) == {"a": b"old"}


def test_a_neighbour_s_blobs_do_not_travel(scratch):
    server = EmbeddedRegistry()
    registry = RemoteRegistry("localhost:5000", server, plain_http=True)
    source, destination = registry.repository("one"), registry.repository("two")
    listener = EventRecorder()
    push(source, "v1", [file("a", b"one")], scratch=scratch)
    before = len(server.requests)
    root = copy(source, "v1", destination, options=CopyOptions(listener=listener))
    assert destination.resolve("v1").digest == root.digest
    assert listener.of(layer(b"one")) == [("skipped", "mounted")]
    assert not [
        request
        for request in server.requests[before:]
        if request.method == "GET" and "/blobs/" in request.path
    ]


def test_from_registry_to_registry_and_back(scratch, folder):
    first, second, memory = repository(), repository(), MemoryStore()
    root = push(first, "v1", [file("a", b"one"), file("b", b"two")], scratch=scratch)
    copy(first, "v1", memory)
    copy(memory, "v1", second, "v2")
    assert second.resolve("v2").digest == root.digest
    pull(second, "v2", folder)
    assert all_files(folder) == {"a": b"one", "b": b"two"}
