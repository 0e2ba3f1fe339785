"""The calls of the specification keep working exactly, with programs of our own around them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import bcrypt
import pytest

import oras.auth
import oras.client
import oras.defaults
import oras.logger
import oras.oci
import oras.provider
import oras.utils
from oras.decorator import ensure_container
from support.console import run_console
from support.programs import require_program

TITLE = oras.defaults.annotation_title


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A working directory and a home with a few files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "ORAS_USER", "ORAS_PASS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "leaf.txt").write_text("leaf\n")
    (tmp_path / "branch").mkdir()
    (tmp_path / "branch" / "twig.txt").write_text("twig\n")
    return tmp_path


class Tree(oras.provider.Registry):
    """A client that pushes and pulls in its own way."""

    @ensure_container
    def plant(self, container, parts, notes=None):
        manifest, notes = oras.oci.NewManifest(), oras.oci.Annotations(notes or {})
        for path, media_type in parts.items():
            packed = os.path.isdir(path)
            blob = oras.utils.make_targz(path) if packed else path
            layer = oras.oci.NewLayer(blob, media_type, is_dir=packed)
            layer["annotations"] = {TITLE: os.path.basename(path), **notes.get_annotations(path)}
            manifest["layers"].append(layer)
            self._check_200_response(self.upload_blob(blob, container, layer))
        manifest["annotations"] = notes.get_annotations("$manifest")
        conf, config_file = oras.oci.ManifestConfig()
        conf["annotations"] = notes.get_annotations("$config")
        response = self.upload_blob(config_file, container, conf)
        self._check_200_response(response)
        manifest["config"] = conf
        self._check_200_response(self.upload_manifest(manifest, container))
        return response

    @ensure_container
    def prune(self, folder, package, media_type):
        paths = []
        for layer in self._organize_layers(self.get_manifest(package)).get(media_type, []):
            title = layer["annotations"]["org.opencontainers.image.title"]
            path = oras.utils.sanitize_path(folder, os.path.join(folder, title))
            paths.append(self.download_blob(package, layer["digest"], path))
        return paths


# --- Objects ------------------------------------------------------------------------------


def test_empty_config_is_the_null_device():
    conf, config_file = oras.oci.ManifestConfig()
    assert conf == {
        "mediaType": "application/vnd.unknown.config.v1+json",
        "size": 0,
        "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
    assert config_file == "/dev/null"


def test_config_describes_a_file(place):
    (place / "soil.json").write_text("{}  ".ljust(3891))
    conf, config_file = oras.oci.ManifestConfig(str(place / "soil.json"))
    assert (conf["size"], config_file) == (3891, str(place / "soil.json"))
    assert conf["digest"].startswith("sha256:")
    assert list(conf) == ["mediaType", "size", "digest"]


def test_layer_takes_keyword_arguments():
    layer = oras.oci.NewLayer("leaf.txt", is_dir=False, media_type="org.garden.leaf")
    assert (layer["mediaType"], layer["size"]) == ("org.garden.leaf", 5)


def test_manifest_is_filled_and_uploaded(open_registry):
    client, package = oras.client.OrasClient(insecure=True), f"{open_registry}/garden/made:v1"
    layer = oras.oci.NewLayer("leaf.txt", is_dir=False, media_type="org.garden.leaf")
    conf, config_file = oras.oci.ManifestConfig()
    manifest = oras.oci.NewManifest()
    manifest["layers"] = [layer]
    manifest["annotations"] = {"org.garden.season": "spring"}
    manifest["config"] = conf
    client._check_200_response(client.upload_blob("leaf.txt", package, layer))
    client._check_200_response(client.upload_blob(config_file, package, conf))
    client._check_200_response(client.upload_manifest(manifest, package))
    assert client.get_manifest(package) == manifest


# --- Tags ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "count"), [({"N": 1005}, 1005), ({}, 1100)])
def test_get_tags_returns_at_most_n_tags(tags_registry, arguments, count):
    client = oras.client.OrasClient(hostname=tags_registry, insecure=False)
    tags = client.get_tags("channel-mirrors/conda-forge/linux-aarch64/arrow-cpp", **arguments)
    assert tags == [f"v{number:04}" for number in range(count)]


# --- Push and pull ------------------------------------------------------------------------


def test_push_prints_and_returns_the_specified_values(open_registry, place):
    code = f"""
import oras.client
client = oras.client.OrasClient(insecure=True)
client.push(files=["leaf.txt"], target="{open_registry}/garden/leaf:v1")
res = client.pull(target="{open_registry}/garden/leaf:v1")
res
"""
    run = run_console([("a push and a pull", code)], place, {})
    assert (run.status, run.errors) == (0, "")
    printed, response, paths = run.output.splitlines()
    assert printed == f"Successfully pushed {open_registry}/garden/leaf:v1"
    assert response == "<Response [201]>"
    (path,) = eval(paths)
    assert Path(path).parent.name.startswith("oras-tmp.")
    assert Path(path).read_text() == "leaf\n"


def test_client_with_a_custom_push(open_registry, place):
    client, target = Tree(insecure=True), f"{open_registry}/garden/tree:v1"
    parts = {
        str(place / "leaf.txt"): "org.garden.leaf",
        str(place / "branch"): "application/vnd.oci.image.layer.v1.tar+gzip",
    }
    notes = {
        "$manifest": {"a": "b"},
        "$config": {"c": "d"},
        str(place / "leaf.txt"): {"colour": "green"},
    }
    assert client.plant(target, parts, notes).status_code in (200, 201)
    manifest = client.get_manifest(target)
    assert [layer["annotations"] for layer in manifest["layers"]] == [
        {TITLE: "leaf.txt", "colour": "green"},
        {TITLE: "branch"},
    ]
    assert (manifest["annotations"], manifest["config"]["annotations"]) == ({"a": "b"}, {"c": "d"})
    paths = client.pull(target, outdir="out")
    assert Path(paths[0]).read_text() == "leaf\n"
    assert (Path(paths[1]) / "twig.txt").read_text() == "twig\n"
    assert client.plant(container=target, parts={}).ok


def test_client_with_a_custom_pull(open_registry):
    client, package = Tree(insecure=True), f"{open_registry}/garden/parts:v1"
    client.push(package, files=["leaf.txt:org.garden.leaf", "branch/twig.txt:x/y"], quiet=True)
    (path,) = client.prune("cut", package, "org.garden.leaf")
    assert os.path.relpath(path) == os.path.join("cut", "leaf.txt")
    container = client.get_container(package)
    assert client.prune(folder="cut", package=container, media_type="none/none") == []
    digest = client.get_manifest(container)["layers"][0]["digest"]
    assert client.get_blob(package, digest).content == b"leaf\n"
    assert Path(client._download_blob(package, digest, "cut/again.txt")).read_text() == "leaf\n"


def test_folder_is_pushed_from_within(open_registry, place):
    client, target = oras.client.OrasClient(insecure=True), f"{open_registry}/garden/within:v1"
    with oras.utils.workdir(str(place / "branch")):
        client.push(target, files=["twig.txt"], quiet=True)
    assert os.getcwd() == str(place)
    assert [layer["annotations"][TITLE] for layer in client.get_manifest(target)["layers"]] == [
        "twig.txt"
    ]


# --- Authentication -----------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["token", "basic"])
def test_login_without_a_registry_is_for_the_first_one_used(backend, request):
    kind = "token" if backend == "token" else "htpasswd"
    address = request.getfixturevalue(f"{kind}_registry")
    client = oras.client.OrasClient(auth_backend=backend)
    status = client.login(password="myuser", username="myuser", insecure=True)
    assert status == {"Status": "Login Succeeded"}
    assert client.push(f"{address}/garden/{backend}:v1", files=["leaf.txt"], quiet=True).ok


def test_login_and_logout(htpasswd_registry):
    class Mine(oras.client.OrasClient):
        pass

    client, name = Mine(hostname=htpasswd_registry), f"{htpasswd_registry}/garden/mine:v1"
    client.login(password="myuser", username="myuser")
    assert client.push(name, files=["leaf.txt"], quiet=True).ok
    assert oras.client.OrasClient().get_tags(name) == ["v1"]
    client.logout(htpasswd_registry)
    for one in (client, oras.client.OrasClient()):
        with pytest.raises(ValueError, match="Unauthorized"):
            one.push(name, files=["leaf.txt"], quiet=True)


def test_environment_sets_the_credential_of_a_client(htpasswd_registry, monkeypatch):
    monkeypatch.setenv("ORAS_USER", "myuser")
    monkeypatch.setenv("ORAS_PASS", "myuser")
    client = Tree()
    assert (client.auth.username, client.auth.password) == ("myuser", "myuser")
    client.plant(f"{htpasswd_registry}/garden/environment:v1", {"leaf.txt": "a/b"})
    monkeypatch.delenv("ORAS_USER")
    assert not Tree().auth.username


def test_htpasswd_file_of_a_registry(place):
    require_program("htpasswd")
    command = ["htpasswd", "-cB", "-b", "auth.htpasswd", "myuser", "mypass"]
    subprocess.run(command, cwd=place, check=True, capture_output=True)
    name, _, hashed = (place / "auth.htpasswd").read_text().strip().partition(":")
    assert name == "myuser"
    assert bcrypt.checkpw(b"mypass", hashed.encode())


# --- Debugging ----------------------------------------------------------------------------


def test_debug_messages_are_shown(place):
    code = """
from oras.logger import setup_logger, logger
setup_logger(quiet=False, debug=True)
logger.debug('seen')
logger.exit('gone')
"""
    run = run_console([("a debug message", code)], place, {})
    assert run.status == 1
    assert "seen" in run.errors
    assert "gone" in run.errors


# --- None of the old text -----------------------------------------------------------------


def test_docs_have_no_line_in_common_with_other_guides():
    guide = Path(__file__).parents[2].joinpath("docs", "user-guide.md").read_text("utf-8")
    for word in ("dinosaur", "oras-py/issues", "click to expand", "avocado", "pakages"):
        assert word not in guide
