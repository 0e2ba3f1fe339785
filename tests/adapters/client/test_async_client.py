"""The asyncio client has the verbs of the blocking one; cancelling a task ends its operation."""

from __future__ import annotations

import asyncio
import inspect
import io
import multiprocessing
import os
import random
import threading
import time
from concurrent.futures import wait

import pytest

from oras_adapters import AsyncClient, Client, RegistryServer, Settings
from oras_adapters.client.bridge import Bridge, watch_from_loop
from oras_core import BytesSource, CancelToken, File
from oras_core.errors import CancelledError, InvalidConfigurationError
from oras_core.ports import ProgressListener
from oras_core.testing import EmbeddedRegistry
from support.clients import HOST, VERBS, engine_threads
from support.stalling_proxy import StallingProxy

MIB = 1024 * 1024
LONG = 30.0
PROMPT = 2.0
"""Seconds within which what is cancelled has ended, on a busy machine; on an idle one, one."""

LISTINGS = {"tags", "repositories", "referrers"}


# --- The same verbs -----------------------------------------------------------------------


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_both_clients_have_the_same_verbs(verb):
    blocking, awaited = getattr(Client, verb), getattr(AsyncClient, verb)
    assert inspect.signature(awaited) == inspect.signature(blocking)
    if verb != "close":
        assert inspect.getdoc(awaited) == inspect.getdoc(blocking).partition("\n\nExample:")[0]
        assert ">>>" not in awaited.__doc__
    assert awaited.__qualname__ == f"AsyncClient.{verb}"
    assert inspect.iscoroutinefunction(awaited) is (verb not in LISTINGS | {"open"})


def test_both_clients_have_the_same_public_names():
    blocking, awaited = (
        {name for name in dir(client) if name[0] != "_"} for client in (Client, AsyncClient)
    )
    assert awaited == blocking


def test_both_clients_take_the_same_options():
    blocking = dict(inspect.signature(Client).parameters)
    awaited = dict(inspect.signature(AsyncClient).parameters)
    assert awaited.pop("threads").kind is inspect.Parameter.KEYWORD_ONLY
    assert list(awaited) == list(blocking)
    assert [p.kind for p in awaited.values()] == [p.kind for p in blocking.values()]


# --- Cancellation -------------------------------------------------------------------------


@pytest.fixture
def registry():
    """A registry, whose transport tells what is stored."""
    embedded = EmbeddedRegistry()
    with RegistryServer(embedded) as server:
        yield server


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large.bin"
    path.write_bytes(random.Random(1).randbytes(40 * MIB))
    return path


async def stalled(proxy, count=1):
    for _ in range(count):
        assert await asyncio.to_thread(proxy.stalled.acquire, timeout=LONG)


def run(main):
    """Run a coroutine function; afterwards no thread of the client is there any more."""
    asyncio.run(main())
    assert engine_threads() == []


def test_cancelled_pull_ends_and_writes_no_file(registry, large, tmp_path):
    out = tmp_path / "out"
    with Client() as client:
        client.push(f"{registry.address}/a:v1", [large])

    async def main():
        with StallingProxy(registry.address, down=MIB) as proxy:
            async with AsyncClient() as client:
                task = asyncio.create_task(client.pull(f"{proxy.address}/a:v1", out))
                await stalled(proxy)
                begun = time.monotonic()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert time.monotonic() - begun < PROMPT
                assert all(name.endswith(".oras-partial") for name in os.listdir(out))
        async with AsyncClient() as client:
            await client.pull(f"{registry.address}/a:v1", out)
        assert os.listdir(out) == ["large.bin"]
        assert (out / "large.bin").read_bytes() == large.read_bytes()

    run(main)


def test_cancelled_push_ends_and_deletes_its_upload(large):
    embedded, moment = Recording(EmbeddedRegistry()), []

    async def pushed_until_silent(client, proxy):
        loop = asyncio.get_running_loop()

        async def time_out(timeout):
            await stalled(proxy)
            moment.append(loop.time())
            timeout.reschedule(loop.time())

        async with asyncio.timeout(None) as timeout:
            task = asyncio.create_task(time_out(timeout))
            await client.push(f"{proxy.address}/a:v1", [large])
        await task

    async def main():
        with RegistryServer(embedded) as server, StallingProxy(server.address, up=MIB) as proxy:
            async with AsyncClient() as client:
                with pytest.raises(TimeoutError):
                    await pushed_until_silent(client, proxy)
                assert asyncio.get_running_loop().time() - moment[0] < PROMPT
            assert embedded.methods.count("DELETE") == embedded.methods.count("POST") >= 1
            async with AsyncClient() as client:
                assert not await client.exists(f"{server.address}/a:v1")

    run(main)


class Recording:
    """A registry that notes the methods of its requests."""

    def __init__(self, registry):
        self._registry = registry
        self.methods = []

    def send(self, request):
        self.methods.append(request.method)
        return self._registry.send(request)


def test_failing_task_cancels_the_operations_of_its_task_group(registry, large, tmp_path):
    with Client() as client:
        client.push(f"{registry.address}/a:v1", [large])
    moment = []

    async def together(client, proxy):
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                place = f"{proxy.address}/a:v1"
                group.create_task(client.pull(place, tmp_path / f"out{number}"))
            await stalled(proxy, 3)
            moment.append(time.monotonic())
            raise ZeroDivisionError

    async def main():
        with StallingProxy(registry.address, down=MIB) as proxy:
            async with AsyncClient() as client:
                with pytest.raises(ExceptionGroup) as caught:
                    await together(client, proxy)
                assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]
                assert time.monotonic() - moment[0] < PROMPT

    run(main)


def test_task_cancelled_while_waiting_for_a_thread_never_starts(registry, tmp_path):
    async def main():
        async with AsyncClient(threads=1) as client:
            held, reached = threading.Event(), threading.Event()

            def hold():
                reached.set()
                held.wait(LONG)

            first = asyncio.create_task(client._bridge.call(hold))
            await asyncio.to_thread(reached.wait, LONG)
            second = asyncio.create_task(client.pull(f"{registry.address}/a:v1", tmp_path / "o"))
            await asyncio.sleep(0)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            held.set()
            await first
        assert not (tmp_path / "o").exists()

    run(main)


def test_caller_s_cancel_token_cancels_awaited_verbs(registry, large, tmp_path):
    with Client() as client:
        client.push(f"{registry.address}/a:v1", [large])

    async def main():
        token = CancelToken()
        with StallingProxy(registry.address, down=MIB) as proxy:
            async with AsyncClient() as client:
                with token.scope():
                    task = asyncio.create_task(client.pull(f"{proxy.address}/a:v1", tmp_path / "o"))
                await stalled(proxy)
                token.cancel()
                with pytest.raises(CancelledError):
                    await task

    run(main)


def test_stream_is_closed_if_its_task_was_cancelled():
    class Stream:
        def __init__(self):
            self.closed = threading.Event()

        def close(self):
            self.closed.set()

    async def main():
        bridge, stream, held, reached = Bridge(1), Stream(), threading.Event(), threading.Event()

        def open_stream():
            reached.set()
            held.wait(LONG)
            return stream

        task = asyncio.create_task(bridge.call(open_stream))
        await asyncio.to_thread(reached.wait, LONG)
        task.cancel()
        held.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await bridge.close()
        assert stream.closed.is_set()

    run(main)


# --- Listings -----------------------------------------------------------------------------


def test_abandoned_listing_is_closed():
    closed = threading.Event()

    def items():
        try:
            yield from range(10**9)
        finally:
            closed.set()

    async def main():
        bridge = Bridge(2)
        numbers = bridge.iterate(items())
        async for number in numbers:
            if number == 5:
                break
        await numbers.aclose()
        assert closed.is_set()
        await bridge.close()

    run(main)


def test_listing_errors_are_raised_during_iteration():
    async def main():
        async with AsyncClient(Settings(), transport=EmbeddedRegistry()) as client:
            with pytest.raises(LookupError):
                async for _ in client.tags(f"{HOST}/absent"):
                    pass

    run(main)


# --- Progress -----------------------------------------------------------------------------


EVENTS = sorted(name for name in vars(ProgressListener) if not name.startswith("_"))


def watching():
    """Return a listener, and the list where it notes the name and the thread of each event."""
    events = []

    def noting(name):
        def note(self, *_):
            asyncio.get_running_loop()
            events.append((name, threading.get_ident()))

        return note

    kind = type("Watching", (ProgressListener,), {name: noting(name) for name in EVENTS})
    return kind(), events


def test_listeners_are_called_in_the_event_loop_before_the_verb_returns(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "b.txt").write_text("b")

    async def main():
        listener, events = watching()
        async with AsyncClient(
            Settings(), transport=EmbeddedRegistry(), progress=listener
        ) as client:
            files = [File("a", BytesSource(b"a")), tmp_path / "folder"]
            await client.push(f"{HOST}/a:v1", files)
            names = [name for name, _ in events]
            assert names.count("started") == names.count("finished") == 4
            assert names.count("preparation_started") == names.count("preparation_ended") == 1
            assert "preparation_advanced" in names
        assert {thread for _, thread in events} == {threading.get_ident()}

    run(main)


def test_every_event_reaches_the_event_loop():
    async def main():
        listener, events = watching()
        bridge, watch = Bridge(1), watch_from_loop(listener)

        def work():
            with watch.watching() as passing:
                for name in EVENTS:
                    getattr(passing, name)(*inspect.signature(getattr(passing, name)).parameters)

        await bridge.call(work)
        assert sorted(name for name, _ in events) == EVENTS
        await bridge.close()

    run(main)


@pytest.fixture
def finished_first(monkeypatch):
    """Let work end before its events are heard.

    Python 3.14 sets the result of a finished future at once; so does this `wrap_future`.
    """

    def wrap_future(future):
        wait([future], LONG)
        wrapped = asyncio.get_running_loop().create_future()
        wrapped.set_result(future.result())
        return wrapped

    monkeypatch.setattr(asyncio, "wrap_future", wrap_future)


@pytest.mark.usefixtures("finished_first")
def test_events_arrive_before_a_result_that_needs_no_waiting():
    async def main():
        listener, events = watching()
        bridge, watch = Bridge(1), watch_from_loop(listener)

        def work():
            with watch.watching() as passing:
                passing.planned(1, 2)

        await bridge.call(work)
        arrived = [name for name, _ in events]
        await bridge.close()
        return arrived

    assert asyncio.run(main()) == ["planned"]


@pytest.mark.usefixtures("finished_first")
def test_exception_of_a_listener_replaces_the_result_of_work_that_has_ended():
    class Broken(ProgressListener):
        def planned(self, contents, size):
            raise ZeroDivisionError

    async def main():
        bridge, watch = Bridge(1), watch_from_loop(Broken())
        stream = io.BytesIO()

        def work():
            with watch.watching() as passing:
                passing.planned(1, 2)
            return stream

        with pytest.raises(ZeroDivisionError):
            await bridge.call(work)
        assert stream.closed
        await bridge.close()

    run(main)


def test_exception_of_a_listener_ends_the_operation():
    class Broken(ProgressListener):
        def started(self, descriptor):
            raise ZeroDivisionError

    async def main():
        async with AsyncClient(
            Settings(), transport=EmbeddedRegistry(), progress=Broken()
        ) as client:
            with pytest.raises(ZeroDivisionError):
                await client.push(f"{HOST}/a:v1", [File("a", BytesSource(bytes(8 * MIB)))])

    run(main)


# --- Threads ------------------------------------------------------------------------------


def test_operations_run_in_a_bounded_number_of_named_threads():
    async def main():
        bridge = Bridge(3)
        running, most, lock = set(), [], threading.Lock()

        def work():
            with lock:
                running.add(threading.current_thread().name)
                most.append(len(running))
            time.sleep(0.005)
            with lock:
                running.discard(threading.current_thread().name)
            return threading.current_thread().name

        names = await asyncio.gather(*(bridge.call(work) for _ in range(30)))
        assert max(most) <= 3
        assert set(names) <= {f"oras-async_{number}" for number in range(3)}
        await bridge.close()

    run(main)


def test_client_without_threads_is_refused():
    with pytest.raises(InvalidConfigurationError, match="threads"):
        AsyncClient(Settings(), threads=0)


def test_client_works_in_successive_event_loops():
    client = AsyncClient(Settings(), transport=EmbeddedRegistry())
    asyncio.run(client.push(f"{HOST}/a:v1", [File("a", BytesSource(b"a"))]))
    assert asyncio.run(client.read(f"{HOST}/a:v1")) == b"a"
    asyncio.run(client.close())
    assert engine_threads() == []


def _in_child(client, queue):
    queue.put(asyncio.run(client.read(f"{HOST}/a:v1")))


def test_client_works_in_a_forked_child():
    client = AsyncClient(Settings(), transport=EmbeddedRegistry())
    asyncio.run(client.push(f"{HOST}/a:v1", [File("a", BytesSource(b"a"))]))
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(client, queue))
    child.start()
    child.join(LONG)
    assert child.exitcode == 0
    assert queue.get() == b"a"
    asyncio.run(client.close())
