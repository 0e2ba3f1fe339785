"""Several at once: processes on one folder, threads on one repository, a registry that restarts."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import oras.client
from oras_adapters.registry_server import RegistryServer
from oras_core.errors import AuthenticationError, RegistryError
from oras_core.model.digest import Digest
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.access_log import listening_port
from support.docker_registry import RegistryConfig
from support.hostile_registry import Answer, HostileRegistry, Login, Rule, Shelf
from support.programs import require_program
from support.scripted_server import ScriptedServer
from support.tar_archives import directory, member, tgz
from support.threat_cases import Artifact, Layer
from support.victims import start, tidy_tree


def contents(seed):
    """Return the files of an artifact, and the artifact."""
    chance = random.Random(seed)
    files = {f"{n}.bin": chance.randbytes(50_000) for n in range(6)}
    inside = {f"bundle/{n}.bin": chance.randbytes(20_000) for n in range(6)}
    bundle = tgz(directory("bundle"), *(member(name, data) for name, data in inside.items()))
    layers = [Layer(name, data) for name, data in files.items()]
    return {**files, **inside}, Artifact([*layers, Layer("bundle", bundle, folder=True)])


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.mark.parametrize("kinds", ["one artifact", "two artifacts"])
def test_processes_pull_into_one_folder(tmp_path, home, kinds):
    out = tmp_path / "out"
    out.mkdir()
    versions = []
    shelves = []
    for seed in (1, 2 if kinds == "two artifacts" else 1):
        files, artifact = contents(seed)
        shelf = Shelf()
        artifact.put_on(shelf)
        versions.append(files)
        shelves.append(shelf)
    with HostileRegistry(shelf=shelves[0]) as one, HostileRegistry(shelf=shelves[1]) as two:
        running = [
            start(out, home, "pull", f"{server.address}/app:v1") for server in (one, two, one, two)
        ]
        for process in running:
            _, said = process.communicate(timeout=60)
            assert process.returncode == 0, said
    found = tidy_tree(out)
    assert found.keys() == versions[0].keys()
    assert all(content in (v[name] for v in versions) for name, content in found.items())
    assert not list(out.rglob("*.oras-partial"))


def test_processes_resume_one_partial_file(tmp_path, home):
    """One of them does, if any; the others fetch the whole, and nothing is left of either."""
    out = tmp_path / "out"
    out.mkdir()
    large = random.Random(6).randbytes(3_000_000)
    digest = Digest.of(large)
    (out / f".sha256-{digest.encoded}.oras-partial").write_bytes(large[:1_000_000])
    shelf = Shelf()
    Artifact([Layer("large.bin", large)]).put_on(shelf)
    with HostileRegistry(shelf=shelf) as server:
        running = [start(out, home, "pull", f"{server.address}/app:v1") for _ in range(4)]
        for process in running:
            _, said = process.communicate(timeout=60)
            assert process.returncode == 0, said
        asked = [
            request.headers.get("range")
            for request in server.received
            if request.line == f"GET /v2/app/blobs/{digest}"
        ]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {"large.bin": large}
    assert asked.count("bytes=1000000-2999999") == 1


def test_threads_push_to_one_repository(tmp_path, home, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    monkeypatch.chdir(source)
    shared = random.Random(3).randbytes(200_000)
    (source / "shared.bin").write_bytes(shared)
    for number in range(8):
        (source / f"{number}.bin").write_bytes(random.Random(number).randbytes(100_000))
    client = oras.client.OrasClient(insecure=True)
    with RegistryServer(EmbeddedRegistry()) as server:

        def push(number):
            tag = f"{server.address}/app:v{number}"
            client.push(tag, files=["shared.bin", f"{number}.bin"], quiet=True)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(push, range(8)))
        assert sorted(client.get_tags(f"{server.address}/app")) == [f"v{n}" for n in range(8)]
        for number in range(8):
            out = tmp_path / f"out-{number}"
            client.pull(f"{server.address}/app:v{number}", outdir=str(out))
            assert tidy_tree(out) == {
                "shared.bin": shared,
                f"{number}.bin": (source / f"{number}.bin").read_bytes(),
            }
        client.connections.close()


def test_threads_pull_with_one_client(tmp_path, home):
    files, artifact = contents(4)
    shelf = Shelf()
    artifact.put_on(shelf)
    client = oras.client.OrasClient(insecure=True)
    with HostileRegistry(shelf=shelf) as server:

        def pull(number):
            out = tmp_path / f"out-{number}"
            client.pull(f"{server.address}/app:v1", outdir=str(out))
            return tidy_tree(out)

        with ThreadPoolExecutor(6) as pool:
            assert all(found == files for found in pool.map(pull, range(6)))
        client.connections.close()


def test_refused_password_is_not_sent_by_the_next_pull(tmp_path, home, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    with HostileRegistry(login=Login("basic", password="right")) as server:
        wrong = base64.b64encode(b"alice:wrong").decode()
        config = {"auths": {server.address: {"auth": wrong}}}
        (home / "config.json").write_text(json.dumps(config))
        client = oras.client.OrasClient(insecure=True)

        def pull(_):
            with pytest.raises(AuthenticationError):
                client.pull(f"{server.address}/app:v1", outdir=str(tmp_path / "out"))

        pull(0)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(pull, range(4)))
        client.connections.close()
        shown = [r for r in server.received if "authorization" in r.headers]
    assert len(shown) == 1


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_push_refused_by_the_token_server_does_not_affect_pulls(
    tmp_path, home, monkeypatch, status
):
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    refusal = Rule(r"/token\?.*push", (Answer(status),))
    shelf = Shelf()
    Artifact([Layer("b.txt", b"b")]).put_on(shelf)
    login = Login("bearer", password="right")
    with HostileRegistry(refusal, shelf=shelf, login=login) as server:
        auth = base64.b64encode(b"alice:right").decode()
        (home / "config.json").write_text(json.dumps({"auths": {server.address: {"auth": auth}}}))
        client = oras.client.OrasClient(insecure=True)
        (tmp_path / "a.txt").write_text("a")
        for _ in range(2):
            with pytest.raises(RegistryError):
                client.push(
                    f"{server.address}/app:v2",
                    files=[str(tmp_path / "a.txt")],
                    disable_path_validation=True,
                )
            assert client.pull(f"{server.address}/app:v1", outdir=str(tmp_path / "out"))
        client.connections.close()


class RestartableRegistry:
    """A docker-registry that can be killed, and started again with all that it has stored."""

    def __init__(self, folder):
        self._program = require_program("docker-registry")
        self.storage = folder / "storage"
        self._configuration = folder / "config.yml"
        document = RegistryConfig(folder).document(self.storage)
        self._configuration.write_text(json.dumps(document))
        self._log = folder / "log"
        self.address = ""

    def start(self):
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, "serve", str(self._configuration)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        end = time.monotonic() + 15
        while (port := listening_port(self._log.read_bytes().splitlines(keepends=True))) is None:
            assert time.monotonic() < end
            time.sleep(0.005)
        self.address = f"127.0.0.1:{port}"

    def kill(self):
        self._process.kill()
        self._process.wait()

    def wait_for_upload(self, size):
        """Wait until so many bytes of an upload have been stored."""
        end = time.monotonic() + 15
        while sum(path.stat().st_size for path in self.storage.rglob("data")) < size:
            assert time.monotonic() < end
            time.sleep(0.001)


def test_upload_survives_a_registry_restart(tmp_path, home, monkeypatch):
    monkeypatch.chdir(tmp_path)
    large = random.Random(5).randbytes(1_000_000) * 64
    (tmp_path / "large.bin").write_bytes(large)
    registry = RestartableRegistry(tmp_path)
    client = oras.client.OrasClient(insecure=True)
    registry.start()
    # The address stays the same, as that of a service does.
    with ScriptedServer(lambda connection: connection.relay_to(registry.address)) as service:
        try:
            with ThreadPoolExecutor(1) as pool:
                push = pool.submit(client.push, f"{service.address}/app:v1", files=["large.bin"])
                registry.wait_for_upload(1_000_000)
                registry.kill()
                broke_off = not push.done()
                registry.start()
                push.result(timeout=60)
            assert broke_off, "the upload was over before the registry was killed"
            client.pull(f"{service.address}/app:v1", outdir=str(tmp_path / "out"))
        finally:
            client.connections.close()
            registry.kill()
    assert tidy_tree(tmp_path / "out") == {"large.bin": large}
