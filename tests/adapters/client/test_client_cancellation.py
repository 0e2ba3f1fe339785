"""Whatever a verb waits for, it ends within a second of a cancellation, and tidies up.

Each verb is cancelled while the registry is silent: the blocking client by a token and by Ctrl-C,
the client for asyncio by the cancellation of its task.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import random
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest
from attrs import frozen

from oras_adapters import AsyncClient, Client, RegistryServer, Settings
from oras_core import CancelToken
from oras_core.errors import CancelledError, TransportError
from oras_core.testing import EmbeddedRegistry
from support.clients import VERBS, engine_threads
from support.interrupts import interrupt_main_thread, interruptible, wait_until_main_thread_sleeps
from support.stalling_proxy import StallingProxy

MIB = 1024 * 1024
LONG = 30.0
PROMPT = 2.0
"""Seconds within which a verb ends on a busy machine; on an idle one, one."""

WAITING = VERBS - {"close", "logout"}
"""Those that wait for a registry."""


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A large file, and a layout with it."""
    folder = tmp_path_factory.mktemp("material")
    (folder / "large.bin").write_bytes(random.Random(1).randbytes(24 * MIB))
    with Client(Settings()) as client:
        client.push(f"oci:{folder}/layout:v1", folder / "large.bin")
    return folder


@pytest.fixture(scope="module")
def registry(material):
    with RegistryServer(EmbeddedRegistry()) as server, Client(Settings()) as client:
        whole = f"{server.address}/team/model"
        client.push(f"{whole}:v1", material / "large.bin")
        client.index(f"{whole}:all", "v1")
        client.tag(f"{whole}:v1", "spare")
        yield server.address


@frozen
class Call:
    """A verb with its arguments."""

    verb: str
    arguments: tuple
    options: dict

    def blocking(self, client):
        result = getattr(client, self.verb)(*self.arguments, **self.options)
        if inspect.isgenerator(result):
            list(result)
        elif self.verb == "open":
            with closing(result):
                result.read()

    async def awaited(self, client):
        result = getattr(client, self.verb)(*self.arguments, **self.options)
        if inspect.isasyncgen(result):
            async for _ in result:
                pass
        elif self.verb == "open":
            async with result as stream:
                await stream.read()
        else:
            await result


def calls(address, material, out):
    """Return a call of each verb that waits for the registry at `address`."""
    whole, file = f"{address}/team/model", material / "large.bin"
    place = f"{whole}:v1"

    def call(verb, *arguments, **options):
        return Call(verb, arguments, options)

    listed = [
        call("attach", place, file, artifact_type="text/plain"),
        call("backup", whole, out / "backup"),
        call("config", place),
        call("copy", place, f"oci:{out}/copy"),
        call("delete", f"{whole}:spare"),
        call("exists", place),
        call("index", f"{whole}:new", "v1"),
        call("login", address, "alice", "secret"),
        call("manifest", place),
        call("mirror", whole, f"oci:{out}/mirror"),
        call("open", place),
        call("pull", place, out / "pulled"),
        call("push", f"{address}/team/new:v1", file),
        call("read", place),
        call("referrers", place),
        call("repositories", address),
        call("resolve", place),
        call("restore", material / "layout", f"{address}/team/restored"),
        call("tag", place, "v2"),
        call("tags", whole),
        call("untag", f"{whole}:spare"),
        call("update_index", f"{whole}:all", add="v1"),
    ]
    return {one.verb: one for one in listed}


DOWNLOADS = ["backup", "copy", "mirror", "open", "pull", "read"]
UPLOADS = ["attach", "push", "restore"]


def test_every_verb_is_cancelled_here(material, tmp_path):
    assert set(calls("localhost:1", material, tmp_path)) == WAITING


@contextmanager
def acting_when_silent(proxy, act):
    """Call `act` once the registry has fallen silent; the block ends soon after."""
    moment = []

    def watch():
        assert proxy.stalled.acquire(timeout=LONG)
        wait_until_main_thread_sleeps()
        moment.append(time.monotonic())
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    ended = time.monotonic()
    thread.join()
    assert ended - moment[0] < PROMPT


def cancelled_by_token(call, proxy):
    token = CancelToken()
    with (
        Client(Settings()) as client,
        acting_when_silent(proxy, token.cancel),
        token.scope(),
        pytest.raises(CancelledError),
    ):
        call.blocking(client)


@contextmanager
def without_finalizers():
    """Let no finalizer of the garbage collector run, which would swallow an interrupt."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def interrupted(call, proxy):
    with (
        interruptible(),
        without_finalizers(),
        Client(Settings()) as client,
        acting_when_silent(proxy, interrupt_main_thread),
        pytest.raises(KeyboardInterrupt),
    ):
        call.blocking(client)


def cancelled_task(call, proxy):
    async def main():
        async with AsyncClient(Settings()) as client:
            task = asyncio.create_task(call.awaited(client))
            loop = asyncio.get_running_loop()
            with (
                acting_when_silent(proxy, lambda: loop.call_soon_threadsafe(task.cancel)),
                pytest.raises(asyncio.CancelledError),
            ):
                await task

    asyncio.run(main())
    assert engine_threads() == []


WAYS = [cancelled_by_token, interrupted, cancelled_task]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", sorted(WAITING))
def test_a_verb_that_waits_for_an_answer_ends(registry, material, tmp_path, verb, way):
    with StallingProxy(registry, down=0) as proxy:
        way(calls(proxy.address, material, tmp_path)[verb], proxy)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", DOWNLOADS)
def test_a_verb_that_waits_for_bytes_ends_and_names_nothing(
    registry, material, tmp_path, verb, way
):
    with StallingProxy(registry, down=MIB) as proxy:
        way(calls(proxy.address, material, tmp_path)[verb], proxy)
    large = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > MIB]
    assert [path for path in large if not path.name.endswith(".oras-partial")] == []
    indexes = [json.loads(path.read_text()) for path in tmp_path.rglob("index.json")]
    assert not any(index["manifests"] for index in indexes)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", UPLOADS)
def test_a_verb_whose_bytes_are_not_taken_ends_and_deletes_its_upload(
    material, tmp_path, verb, way
):
    embedded = EmbeddedRegistry()
    arrived = Arrivals(embedded)
    with RegistryServer(arrived) as server, StallingProxy(server.address, up=MIB) as proxy:
        with Client(Settings()) as client:
            (tmp_path / "card.md").write_text("# A model\n")
            client.push(f"{server.address}/team/model:v1", tmp_path / "card.md")
        arrived.requests.clear()
        before = len(embedded.requests)
        way(calls(proxy.address, material, tmp_path)[verb], proxy)
        paths = defaultdict(list)
        for method, url in arrived.requests:
            paths[method].append(urlsplit(url).path)
        finished = [r for r in embedded.requests[before:] if (r.method, r.status) == ("PUT", 201)]
    assert set(paths["DELETE"]) & set(paths["PUT"])
    assert len(paths["POST"]) <= len(paths["DELETE"]) + len(finished)
    assert not any("/manifests/" in path for path in paths["PUT"])


class Arrivals:
    """A registry that notes its requests when they arrive, before it reads their bodies."""

    def __init__(self, registry):
        self._registry = registry
        self.requests = []

    def send(self, request):
        self.requests.append((request.method, request.url))
        return self._registry.send(request)


def test_every_verb_ends_when_its_registry_is_silent_for_the_timeout(registry, material, tmp_path):
    with StallingProxy(registry, down=0) as proxy, Client(Settings(), timeout=0.2) as client:

        def time_out(call):
            with pytest.raises(TransportError) as caught:
                call.blocking(client)
            return caught.value.__notes__[-1]

        with ThreadPoolExecutor(len(WAITING)) as threads:
            advice = threads.map(time_out, calls(proxy.address, material, tmp_path).values())
            assert all("the timeout" in note for note in advice)
