"""Transfers that are cancelled, by a token or by Ctrl-C, at a real registry that falls silent."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

import oras.client
from oras_adapters.factory import compose
from oras_adapters.files.local_files import scratch_directory
from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_core.cancellation import CancelToken
from oras_core.content.sources import BytesSource
from oras_core.copying.options import CopyOptions
from oras_core.errors import CancelledError, TransportError
from oras_core.ports.progress import ProgressListener
from oras_core.registry.blobs.session import RESPITE_SECONDS
from oras_core.verbs.push import File, push
from support.docker_registry import DockerRegistry
from support.stalling_proxy import StallingProxy
from support.victims import start, tidy_tree

MIB = 1024 * 1024
SIZE = 40 * MIB
LONG = 30.0
PROMPT = 2.0
"""Seconds within which what is cancelled has ended, on a busy machine; on an idle one, one."""


@pytest.fixture(params=[1, 3], ids=["alone", "several"])
def files(request, tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    paths = [folder / f"{number}.bin" for number in range(request.param)]
    for path in paths:
        path.write_bytes(random.Random(path.name).randbytes(SIZE))
    return paths


@pytest.fixture
def client():
    client = oras.client.OrasClient(insecure=True)
    yield client
    client.connections.close()


def pushed(client, target, files):
    client.push(target, files=[str(path) for path in files], disable_path_validation=True)


def wait_until_all_stand_still(proxy, count):
    for _ in range(count):
        assert proxy.stalled.acquire(timeout=LONG)
    time.sleep(0.2)  # what is under way fills the buffers; if it does not, it ends all the same


@contextmanager
def cancelled_when_silent(proxy, count):
    """Cancel what the block does when so many connections stand still, and see it end."""
    token, moment = CancelToken(), []

    def cancel():
        wait_until_all_stand_still(proxy, count)
        moment.append(time.monotonic())
        token.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    with token.scope(), pytest.raises(CancelledError):
        yield
    ended = time.monotonic()
    thread.join()
    assert ended - moment[0] < PROMPT


def kinds(requests):
    return Counter((request.method, request.status) for request in requests)


def deleted_uploads(requests):
    return {request.path for request in requests if request.method == "DELETE"}


def assert_nothing_is_named(folder, partial):
    names = [path.name for path in folder.iterdir()]
    assert len(names) == partial
    assert all(name.startswith(".") and name.endswith(".oras-partial") for name in names)


def test_stalled_push_is_cancelled(open_registry: DockerRegistry, repository_name, client, files):
    with (
        StallingProxy(open_registry.address, up=2 * MIB) as proxy,
        open_registry.recording() as requests,
        cancelled_when_silent(proxy, len(files)),
    ):
        pushed(client, f"{proxy.address}/{repository_name}:v1", files)
    # The client cancels every upload that it has begun and not completed. (The registry keeps the
    # files of uploads with a broken request, and answers 404 for them.)
    assert len(deleted_uploads(requests)) >= len(files)
    assert not any("manifests" in request.path for request in requests if request.method == "PUT")
    pushed(client, f"{open_registry.address}/{repository_name}:v1", files)


def test_stalled_pull_is_cancelled(
    open_registry: DockerRegistry, repository_name, client, files, tmp_path
):
    pushed(client, f"{open_registry.address}/{repository_name}:v1", files)
    out = tmp_path / "out"
    with (
        StallingProxy(open_registry.address, down=MIB) as proxy,
        cancelled_when_silent(proxy, len(files)),
    ):
        client.pull(f"{proxy.address}/{repository_name}:v1", outdir=str(out))
    assert_nothing_is_named(out, partial=len(files))
    client.pull(f"{open_registry.address}/{repository_name}:v1", outdir=str(out))
    assert tidy_tree(out) == {path.name: path.read_bytes() for path in files}
    assert len(list(out.iterdir())) == len(files)


@pytest.mark.parametrize("action", ["push", "pull"])
def test_interrupt_cancels_a_transfer(
    open_registry: DockerRegistry, repository_name, client, files, tmp_path, action
):
    out, home = tmp_path / "out", tmp_path / "home"
    out.mkdir()
    home.mkdir()
    names = [path.name for path in files]
    if action == "pull":
        pushed(client, f"{open_registry.address}/{repository_name}:v1", files)
    limits = {"up": 2 * MIB} if action == "push" else {"down": MIB}
    with (
        StallingProxy(open_registry.address, **limits) as proxy,
        open_registry.recording() as requests,
    ):
        target = f"{proxy.address}/{repository_name}:v1"
        if action == "push":
            process = start(files[0].parent, home, "push", target, *names)
        else:
            process = start(out, home, "pull", target)
        wait_until_all_stand_still(proxy, len(files))
        moment = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=LONG)
        assert time.monotonic() - moment < PROMPT
    assert process.returncode != 0
    assert said.splitlines()[-1] == "KeyboardInterrupt"
    assert [path.name for path in home.iterdir()] == ["settings.toml"]
    if action == "push":
        assert len(deleted_uploads(requests)) >= len(files)
        assert [path.name for path in sorted(files[0].parent.iterdir())] == names
    else:
        assert_nothing_is_named(out, partial=len(files))


class CancellingListener(ProgressListener):
    """Cancels when so many contents have arrived."""

    def __init__(self, token, count):
        self._token = token
        self._left = threading.Semaphore(count)

    def finished(self, descriptor):
        if not self._left.acquire(blocking=False):
            self._token.cancel()


class UploadTracer(Urllib3Transport):
    """Notes which uploads the client knows, which it ended, and how long it waits for a POST.

    Attributes:
        known: paths of the uploads that an answered POST has begun.
        ended: paths of the uploads that a PUT completed or a DELETE cancelled.
        unanswered: for each POST without an answer, the seconds from the cancellation to its end.
    """

    def __init__(self, token):
        super().__init__()
        self.known, self.ended, self.unanswered = set(), set(), []
        self._moments = []
        token.on_cancel(lambda: self._moments.append(time.monotonic()))

    def send(self, request):
        path = urlsplit(request.url).path
        if request.method == "DELETE":
            self.ended.add(path)
        try:
            response = super().send(request)
        except TransportError:
            if request.method == "POST":
                self.unanswered.append(time.monotonic() - self._moments[0])
            raise
        if (request.method, response.status) == ("POST", 202):
            self.known.add(urlsplit(response.headers["Location"]).path)
        if (request.method, response.status) == ("PUT", 201):
            self.ended.add(path)
        return response


def test_cancelled_push_of_many_small_files_leaves_no_upload_session(
    open_registry: DockerRegistry, repository_name
):
    contents = [
        File(f"{number}.bin", BytesSource(random.Random(number).randbytes(2_000)))
        for number in range(300)
    ]
    token = CancelToken()
    options = CopyOptions(concurrency=16, listener=CancellingListener(token, 50))
    with (
        open_registry.recording() as requests,
        UploadTracer(token) as transport,
        compose(transport=transport) as composition,
        scratch_directory() as scratch,
        token.scope(),
    ):
        repository = composition.repository(f"{open_registry.address}/{repository_name}")
        with pytest.raises(CancelledError):
            push(repository, "v1", contents, scratch=scratch, options=options)
    seen = kinds(requests)
    assert 0 < seen["PUT", 201] < 300
    assert transport.known <= transport.ended
    # Only a registry that takes longer than the respite keeps an upload that no client knows.
    assert all(seconds >= RESPITE_SECONDS for seconds in transport.unanswered)
    unknown = len(transport.unanswered)
    denied = seen["DELETE", 404]  # where a PUT took longer than the respite
    assert seen["POST", 202] <= seen["PUT", 201] + seen["DELETE", 204] + denied + unknown
    uploads = open_registry.storage / f"docker/registry/v2/repositories/{repository_name}/_uploads"
    assert len(list(uploads.glob("*/data"))) <= denied + unknown
