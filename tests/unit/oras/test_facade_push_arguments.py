"""What `push` makes of its arguments, and what it refuses before anything is sent."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import oras._client.push_request
import oras.client
import oras.defaults
import oras.oci
from oras_adapters.registry_server import RegistryServer
from oras_core.errors import InvalidAnnotationError, NotFoundError, TitleCollisionError
from oras_core.testing import EmbeddedRegistry

TITLE = oras.defaults.annotation_title


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The working directory `…/w`, beside `…/w-evil`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    folder = tmp_path / "w"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "sub" / "a.txt").write_text("another")
    (tmp_path / "w-evil").mkdir()
    (tmp_path / "w-evil" / "a.txt").write_text("evil")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def registry():
    return EmbeddedRegistry()


@pytest.fixture(scope="module")
def address(registry):
    with RegistryServer(registry) as server:
        yield server.address


@pytest.fixture(params=["engine", "step by step"])
def push(request, work, address):
    """Push by both ways; give the manifest."""

    class StepByStep(oras.client.OrasClient):
        def upload_blob(self, *args, **kwargs):
            return super().upload_blob(*args, **kwargs)

    kind = StepByStep if request.param == "step by step" else oras.client.OrasClient

    def call(files=None, **arguments):
        client, target = kind(insecure=True), f"{address}/tests/arguments:v1"
        client.push(target, files=files, quiet=True, **arguments)
        return client.get_manifest(target)

    return call


def titles(manifest):
    return [layer["annotations"][TITLE] for layer in manifest["layers"]]


@pytest.fixture
def sends_nothing(registry):
    before = len(registry.requests)
    yield
    assert len(registry.requests) == before


# --- Paths --------------------------------------------------------------------------------


@pytest.mark.usefixtures("sends_nothing")
@pytest.mark.parametrize(
    "path", ["../w-evil/a.txt", "../w-evil", "..", "/", "sub/../../w-evil/a.txt", os.devnull]
)
def test_path_outside_the_working_directory_is_refused(push, path):
    with pytest.raises(ValueError, match="is not in the present working directory context") as e:
        push(["a.txt", path])
    assert str(e.value).startswith(f"Blob {path} ")


@pytest.mark.usefixtures("sends_nothing")
def test_absolute_path_of_a_sibling_with_the_same_prefix_is_refused(push, tmp_path):
    with pytest.raises(ValueError, match="working directory"):
        push([tmp_path / "w-evil" / "a.txt"])


def test_path_outside_is_accepted_without_path_validation(push, tmp_path):
    manifest = push([tmp_path / "w-evil" / "a.txt"], disable_path_validation=True)
    assert titles(manifest) == ["a.txt"]
    assert manifest["layers"][0]["size"] == len("evil")


@pytest.mark.parametrize("path", ["a.txt", "./a.txt", "sub/../a.txt", Path("a.txt")])
def test_path_inside_is_accepted_in_every_spelling(push, path):
    assert titles(push([path])) == ["a.txt"]


def test_absolute_path_inside_is_accepted(push, work):
    assert titles(push([str(work / "sub" / "a.txt")])) == ["a.txt"]


@pytest.mark.usefixtures("sends_nothing")
def test_missing_file_is_an_error_before_any_request(push):
    with pytest.raises(FileNotFoundError, match=r"^missing\.txt does not exist\.$"):
        push(["a.txt", "missing.txt"])


@pytest.mark.usefixtures("sends_nothing")
@pytest.mark.parametrize("path", ["../missing.txt", "/nonexistent/missing.txt"])
def test_missing_file_outside_the_working_directory_is_reported_as_missing(push, path):
    with pytest.raises(FileNotFoundError, match=r"missing\.txt does not exist"):
        push([path])


@pytest.mark.usefixtures("sends_nothing")
def test_missing_config_or_annotation_file_is_an_error(push):
    with pytest.raises(FileNotFoundError, match=r"config\.json does not exist"):
        push(["a.txt"], manifest_config="config.json:a/b")
    with pytest.raises(FileNotFoundError, match=r"Annotation file notes\.json does not exist"):
        push(["a.txt"], annotation_file="notes.json")


def test_subclass_can_override_path_validation(work, address):
    seen = []

    class Mine(oras.client.OrasClient):
        def _validate_path(self, path):
            seen.append(path)
            return not path.startswith("..")

    with pytest.raises(ValueError, match="working directory"):
        Mine(insecure=True).push(f"{address}/a/b:v1", files=["a.txt", "../w-evil/a.txt"])
    assert seen == ["a.txt", "../w-evil/a.txt"]


# --- Contents -----------------------------------------------------------------------------


@pytest.mark.parametrize("files", [None, []])
def test_push_without_files_makes_an_artifact_without_layers(push, files):
    manifest = push(files)
    assert manifest["layers"] == []
    assert manifest["config"]["mediaType"] == oras.defaults.unknown_config_media_type
    assert manifest["config"]["digest"] == oras.defaults.blank_config_hash


@pytest.mark.parametrize("path", ["sub", "sub/", "./sub/", "sub/."])
def test_trailing_slash_does_not_change_a_folder_s_title(push, path, tmp_path, address):
    manifest = push([path])
    assert titles(manifest) == ["sub"]
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == oras.defaults.default_blob_dir_media_type
    client = oras.client.OrasClient(insecure=True)
    (out,) = client.pull(f"{address}/tests/arguments:v1", outdir=str(tmp_path / "out"))
    assert out == str(tmp_path / "out" / "sub")
    assert (Path(out) / "a.txt").read_text() == "another"


@pytest.mark.usefixtures("sends_nothing")
def test_two_files_with_the_same_title_are_refused(push):
    with pytest.raises(TitleCollisionError, match=r"two files .* the title 'a\.txt'.*annotation"):
        push(["a.txt", "sub/a.txt"])


def test_two_files_with_the_same_name_and_different_titles_are_pushed(push):
    Path("notes.json").write_text(json.dumps({"sub/a.txt": {TITLE: "b.txt"}}))
    assert titles(push(["a.txt", "sub/a.txt"], annotation_file="notes.json")) == ["a.txt", "b.txt"]


@pytest.mark.parametrize("one", ["a.txt", Path("a.txt"), "a.txt:text/plain"])
def test_single_path_is_accepted_as_files(push, one):
    assert titles(push(one)) == ["a.txt"]


@pytest.mark.usefixtures("sends_nothing")
def test_wrong_type_error_names_the_argument(push):
    with pytest.raises(TypeError, match="files must be a list of paths, not int"):
        push(7)


@pytest.mark.usefixtures("sends_nothing")
@pytest.mark.parametrize("name", ["model:v2", "a:b:c"])
def test_missing_path_with_a_colon_is_reported_as_given(push, name):
    with pytest.raises(FileNotFoundError, match=rf"^{name} does not exist\.$"):
        push([name])
    with pytest.raises(FileNotFoundError, match=r"^model does not exist\.$"):
        push(["model:text/plain"])


def test_single_tag_is_accepted(push, address):
    push(["a.txt"], tags="latest")
    client = oras.client.OrasClient(insecure=True)
    assert "latest" in client.get_tags(f"{address}/tests/arguments")


@pytest.mark.parametrize(
    ("key", "path"), [("a.txt", "./a.txt"), ("./a.txt", "a.txt"), ("sub/a.txt", "sub/../sub/a.txt")]
)
def test_annotations_match_every_spelling_of_a_path(push, key, path, caplog):
    Path("notes.json").write_text(json.dumps({key: {"k": "v"}}))
    (layer,) = push([path], annotation_file="notes.json")["layers"]
    assert layer["annotations"]["k"] == "v"
    assert "not used" not in caplog.text


def test_annotations_for_no_file_log_a_warning(push, monkeypatch):
    warnings = []
    monkeypatch.setattr(oras._client.push_request.logger, "warning", warnings.append)
    Path("notes.json").write_text(json.dumps({"b.txt": {"k": "v"}, "a.txt": {}, "$config": {}}))
    push(["a.txt"], annotation_file="notes.json")
    assert warnings == ["Annotations of 'b.txt' are not used: no pushed file has this path."]


def test_media_type_after_a_colon_is_used(push):
    Path("with:colon").write_text("x")
    manifest = push(["a.txt:a/b", "sub:c/d+gzip", "with:colon"])
    assert [layer["mediaType"] for layer in manifest["layers"]] == [
        "a/b",
        "c/d+gzip",
        oras.defaults.default_blob_media_type,
    ]


# --- Config, annotations, subject ---------------------------------------------------------


def test_config_file_is_pushed_unchanged(push, address):
    Path("config.json").write_text('{"a": 1}')
    config = push(manifest_config="config.json:a/b")["config"]
    assert (config["mediaType"], config["size"]) == ("a/b", 8)
    blob = oras.client.OrasClient(insecure=True).get_blob(
        f"{address}/tests/arguments", config["digest"]
    )
    assert blob.content == b'{"a": 1}'
    assert push(manifest_config="config.json")["config"]["mediaType"] == (
        oras.defaults.unknown_config_media_type
    )


def test_annotations_are_set_on_files_folders_manifest_and_config(push, work):
    sections = {
        "$manifest": {"m": "1", "both": "file"},
        "$config": {"c": "1"},
        "a.txt": {"f": "1"},
        str(work / "sub"): {"d": "1"},
    }
    Path("notes.json").write_text(json.dumps(sections))
    manifest = push(
        ["a.txt", "sub"],
        annotation_file="notes.json",
        manifest_annotations={"both": "argument", "own": "1"},
    )
    assert manifest["annotations"] == {"m": "1", "both": "argument", "own": "1"}
    assert manifest["config"]["annotations"] == {"c": "1"}
    file, folder = (layer["annotations"] for layer in manifest["layers"])
    assert file == {"f": "1", TITLE: "a.txt"}
    assert (folder["d"], folder[TITLE]) == ("1", "sub")


@pytest.mark.usefixtures("sends_nothing")
def test_malformed_annotation_file_is_refused(push):
    Path("notes.json").write_text('{"$manifest": {"a": 1}}')
    with pytest.raises(InvalidAnnotationError):
        push(["a.txt"], annotation_file="notes.json")


def test_subject_can_be_an_object_or_a_name(push, address):
    client = oras.client.OrasClient(insecure=True)
    target = f"{address}/tests/arguments:subject"
    response = client.push(target, files=["a.txt"], quiet=True)
    manifest = client.get_manifest(target)
    expected = {
        "mediaType": manifest["mediaType"],
        "digest": response.headers["Docker-Content-Digest"],
        "size": len(manifest.content),
    }
    subject = oras.oci.Subject(**expected)
    digest = expected["digest"]
    for given in (subject, oras.oci.Subject.from_manifest(manifest), "subject", digest):
        assert push(["a.txt"], subject=given)["subject"] == expected


def test_missing_subject_is_an_error(push):
    with pytest.raises(NotFoundError):
        push(["a.txt"], subject="nobody")


# --- Chunks -------------------------------------------------------------------------------


def test_chunks_have_the_requested_size(push, registry):
    Path("ten").write_bytes(os.urandom(10))
    before = len(registry.requests)
    push(["ten"], do_chunked=True, chunk_size=4)
    sent = [
        request.headers.get("Content-Range")
        for request in registry.requests[before:]
        if request.method == "PATCH"
    ]
    assert {"0-3", "4-7", "8-9"} <= set(sent)
