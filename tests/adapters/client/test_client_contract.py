"""Every verb of the client does the same in every place, blocking and in asyncio."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from oras_core import (
    AnnotationSet,
    BytesSource,
    Config,
    Content,
    Copied,
    Descriptor,
    Directory,
    File,
    Index,
    Manifest,
    Platform,
)
from oras_core.errors import (
    AlreadyExistsError,
    FileAccessError,
    InvalidInputError,
    InvalidReferenceError,
    NotFoundError,
    OrasError,
    SizeLimitError,
    UnsupportedError,
)
from oras_core.testing import MemoryFileTree
from support.clients import FACES, HOST, PLACES, VERBS, at, embedded_client

TYPE = "application/vnd.example.model"
SBOM = "application/spdx+json"


@pytest.fixture(params=FACES)
def client(request):
    with embedded_client(request.param) as client:
        yield client


@pytest.fixture(params=PLACES)
def place(request, tmp_path):
    return at(request.param, tmp_path / "places")


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The working directory, with a card and a folder of weights."""
    folder = tmp_path / "work"
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "layer0.bin").write_bytes(bytes(range(256)) * 40)
    (folder / "card.md").write_text("# A model\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def pushed(client, place, work):
    """The descriptor of a model that was pushed as `v1`."""
    return client.push(
        place("v1"),
        ["weights", "card.md:text/markdown"],
        artifact_type=TYPE,
        annotations={"epoch": "3"},
    )


# --- Files --------------------------------------------------------------------------------


def test_pull_restores_a_push(client, place, pushed, tmp_path):
    pulled = client.pull(place("v1"), tmp_path / "out")
    assert pulled.root.digest == pushed.digest
    assert pulled.manifest.artifact_type == TYPE
    assert pulled.files == (tmp_path / "out" / "weights", tmp_path / "out" / "card.md")
    assert (tmp_path / "out" / "card.md").read_text() == "# A model\n"
    assert (tmp_path / "out" / "weights" / "layer0.bin").stat().st_size == 256 * 40


def test_pull_applies_include_and_exclude_patterns(client, place, pushed, tmp_path):
    assert client.pull(place("v1"), tmp_path / "a", include="*.md").files == (
        tmp_path / "a" / "card.md",
    )
    assert client.pull(place("v1"), tmp_path / "b", exclude=["*.md"]).files == (
        tmp_path / "b" / "weights",
    )
    assert client.pull(place("v1"), tmp_path / "c", include="*.md", exclude="card.*").files == ()


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_pull_applies_patterns_to_the_files_of_folders(client, place, work, tmp_path, compression):
    (work / "weights" / "notes.txt").write_text("notes")
    client.push(place("v1"), ["weights", "card.md"], compression=compression)
    pulled = client.pull(place("v1"), tmp_path / "out", include="*.txt")
    assert pulled.files == (tmp_path / "out" / "weights",)
    assert pulled.unverified == ()
    assert [path.name for path in (tmp_path / "out" / "weights").iterdir()] == ["notes.txt"]
    client.pull(place("v1"), tmp_path / "rest", exclude=["*.txt", "/card.md"])
    assert sorted(path.name for path in (tmp_path / "rest").rglob("*")) == ["layer0.bin", "weights"]


def test_pull_fetches_only_the_chosen_files_of_a_folder_without_compression(tmp_path):
    (tmp_path / "data").mkdir()
    for number in range(4):
        (tmp_path / "data" / f"{number}.bin").write_bytes(bytes([number]) * 1_000_000)
    with embedded_client("blocking") as client:
        client.push(f"{HOST}/data:v1", {"data": tmp_path / "data"}, compression="none")
        pulled = client.pull(f"{HOST}/data:v1", tmp_path / "out", include="data/2.bin")
    assert pulled.files == pulled.unverified == (tmp_path / "out" / "data",)
    assert [path.name for path in pulled.files[0].iterdir()] == ["2.bin"]
    assert (pulled.files[0] / "2.bin").read_bytes() == bytes([2]) * 1_000_000


def test_pull_selects_layers_by_media_type_and_annotation(client, place, work, tmp_path):
    annotations = AnnotationSet({"weights/layer0.bin": {"split": "train"}})
    files = ["weights/layer0.bin", "card.md:text/markdown"]
    client.push(place("v1"), files, annotations=annotations)
    for name, options in {
        "card.md": {"media_types": "text/markdown"},
        "weights/layer0.bin": {"annotations": {"split": "train"}},
    }.items():
        assert client.pull(place("v1"), tmp_path / "out", **options).files == (
            tmp_path / "out" / name,
        )
    assert client.pull(place("v1"), tmp_path / "out", annotations={"split": "test"}).files == ()


def test_pull_can_keep_existing_files(client, place, pushed, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "card.md").write_text("mine")
    pulled = client.pull(place("v1"), tmp_path / "out", overwrite=False)
    assert pulled.files == (tmp_path / "out" / "weights",)
    assert (tmp_path / "out" / "card.md").read_text() == "mine"
    client.pull(place("v1"), tmp_path / "out")
    assert (tmp_path / "out" / "card.md").read_text() == "# A model\n"


def test_pull_without_a_folder_writes_into_the_working_directory(client, place, pushed, work):
    (work / "card.md").unlink()
    client.pull(place("v1"), include="card.md")
    assert (work / "card.md").exists()


def test_tag_defaults_to_latest(client, place, work):
    root = client.push(place(), ["card.md"])
    assert client.resolve(place("latest")).digest == root.digest == client.resolve(place()).digest


def test_push_accepts_all_options(client, place, work):
    (work / "config.json").write_text("{}")
    subject = client.push(place("base"), ["card.md"])
    root = client.push(
        place("v1"),
        {"docs/readme.md": "card.md"},
        config="config.json:application/vnd.example.config+json",
        annotations=AnnotationSet({"$manifest": {"a": "1"}, "docs/readme.md": {"b": "2"}}),
        subject="base",
        tags=["stable", "v1.0"],
    )
    manifest = client.manifest(place("v1"))
    assert manifest.digest == root.digest
    assert manifest.config.media_type == "application/vnd.example.config+json"
    assert manifest.annotations == {"a": "1"}
    assert manifest.layers[0].title == "docs/readme.md"
    assert manifest.layers[0].annotations["b"] == "2"
    assert manifest.subject.digest == subject.digest
    assert {client.resolve(place(tag)).digest for tag in ("stable", "v1.0")} == {root.digest}


def test_push_accepts_files_of_the_core(client, place):
    tree = MemoryFileTree()
    root = client.push(
        place("v1"),
        [File("a.bin", BytesSource(b"a"), "application/x-a"), Directory("d", tree)],
        config=Config(BytesSource(b"c"), "application/x-c"),
        subject=Descriptor.of(b"{}", "application/vnd.oci.image.manifest.v1+json"),
    )
    assert client.read(place(str(root.digest)), "a.bin") == b"a"
    assert client.config(place("v1")).content == b"c"


@pytest.mark.parametrize(
    "one", ["card.md", Path("card.md"), File("card.md", BytesSource(b"# A model\n"))], ids=repr
)
def test_one_file_needs_no_list(client, place, work, one):
    client.push(place("v1"), one)
    assert client.read(place("v1"), "card.md") == b"# A model\n"
    note = client.attach(place("v1"), one, artifact_type="text/plain")
    assert client.read(place(str(note.digest)), "card.md") == b"# A model\n"


def test_one_text_stands_for_itself_and_not_for_its_characters(client, place, work):
    for name in ("one", "two", "three"):
        client.push(place(name), "card.md", annotations={"of": name}, tags=f"{name}-too")
    client.index(place("all"), "one", tags="everything")
    client.index(place("more"), "two")
    client.update_index(place("all"), merge="more", add="three", remove="one", tags="changed")
    client.copy(place("one"), place("copied"), tags="copied-too")
    names = "one two three one-too two-too three-too all everything more changed copied copied-too"
    assert sorted(client.tags(place())) == sorted(names.split())
    entries = [entry.digest for entry in client.manifest(place("changed")).manifests]
    assert entries == [client.resolve(place(name)).digest for name in ("two", "three")]


@pytest.mark.parametrize(
    ("compression", "suffix"), [("none", ""), ("gzip", "+gzip"), ("zstd", "+zstd"), ("auto", "")]
)
def test_push_selects_the_compression_of_folders(
    client, place, work, tmp_path, compression, suffix
):
    (work / "weights" / "layer0.bin").write_bytes(random.Random(1).randbytes(100_000))
    client.push(place("v1"), ["weights"], compression=compression)
    (layer,) = client.manifest(place("v1")).layers
    assert layer.media_type == f"application/vnd.oci.image.layer.v1.tar{suffix}"
    client.pull(place("v1"), tmp_path / "out")
    assert (tmp_path / "out" / "weights" / "layer0.bin").exists()


def test_opened_file_is_read_at_any_position(client, place, work):
    content = bytes(range(256)) * 40
    client.push(place("v1"), ["weights/layer0.bin", "card.md"])
    with client.open(place("v1"), "weights/layer0.bin") as stream:
        assert stream.seek(1000) == 1000
        assert stream.read(100) == content[1000:1100]
        assert stream.tell() == 1100
        assert stream.seek(-5, 2) == len(content) - 5
        assert stream.read() == content[-5:]
        assert not stream.verified
        stream.seek(0)
        assert stream.read() == content
        assert stream.verified


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_file_of_a_folder_is_opened_and_read(client, place, work, compression):
    content = bytes(range(256)) * 40
    (work / "weights" / "deep").mkdir()
    (work / "weights" / "deep" / "b.txt").write_text("b")
    (work / "weights" / "link.bin").symlink_to("layer0.bin")
    (work / "weights" / "to").symlink_to("deep")
    client.push(place("v1"), ["weights", "card.md"], compression=compression)
    for name in ("weights/layer0.bin", "weights/link.bin"):
        with client.open(place("v1"), name) as stream:
            assert stream.seek(1000) == 1000
            assert stream.read(100) == content[1000:1100]
            stream.seek(0)
            assert stream.read() == content
            assert not stream.verified
        assert client.read(place("v1"), name) == content
    assert client.read(place("v1"), "weights/to/b.txt") == b"b"
    with pytest.raises(SizeLimitError):
        client.read(place("v1"), "weights/layer0.bin", limit=100)
    with pytest.raises(NotFoundError, match=r"file 'absent.bin' not found in weights"):
        client.open(place("v1"), "weights/absent.bin")
    with pytest.raises(UnsupportedError, match="it is a directory"):
        client.open(place("v1"), "weights/deep")


def test_file_is_read_whole(client, place, pushed):
    assert client.read(place("v1"), "card.md") == b"# A model\n"
    digest = client.manifest(place("v1")).layers[1].digest
    assert client.read(place("v1"), str(digest)) == b"# A model\n"
    with pytest.raises(SizeLimitError) as caught:
        client.read(place("v1"), "card.md", limit=9)
    assert "raise the limit" in caught.value.__notes__[-1]
    with pytest.raises(NotFoundError, match=r"which has 'weights', 'card.md'"):
        client.read(place("v1"), "card.txt")
    with pytest.raises(UnsupportedError, match="it has 2 layers; name one of"):
        client.read(place("v1"))
    with pytest.raises(NotFoundError):
        client.open(place("v1"), "card.txt")


def test_single_file_is_opened_without_its_name(client, place, work):
    client.push(place("v1"), ["card.md"])
    assert client.read(place("v1")) == b"# A model\n"
    with client.open(place("v1")) as stream:
        assert stream.read() == b"# A model\n"


# --- Names --------------------------------------------------------------------------------


def test_artifact_is_resolved_and_inspected(client, place, pushed):
    assert client.resolve(place("v1")).digest == pushed.digest
    manifest = client.manifest(place("v1"))
    assert isinstance(manifest, Manifest)
    assert manifest.annotations["epoch"] == "3"
    config = client.config(place("v1"))
    assert isinstance(config, Content)
    assert json.loads(config.content) == {}
    assert config.descriptor.digest == manifest.config.digest


def test_missing_artifact_does_not_exist(client, place, pushed):
    assert client.exists(place("v1")) is True
    assert client.exists(place(str(pushed.digest))) is True
    assert client.exists(place("v2")) is False


def test_tags_are_listed_added_and_removed(client, place, pushed):
    assert client.tag(place("v1"), "stable", "newest").digest == pushed.digest
    with pytest.raises(InvalidInputError, match="at least one tag"):
        client.tag(place("v1"))
    assert sorted(client.tags(place())) == ["newest", "stable", "v1"]
    client.untag(place("newest"))
    assert sorted(client.tags(place())) == ["stable", "v1"]
    assert client.exists(place("v1"))


def test_artifact_is_deleted_with_its_tags(client, place, pushed, work):
    other = client.push(place("v2"), ["card.md"])
    client.tag(place("v1"), "stable")
    assert client.delete(place("v1")).digest == pushed.digest
    assert list(client.tags(place())) == ["v2"]
    assert client.delete(place(str(other.digest))).digest == other.digest
    assert not client.exists(place("v2"))


# --- Graphs -------------------------------------------------------------------------------


def test_attached_artifact_is_discovered(client, place, pushed, work):
    (work / "sbom.json").write_text("{}")
    sbom = client.attach(place("v1"), ["sbom.json:application/spdx+json"], artifact_type=SBOM)
    note = client.attach(place("v1"), artifact_type="text/plain", annotations={"by": "hand"})
    signature = client.attach(place(str(sbom.digest)), ["card.md"], artifact_type="application/sig")
    found = {r.digest: r for r in client.referrers(place("v1"))}
    assert found.keys() == {sbom.digest, note.digest}
    assert found[note.digest].annotations["by"] == "hand"
    (only,) = client.referrers(place("v1"), artifact_type=SBOM)
    assert only.digest == sbom.digest
    everything = [r.digest for r in client.referrers(place("v1"), recursive=True)]
    assert set(everything) == {sbom.digest, note.digest, signature.digest}
    assert everything.index(sbom.digest) < everything.index(signature.digest)
    assert client.read(place(str(sbom.digest))) == b"{}"


def test_attached_artifact_has_the_given_config(client, place, pushed, work):
    (work / "config.json").write_text("{1}")
    found = client.attach(place("v1"), artifact_type=SBOM, config="config.json:a/config")
    assert client.config(place(str(found.digest))).content == b"{1}"


def test_index_is_created_and_changed(client, place, work):
    roots = [client.push(place(tag), ["card.md"], annotations={"of": tag}) for tag in "abc"]
    index = client.index(
        place("all"), ["a", str(roots[1].digest)], tags=["newest"], annotations={"k": "v"}
    )
    document = client.manifest(place("all"))
    assert isinstance(document, Index)
    assert document.digest == index.digest == client.resolve(place("newest")).digest
    assert [entry.digest for entry in document.manifests] == [r.digest for r in roots[:2]]
    changed = client.update_index(place("all"), add=["c"], remove=["a"], annotations={"l": "w"})
    document = client.manifest(place("all"))
    assert document.digest == changed.digest
    assert [entry.digest for entry in document.manifests] == [r.digest for r in roots[1:]]
    assert document.annotations == {"k": "v", "l": "w"}
    assert client.resolve(place("newest")).digest == index.digest
    client.update_index(place("all"), artifact_type="a/b")
    assert client.manifest(place("all")).artifact_type == "a/b"


def test_platform_selects_a_manifest(client, place, work, tmp_path):
    entries = []
    for name in ("amd64", "arm64"):
        image = {"os": "linux", "architecture": name}
        config = Config(
            BytesSource(json.dumps(image).encode()), "application/vnd.oci.image.config.v1+json"
        )
        entries.append(client.push(place(name), {"name.txt": "card.md"}, config=config))
    client.index(place("all"), ["amd64", "arm64"])
    arm = entries[1].digest
    assert client.resolve(place("all"), platform="linux/arm64").digest == arm
    platform = Platform("linux", "arm64")
    assert client.manifest(place("all"), platform=platform).digest == arm
    assert json.loads(client.config(place("all"), platform="linux/arm64").content)["os"] == "linux"
    assert client.pull(place("all"), tmp_path, platform="linux/arm64").manifest.digest == arm
    assert client.read(place("all"), platform="linux/arm64") == b"# A model\n"
    note = client.attach(place("all"), artifact_type="text/plain", platform="linux/arm64")
    (referrer,) = client.referrers(place("all"), platform="linux/arm64")
    assert referrer.digest == note.digest
    with pytest.raises(UnsupportedError, match="choose a platform"):
        client.pull(place("all"), tmp_path)


# --- Copies -------------------------------------------------------------------------------


@pytest.fixture(params=PLACES)
def other(request, tmp_path):
    return at(request.param, tmp_path / "others", "two")


def test_artifact_is_copied_with_its_referrers(client, place, other, pushed, work):
    note = client.attach(place("v1"), artifact_type="text/plain")
    copied = client.copy(place("v1"), other("v2"), referrers=True, tags=["newest"])
    assert isinstance(copied, Copied)
    assert copied.root.digest == pushed.digest
    assert len(copied.moved + copied.mounted + copied.skipped) >= 5
    assert client.resolve(other("newest")).digest == pushed.digest
    assert [r.digest for r in client.referrers(other("v2"))] == [note.digest]
    assert client.read(other("v2"), "card.md") == b"# A model\n"
    again = client.copy(place("v1"), other("v2"))
    assert len(again.moved) <= 1  # a registry gets the manifest again, for its tag


def test_copy_keeps_the_tag_unless_another_is_given(client, place, other, pushed):
    client.copy(place("v1"), other())
    assert list(client.tags(other())) == ["v1"]
    client.copy(place(str(pushed.digest)), other())
    assert list(client.tags(other())) == ["v1"]


def test_repository_is_mirrored(client, place, other, pushed, work):
    client.push(place("v2"), ["card.md"])
    client.attach(place("v2"), artifact_type="text/plain")
    first = client.mirror(place(), other())
    assert sorted(first.tags) == sorted(first.created) == ["v1", "v2"]
    assert first.tags["v1"].digest == pushed.digest
    assert sorted(client.tags(other())) == ["v1", "v2"]
    assert len(list(client.referrers(other("v2")))) == 1
    second = client.mirror(place(), other())
    assert (second.moved, second.mounted, second.bytes, second.created) == ((), (), 0, ())


def test_mirror_copies_the_included_tags(client, place, other, pushed):
    client.tag(place("v1"), "v1.1", "v1.2-rc", "nightly")
    client.mirror(place(), other(), include=["v1*"], exclude="*-rc")
    assert sorted(client.tags(other())) == ["v1", "v1.1"]


@pytest.mark.parametrize("name", ["backup", "backup.tar"])
def test_repository_is_backed_up_and_restored(client, place, other, pushed, tmp_path, name):
    client.backup(place(), tmp_path / name)
    assert (tmp_path / name).is_file() is name.endswith(".tar")
    restored = client.restore(tmp_path / name, other())
    assert list(restored.tags) == ["v1"]
    assert client.resolve(other("v1")).digest == pushed.digest


# --- Errors -------------------------------------------------------------------------------


def test_every_verb_is_called_here():
    called = set(re.findall(r"\bclient\.(\w+)\(", Path(__file__).read_text("utf-8")))
    assert VERBS - called == {"close", "login", "logout"}  # which concern no place


def test_no_verb_finds_an_artifact_that_is_absent(client, place, other, pushed, tmp_path):
    absent = place("absent")
    for call in (
        lambda: client.attach(absent, artifact_type="text/plain"),
        lambda: client.config(absent),
        lambda: client.copy(absent, other()),
        lambda: client.delete(absent),
        lambda: client.index(place("all"), ["v1", "absent"]),
        lambda: client.manifest(absent),
        lambda: client.open(absent),
        lambda: client.pull(absent, tmp_path / "out"),
        lambda: client.push(place("v2"), "card.md", subject="absent"),
        lambda: client.read(absent),
        lambda: client.resolve(absent),
        lambda: client.tag(absent, "v2"),
        lambda: client.untag(absent),
        lambda: client.update_index(absent, add="v1"),
        lambda: list(client.referrers(absent)),
    ):
        with pytest.raises(NotFoundError) as caught:
            call()
        assert "absent" in str(caught.value)
    assert list(client.tags(place())) == ["v1"]


def test_errors_say_once_what_to_do(client, place, other, pushed, tmp_path):
    for call in (
        lambda: client.pull(place("v2"), tmp_path / "out"),
        lambda: client.copy(place("v2"), other()),
    ):
        with pytest.raises(NotFoundError) as caught:
            call()
        (advice,) = (note for note in caught.value.__notes__ if note.startswith("To do:"))
        assert advice.startswith("To do: check the name")


def test_repository_argument_with_a_tag_is_refused(client, place, other, pushed):
    for call in (
        lambda: list(client.tags(place("v1"))),
        lambda: client.mirror(place("v1"), other()),
        lambda: client.mirror(place(), other("v1")),
    ):
        with pytest.raises(InvalidReferenceError, match="this concerns all tags"):
            call()


def test_delete_needs_an_explicit_tag_or_digest(client, place, pushed, work):
    client.push(place("latest"), ["card.md"])
    with pytest.raises(InvalidReferenceError, match="name an artifact"):
        client.delete(place())
    with pytest.raises(InvalidReferenceError, match="name a tag"):
        client.untag(place())
    with pytest.raises(InvalidReferenceError, match="name a tag"):
        client.untag(place(str(pushed.digest)))
    assert client.exists(place("latest"))


def test_digest_is_refused_as_a_target_to_write(client, place, other, pushed, work):
    for call in (
        lambda: client.push(place(str(pushed.digest)), ["card.md"]),
        lambda: client.index(place(str(pushed.digest)), ["v1"]),
        lambda: client.copy(place("v1"), other(str(pushed.digest))),
    ):
        with pytest.raises(InvalidReferenceError, match="gets its digest from its content"):
            call()


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (["absent.txt"], NotFoundError),
        (17, InvalidInputError),
        ([17], InvalidInputError),
        (None, InvalidInputError),
        ("absent.txt", NotFoundError),
        (["card.md", "./card.md"], AlreadyExistsError),
        (["card.md:not/a/type:more"], NotFoundError),
        (["null\0byte"], NotFoundError),
        (["a name that the system refuses, " + "x" * 300], FileAccessError),
    ],
)
def test_unsupported_files_are_refused(client, place, work, files, kind):
    with pytest.raises(kind) as caught:
        client.push(place("v1"), files)
    assert isinstance(caught.value, OrasError)


@pytest.mark.parametrize(
    "place_of_none", ["oci:no/such", "oci-archive:no/such.tar:v1", f"{HOST}/no"]
)
def test_missing_source_is_not_found(client, work, place_of_none):
    with pytest.raises(NotFoundError):
        client.read(place_of_none)
    assert client.exists(place_of_none) is False
    assert not (work / "no").exists()


def test_invalid_location_is_refused(client, work):
    with pytest.raises(InvalidReferenceError, match="expected HOST/REPOSITORY"):
        client.resolve("model:v1")
    with pytest.raises(InvalidReferenceError, match="neither a place nor a target"):
        client.resolve(17)
    with pytest.raises(InvalidReferenceError, match="neither a place nor a target"):
        client.push((object(), "v1"), ["card.md"])


def test_target_without_listing_is_an_error(client, work):
    class Plain:
        """A target, and nothing more."""

        def __init__(self):
            from oras_core import MemoryStore

            store = MemoryStore()
            for name in ("exists", "fetch", "push", "resolve", "tag"):
                setattr(self, name, getattr(store, name))

    target = Plain()
    client.push((target, "v1"), ["card.md"])
    for call in (
        lambda: list(client.tags(target)),
        lambda: client.untag((target, "v1")),
        lambda: client.delete((target, "v1")),
        lambda: client.mirror(target, at("memory", "")()),
        lambda: list(client.referrers((target, "v1"))),
    ):
        with pytest.raises(UnsupportedError):
            call()


# --- Registries ---------------------------------------------------------------------------


def test_repositories_are_listed(client, work):
    for name in ("b", "a"):
        client.push(f"{HOST}/team/{name}:v1", ["card.md"])
    assert sorted(client.repositories(HOST)) == ["team/a", "team/b"]
