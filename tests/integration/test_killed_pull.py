"""A repeated pull resumes the killed one: bytes are counted at the registry."""

from __future__ import annotations

import random
import signal
import threading
import time

import pytest

import oras.client
from support.counting_proxy import CountingProxy
from support.docker_registry import DockerRegistry
from support.victims import start

MIB = 1024 * 1024
SIZE = 48 * MIB
SLACK = 64 * 1024
"""Bytes of headers, manifests and chunk framing."""


@pytest.fixture
def pushed(open_registry: DockerRegistry, repository_name, tmp_path):
    content = random.Random(repository_name).randbytes(SIZE)
    file = tmp_path / "big.bin"
    file.write_bytes(content)
    client = oras.client.OrasClient()
    client.push(
        f"{open_registry.address}/{repository_name}:v1",
        files=[str(file)],
        disable_path_validation=True,
    )
    client.connections.close()
    return f"{repository_name}:v1", content


def kept_in(folder):
    return [path for path in folder.iterdir() if path.name.endswith(".oras-partial")]


def wait_for(folder, size):
    """Wait until so much has been written: what was sent may still be on its way."""
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size >= size for path in kept_in(folder)):
        assert time.monotonic() < deadline
        time.sleep(0.003)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda s: s.name)
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_resumed_pull_does_not_download_received_bytes_again(
    open_registry: DockerRegistry, pushed, tmp_path, number, share
):
    name, content = pushed
    out, home = tmp_path / "out", tmp_path / "home"
    out.mkdir()
    home.mkdir()
    reached = threading.Event()
    with CountingProxy(open_registry.address) as proxy:
        proxy.hold_at(int(SIZE * share), reached.set)
        process = start(out, home, "pull", f"{proxy.address}/{name}")
        assert reached.wait(30)
        wait_for(out, int(SIZE * share) - 2 * MIB)
        process.send_signal(number)
        proxy.let_go()
        process.communicate(timeout=30)
        assert process.returncode != 0
        (partial,) = kept_in(out)
        kept = partial.stat().st_size
        assert int(SIZE * share) - 2 * MIB <= kept < SIZE
        assert content.startswith(partial.read_bytes())

        with proxy.counting() as count, open_registry.recording() as requests:
            client = oras.client.OrasClient(insecure=True)
            (path,) = client.pull(f"{proxy.address}/{name}", outdir=str(out))
            client.connections.close()
    assert path == str(out / "big.bin")
    assert (out / "big.bin").read_bytes() == content
    assert kept_in(out) == []
    assert SIZE - kept <= count.down <= SIZE - kept + SLACK
    assert sorted(request.status for request in requests) == [200, 206]


def test_changed_partial_file_is_downloaded_again(open_registry: DockerRegistry, pushed, tmp_path):
    name, content = pushed
    out, home = tmp_path / "out", tmp_path / "home"
    out.mkdir()
    home.mkdir()
    reached = threading.Event()
    with CountingProxy(open_registry.address) as proxy:
        proxy.hold_at(SIZE // 2, reached.set)
        process = start(out, home, "pull", f"{proxy.address}/{name}")
        assert reached.wait(30)
        wait_for(out, SIZE // 2 - 2 * MIB)
        process.kill()
        proxy.let_go()
        process.communicate(timeout=30)
    (partial,) = kept_in(out)
    with partial.open("r+b") as file:
        file.write(b"not what it was")
    client = oras.client.OrasClient()
    client.pull(f"{open_registry.address}/{name}", outdir=str(out))
    client.connections.close()
    assert (out / "big.bin").read_bytes() == content
    assert kept_in(out) == []
