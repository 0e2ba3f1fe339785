"""Subclasses and patches of oras-py's methods keep working: `push` and `pull` call them.

Each method gets the arguments that oras-py passes, and its result is used unchanged. A client
without replaced methods uses the engine.
"""

from __future__ import annotations

import inspect
import os
import threading
from pathlib import Path
from unittest import mock

import pytest

import oras.client
import oras.provider
from oras.container import Container
from oras.oci import NewManifest
from oras.provider import Registry
from oras_adapters.registry_server import RegistryServer
from oras_core.errors import AuthenticationError, UnsupportedError
from oras_core.ports.http import HttpTransport
from oras_core.testing import EmbeddedRegistry
from support.modules import require_module
from support.opaque import Opaque
from support.recording_transport import Reply, serving
from support.stub_session import StubSession

PUSHED = ["get_container", "upload_blob", "upload_manifest", "_check_200_response"]
UPLOADING = ["put_upload", "blob_exists"]
PULLED = ["get_container", "get_manifest", "download_blob"]

MANNERS = ["subclass", "instance", "class"]
"""How a method may be replaced."""

LARGE = 3_000_000
PATIENCE = 10.0


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    """The working directory, with a small file, a large one and a folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    folder = tmp_path / "work"
    (folder / "folder").mkdir(parents=True)
    (folder / "small.txt").write_text("small")
    (folder / "large.bin").write_bytes(os.urandom(LARGE))
    (folder / "folder" / "inside.txt").write_text("inside")
    monkeypatch.chdir(folder)
    return folder


FILES = ["small.txt", "large.bin", "folder"]


@pytest.fixture
def target(open_registry, repository_name):
    return f"{open_registry.address}/{repository_name}:v1"


class Spy:
    """Stands in for a method, remembers its calls, and does what the original does."""

    def __init__(self, name):
        self.name = name
        self.original = inspect.getattr_static(Registry, name)
        self.calls = []
        self.threads = set()

    def method(self):
        """Return a function to be found on a class."""

        def replaced(client, *args, **kwargs):
            self.calls.append((args, kwargs))
            self.threads.add(threading.current_thread())
            return self.original(client, *args, **kwargs)

        return replaced

    @property
    def arguments(self):
        """The calls' arguments by the original's names."""
        signature = inspect.signature(self.original)
        bound = [signature.bind(None, *args, **kwargs).arguments for args, kwargs in self.calls]
        return [{name: one[name] for name in list(one)[1:]} for one in bound]


@pytest.fixture(params=MANNERS)
def spied(request, monkeypatch):
    """Make a client whose method of that name is a spy."""

    def make(name, **arguments):
        spy = Spy(name)
        function = spy.method()
        if request.param == "subclass":
            return type("Mine", (Registry,), {name: function})(insecure=True, **arguments), spy
        client = Registry(insecure=True, **arguments)
        if request.param == "instance":
            patch = mock.patch.object(client, name, lambda *a, **k: function(client, *a, **k))
        else:
            patch = mock.patch.object(Registry, name, function)
        patch.start()
        request.addfinalizer(patch.stop)
        return client, spy

    return make


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


# --- What is called -----------------------------------------------------------------------


@pytest.mark.parametrize("name", [*PUSHED, *UPLOADING, "do_request"])
def test_push_calls_overridden_methods(spied, name, target, work, tmp_path):
    client, spy = spied(name)
    response = client.push(target, files=FILES, quiet=True)
    assert spy.calls
    assert response.status_code in (200, 201)
    Registry(insecure=True).pull(target, outdir=str(tmp_path / "out"))
    assert contents(tmp_path / "out") == contents(work)


@pytest.mark.parametrize("name", [*PULLED, "do_request"])
def test_pull_calls_overridden_methods(spied, name, target, work, tmp_path):
    Registry(insecure=True).push(target, files=FILES, quiet=True)
    client, spy = spied(name)
    out = tmp_path / "out"
    assert client.pull(target, outdir=str(out)) == [str(out / name) for name in FILES]
    assert spy.calls
    assert contents(out) == contents(work)


def test_get_container_receives_the_target(spied, target):
    client, spy = spied("get_container")
    client.push(target, files=["small.txt"], quiet=True)
    assert spy.arguments[0] == {"name": target}


@pytest.mark.parametrize("name", ["upload_blob", "put_upload", "chunked_upload"])
def test_upload_blob_receives_path_container_and_layer(spied, name, target):
    client, spy = spied(name)
    chunking = {"do_chunked": name == "chunked_upload", "chunk_size": 1_000_000}
    client.push(target, files=FILES, quiet=True, **chunking)
    calls = spy.arguments
    layers = Registry(insecure=True).get_manifest(target)["layers"]
    assert [call["blob"] for call in calls[:2]] == ["small.txt", "large.bin"]
    assert calls[2]["blob"].endswith(".tar.gz")
    for call, layer in zip(calls, layers, strict=False):
        assert isinstance(call["container"], Container)
        assert call["container"].uri == target
        assert call["layer"] == layer
    if name == "upload_blob":
        assert [call.get("do_chunked") for call in calls] == [False, False, False, None]
    if name == "chunked_upload":
        assert {call["chunk_size"] for call in calls} == {1_000_000}


def test_blob_exists_receives_layer_and_container(spied, target):
    client, spy = spied("blob_exists")
    client.push(target, files=["small.txt"], quiet=True)
    layer, config = spy.arguments
    assert layer["layer"]["size"] == len("small")
    assert config["layer"]["mediaType"] == oras.defaults.unknown_config_media_type
    assert layer["container"].uri == target


def test_upload_manifest_is_called_last_with_a_dictionary(spied, target):
    client, spy = spied("upload_manifest")
    client.push(target, files=FILES, quiet=True, manifest_annotations={"a": "b"})
    (call,) = spy.arguments
    assert list(call["manifest"]) == list(NewManifest())
    assert call["manifest"]["annotations"] == {"a": "b"}
    assert call["manifest"] == Registry(insecure=True).get_manifest(target)
    assert call["container"].uri == target


def test_download_blob_receives_container_digest_and_path(spied, target, tmp_path):
    Registry(insecure=True).push(target, files=FILES, quiet=True)
    layers = Registry(insecure=True).get_manifest(target)["layers"]
    out = tmp_path / "out"
    client, spy = spied("download_blob")
    client.pull(target, outdir=str(out))
    assert [call["digest"] for call in spy.arguments] == [layer["digest"] for layer in layers]
    paths = [call["outfile"] for call in spy.arguments]
    assert paths[:2] == [str(out / "small.txt"), str(out / "large.bin")]
    assert paths[2].endswith(".tar.gz")
    assert not os.path.exists(paths[2])  # the archive was for the time being
    assert {call["container"].uri for call in spy.arguments} == {target}


def test_get_manifest_receives_the_allowed_media_types(spied, target, tmp_path):
    Registry(insecure=True).push(target, files=["small.txt"], quiet=True)
    client, spy = spied("get_manifest")
    types = [oras.defaults.default_manifest_media_type]
    client.pull(target, outdir=str(tmp_path / "out"), allowed_media_type=types)
    (call,) = spy.arguments
    assert call["container"].uri == target
    assert call["allowed_media_type"] == types


def test_every_request_goes_through_do_request(spied, open_registry, target, tmp_path):
    client, spy = spied("do_request")
    with open_registry.recording() as recorded:
        client.push(target, files=FILES, quiet=True)
        client.pull(target, outdir=str(tmp_path / "out"))
        client.get_tags(target)
        client.delete_tag(target, "v1")
    sent = sorted((call.get("method", "GET"), call["url"]) for call in spy.arguments)
    logged = sorted(
        (one.method, f"{open_registry.url}{one.path}" + (f"?{one.query}" if one.query else ""))
        for one in recorded
    )
    assert [method for method, _ in sent] == [method for method, _ in logged]
    assert [url.partition("?")[0] for _, url in sent] == [
        url.partition("?")[0] for _, url in logged
    ]
    for call in spy.arguments:
        assert isinstance(call["headers"], dict)
        assert call["stream"] is True


# --- What is returned ---------------------------------------------------------------------


def test_push_works_with_every_method_patched(target, capsys):
    """Everything is patched on the object; nothing is sent, and nothing is looked into."""
    client = Registry(hostname="registry.example", insecure=True)
    container = client.get_container("registry.example/repository:tag")
    answer = object()
    with (
        mock.patch.object(client, "get_container", return_value=container),
        mock.patch.object(client.auth, "load_configs") as load_configs,
        mock.patch.object(client, "upload_blob", return_value=object()) as upload_blob,
        mock.patch.object(client, "upload_manifest", return_value=answer) as upload_manifest,
        mock.patch.object(client, "_check_200_response") as check,
        mock.patch.object(oras.provider.logger, "info") as info,
    ):
        path = Path("small.txt").resolve()
        assert client.push("x", files=[path], disable_path_validation=True) is answer
    assert capsys.readouterr().out == ""
    info.assert_called_once_with(f"Successfully pushed {container}")
    load_configs.assert_called_once_with(container, configs=None)
    assert upload_blob.call_count == 2
    upload_manifest.assert_called_once()
    assert [call.args[0] for call in check.call_args_list][2] is answer


def test_quiet_push_prints_nothing():
    client = Registry(hostname="registry.example", insecure=True)
    with (
        mock.patch.object(client, "upload_blob"),
        mock.patch.object(client, "upload_manifest"),
        mock.patch.object(client, "_check_200_response"),
        mock.patch.object(oras.provider.logger, "info") as info,
    ):
        client.push("registry.example/repository:tag", files=["small.txt"], quiet=True)
    info.assert_not_called()


def test_push_accepts_any_container_of_a_patched_get_container(target):
    client = Registry(insecure=True)
    container = object()
    with (
        mock.patch.object(client, "get_container", return_value=container),
        mock.patch.object(client.auth, "load_configs"),
        mock.patch.object(client, "upload_blob") as upload_blob,
        mock.patch.object(client, "upload_manifest"),
        mock.patch.object(client, "_check_200_response"),
    ):
        client.push("x", files=["small.txt"], quiet=True)
    assert all(call.args[1] is container for call in upload_blob.call_args_list)


def test_only_check_200_response_inspects_responses(target):
    client = Registry(insecure=True)
    answers = [Opaque(), Opaque(), Opaque()]
    with (
        mock.patch.object(client, "upload_blob", side_effect=answers[:2]),
        mock.patch.object(client, "upload_manifest", return_value=answers[2]),
        mock.patch.object(client, "_check_200_response") as check,
    ):
        assert client.push(target, files=["small.txt"], quiet=True) is answers[2]
    assert [call.args for call in check.call_args_list] == [(answer,) for answer in answers]


def test_what_put_upload_returns_is_what_upload_blob_returns(target):
    client, answer = Registry(insecure=True), Opaque()
    layer = oras.oci.NewLayer("small.txt")
    with mock.patch.object(client, "put_upload", return_value=answer):
        assert client.upload_blob("small.txt", target, layer) is answer


def test_blob_is_not_uploaded_if_blob_exists_returns_true(target):
    client = Registry(insecure=True)
    with (
        mock.patch.object(client, "blob_exists", return_value=True),
        mock.patch.object(client, "put_upload") as put_upload,
        mock.patch.object(client, "upload_manifest", return_value=Opaque(status_code=201)),
    ):
        client.push(target, files=["small.txt"], quiet=True)
    put_upload.assert_not_called()


def test_upload_blob_can_change_its_layer(target):
    class Mine(Registry):
        def upload_blob(self, blob, container, layer, *args, **kwargs):
            layer["mediaType"] = "application/vnd.mine"
            return super().upload_blob(blob, container, layer, *args, **kwargs)

    client = Mine(insecure=True)
    client.push(target, files=["small.txt"], quiet=True)
    (layer,) = client.get_manifest(target)["layers"]
    assert layer["mediaType"] == "application/vnd.mine"


def test_pull_accepts_any_manifest_dictionary_and_does_not_check_the_written_files(tmp_path):
    digest = "sha256:" + 64 * "0"
    layer = {"mediaType": "a/b", "digest": digest, "size": 1}
    title = {"annotations": {oras.defaults.annotation_title: "sub/name"}}
    client = Registry(insecure=True)
    out = tmp_path / "out"
    with (
        mock.patch.object(client, "get_manifest", return_value={"layers": [{**layer, **title}]}),
        mock.patch.object(client, "download_blob", return_value=None) as download_blob,
    ):
        paths = client.pull("registry.example/a/b:v1", outdir=str(out))
    assert paths == [str(out / "sub" / "name")]
    container, *rest = download_blob.call_args.args
    assert (container.uri, rest) == ("registry.example/a/b:v1", [digest, paths[0]])


@pytest.mark.parametrize("name", ["get_manifest", "download_blob", "do_request"])
def test_pull_selects_the_platform_of_an_index(spied, name, target, tmp_path):
    writer = Registry(insecure=True)
    entries = []
    for architecture in ("amd64", "arm64"):
        Path("small.txt").write_text(architecture)
        writer.push(f"{target}-{architecture}", files=["small.txt"], quiet=True)
        manifest = writer.get_manifest(f"{target}-{architecture}")
        platform = {"os": "linux", "architecture": architecture}
        entries.append({**vars(oras.oci.Subject.from_manifest(manifest)), "platform": platform})
    media_type = oras.defaults.default_index_media_type
    index = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
    writer.upload_manifest(index, target)

    client, spy = spied(name)
    (path,) = client.pull(target, outdir=str(tmp_path / "out"), platform="linux/arm64")
    assert Path(path).read_text() == "arm64"
    assert spy.calls
    with pytest.raises(UnsupportedError, match="choose a platform"):
        client.pull(target, outdir=str(tmp_path / "out"))


# --- Requests and sessions ----------------------------------------------------------------


def test_overridden_do_request_authenticates(token_registry, repository_name, work, tmp_path):
    target = f"{token_registry.address}/{repository_name}:v1"

    class Mine(Registry):
        def do_request(self, url, method="GET", data=None, headers=None, json=None, stream=False):
            return super().do_request(url, method, data, {**headers, "X-Mine": "1"}, json, stream)

    client = Mine(insecure=True)
    client.login(
        username=token_registry.username,
        password=token_registry.password,
        hostname=token_registry.address,
    )
    client.push(target, files=FILES, quiet=True)
    client.pull(target, outdir=str(tmp_path / "out"))
    assert contents(tmp_path / "out") == contents(work)


def test_overridden_do_request_need_not_call_the_original(target, work, tmp_path):
    session = StubSession()

    class Mine(Registry):
        def do_request(self, url, method="GET", data=None, headers=None, json=None, stream=False):
            return session.request(method, url, data=data, headers=headers)

    client = Mine(insecure=True)
    client.set_header("X-Mine", "1")
    client.push(target, files=FILES, quiet=True)
    client.pull(target, outdir=str(tmp_path / "out"))
    assert contents(tmp_path / "out") == contents(work)
    assert {call.arguments["headers"].get("X-Mine") for call in session.calls} == {"1"}


def test_overridden_do_request_is_retried_as_often(monkeypatch, tmp_path):
    (tmp_path / "twice.toml").write_text("[network]\nattempts = 2\n")
    monkeypatch.setenv("ORAS_CONFIG", str(tmp_path / "twice.toml"))

    class Mine(Registry):
        def do_request(self, *args, **kwargs):
            return super().do_request(*args, **kwargs)

    with (
        serving(lambda _: Reply(503, {"Retry-After": "0"})) as (address, received),
        pytest.raises(ValueError, match="Service Unavailable"),
    ):
        Mine(insecure=True).get_tags(f"{address}/a/b")
    assert len(received) == 2


def test_large_upload_through_do_request_has_a_content_length():
    embedded = EmbeddedRegistry()

    class Mine(Registry):
        def do_request(self, *args, **kwargs):
            return super().do_request(*args, **kwargs)

    with RegistryServer(embedded) as server:
        Mine(insecure=True).push(f"{server.address}/a/b:v1", files=["large.bin"], quiet=True)
    lengths = [request.headers.get("Content-Length") for request in embedded.requests]
    assert str(LARGE) in lengths  # not sent in chunks without a total length


class BlockedError(Exception):
    """An error of the program's own."""


@pytest.mark.parametrize("act", ["push", "pull", "get_tags", "get_manifest"])
def test_error_of_an_overridden_do_request_is_not_translated(act, tmp_path, monkeypatch):
    calls = []

    class Mine(Registry):
        def do_request(self, *args, **kwargs):
            calls.append(args)
            raise BlockedError

    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    arguments = {"files": ["small.txt"]} if act == "push" else {}
    with pytest.raises(BlockedError) as caught:
        getattr(Mine(insecure=True), act)("registry.example/a/b:v1", **arguments)
    assert caught.value.__cause__ is None
    assert calls
    assert os.listdir(tmp_path / "tmp") == []


def test_insecure_applies_to_an_overridden_do_request():
    class Mine(Registry):
        def do_request(self, url, *args, **kwargs):
            raise BlockedError(url)

    with pytest.raises(BlockedError, match=r"^http://registry\.example/"):
        Mine(insecure=True).get_tags("registry.example/a/b")
    with pytest.raises(BlockedError, match=r"^https://registry\.example/"):
        Mine().get_tags("registry.example/a/b")


def requests_session():
    return require_module("requests").Session()


@pytest.mark.parametrize("make", [StubSession, requests_session], ids=["stub", "requests"])
@pytest.mark.parametrize("registry", ["open", "htpasswd", "token"])
def test_assigned_session_sends_every_request(
    make, registry, request, repository_name, work, tmp_path
):
    server = request.getfixturevalue(f"{registry}_registry")
    target = f"{server.address}/{repository_name}:v1"
    client, session = Registry(insecure=True), make()
    client.session = session
    with mock.patch.object(session, "request", wraps=session.request) as sent:
        if server.username:
            client.auth.set_basic_auth(server.username, server.password)
        client.push(target, files=FILES, quiet=True)
        client.pull(target, outdir=str(tmp_path / "out"))
    assert contents(tmp_path / "out") == contents(work)
    with server.recording() as recorded:
        client.get_tags(target)
    assert all(call.kwargs["allow_redirects"] is False for call in sent.call_args_list)
    assert len(sent.call_args_list) > len(FILES)
    assert recorded


def test_assigned_session_need_not_be_hashable_or_stream(target, work, tmp_path):
    class Plain(StubSession):
        __hash__ = None

        def __eq__(self, other):
            return True

        def request(self, method, url, **arguments):
            response = super().request(method, url, **arguments)
            content = b"".join(response.iter_content(1 << 20))
            response.close()
            return Opaque(
                status_code=response.status_code, headers=response.headers, content=content
            )

    client = Registry(insecure=True)
    client.session = Plain()
    client.push(target, files=FILES, quiet=True)
    client.session = other = Plain()
    client.pull(target, outdir=str(tmp_path / "out"))
    assert other.calls
    assert contents(tmp_path / "out") == contents(work)


# --- Credentials --------------------------------------------------------------------------


@pytest.mark.parametrize("manner", ["instance", "class"])
def test_load_configs_receives_the_container_and_the_files(manner, target, tmp_path):
    config = tmp_path / "other.json"
    config.write_text("{}")
    client = Registry(insecure=True)
    where = client.auth if manner == "instance" else type(client.auth)
    with mock.patch.object(where, "load_configs") as load_configs:
        client.push(target, files=["small.txt"], quiet=True, config_path=str(config))
        client.pull(target, outdir=str(tmp_path / "out"), config_path=str(config))
    assert len(load_configs.call_args_list) >= 2
    for call in load_configs.call_args_list:
        assert call.args[0].uri == target
    given = [call.kwargs.get("configs") for call in load_configs.call_args_list]
    assert given[0] == [str(config)]
    assert given.count([str(config)]) == 2


def test_custom_backend_is_called(htpasswd_registry, repository_name):
    target = f"{htpasswd_registry.address}/{repository_name}:v1"

    class Mine(Registry):
        def get_container(self, name):
            container = super().get_container(name)
            self.auth.set_basic_auth(htpasswd_registry.username, htpasswd_registry.password)
            return container

    Mine(insecure=True).push(target, files=["small.txt"], quiet=True)
    with pytest.raises(AuthenticationError):
        Registry(insecure=True).push(target, files=["small.txt"], quiet=True)


# --- The engine ---------------------------------------------------------------------------


class Meeting(HttpTransport):
    """A registry that notes how many uploads are under way at once.

    As long as none has met another, an upload waits for one.
    """

    def __init__(self, registry):
        self._registry = registry
        self._lock = threading.Lock()
        self._met = threading.Event()
        self._running = 0
        self.most = 0

    def send(self, request):
        if request.method not in ("PUT", "POST", "PATCH"):
            return self._registry.send(request)
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
            if self._running > 1:
                self._met.set()
        self._met.wait(PATIENCE)
        try:
            return self._registry.send(request)
        finally:
            with self._lock:
                self._running -= 1


def test_uploads_run_concurrently_without_overridden_methods():
    meeting = Meeting(EmbeddedRegistry())
    with RegistryServer(meeting) as server:
        client = Registry(insecure=True)
        client.push(f"{server.address}/a/b:v1", files=FILES, quiet=True)
    assert meeting.most > 1


@pytest.mark.parametrize("name", [*PUSHED, *UPLOADING, *PULLED, "do_request"])
def test_overridden_methods_run_in_the_caller_s_thread(spied, name, target, tmp_path):
    client, spy = spied(name)
    client.push(target, files=FILES, quiet=True)
    client.pull(target, outdir=str(tmp_path / "out"))
    assert spy.threads == {threading.current_thread()}


def test_assigned_session_is_used_in_the_caller_s_thread(target, tmp_path):
    threads = set()

    class Session(StubSession):
        def request(self, *args, **kwargs):
            threads.add(threading.current_thread())
            return super().request(*args, **kwargs)

    client = Registry(insecure=True)
    client.session = Session()
    client.push(target, files=FILES, quiet=True)
    client.pull(target, outdir=str(tmp_path / "out"))
    assert threads == {threading.current_thread()}


def test_overridden_methods_cause_no_more_requests_than_oras_py(open_registry, repository_name):
    target = f"{open_registry.address}/{repository_name}:v1"
    with open_registry.recording() as recorded:
        Registry(insecure=True).push(target, files=FILES, quiet=True)
    # There it is HEAD, POST and PUT for each file and the config, and PUT for the manifest.
    assert len(recorded) <= 3 * (len(FILES) + 1) + 1
