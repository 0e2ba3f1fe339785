"""Clients and their parts in forked and spawned processes."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle
import sys
import threading
import warnings

import pytest

import oras
import oras.client
from oras_adapters.factory import compose
from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_adapters.registry_server import RegistryServer
from oras_adapters.settings.settings import (
    EnvironmentCredential,
    HostSettings,
    ProxySettings,
    Settings,
)
from oras_core.content.reading import read_rest
from oras_core.content.sources import BytesSource
from oras_core.credentials import NoCredentials
from oras_core.errors import TransportError
from oras_core.forks import ForkSafeLock, PerProcess
from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.testing import EmbeddedRegistry
from oras_core.verbs.push import File
from oras_core.verbs.push import push as push_artifact
from support import fork_rounds
from support.processes import run_python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no forks")

TIMEOUT = 60


@pytest.fixture
def address():
    with RegistryServer(EmbeddedRegistry()) as server:
        yield server.address


# --- Forks --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("--tls",)], ids=["http", "https"])
def test_parent_and_child_get_their_own_responses(arguments):
    """`tox -e forks` runs a thousand rounds."""
    program = ["-X", "dev", "-W", "error", fork_rounds.__file__, "--rounds", "12", *arguments]
    assert "12 rounds, 0 wrong" in run_python(*program)


def forked(work):
    """Run `work` in a forked process; return what it returns, or raise what it raises."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)

    def run():
        try:
            sending.send((work(), None))
        except BaseException as error:  # noqa: BLE001 - raised in the parent
            sending.send((None, error))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which are tested here
        process = context.Process(target=run)
        process.start()
    assert receiving.poll(TIMEOUT), "the child hangs"
    result, error = receiving.recv()
    process.join(TIMEOUT)
    if error is not None:
        raise error
    return result


@pytest.fixture
def held():
    """`held(lock)` lets another thread hold a lock until the test ends."""
    ended = threading.Event()
    threads = []

    def hold(lock):
        has_it = threading.Event()

        def run():
            with lock:
                has_it.set()
                ended.wait(TIMEOUT)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        assert has_it.wait(TIMEOUT)

    yield hold
    ended.set()
    for thread in threads:
        thread.join()


def test_lock_held_by_a_parent_thread_is_free_in_the_child(held):
    lock = ForkSafeLock()
    held(lock)
    assert not lock.acquire(timeout=0.01)

    def work():
        with lock, lock:  # reentrant
            return lock.acquire(timeout=0)

    assert forked(work)
    assert not lock.acquire(timeout=0.01)


def test_value_is_made_once_per_process():
    made, discarded = [], []
    value = PerProcess(lambda: made.append(1) or object(), discarded.append)
    own = value.get()
    assert value.get() is own

    def work():
        return value.get() is not own, value.get() is value.get(), discarded == [own], len(made)

    assert forked(work) == (True, True, True, 2)
    assert value.get() is own
    assert discarded == []


def test_response_opened_by_the_parent_is_an_error_in_the_child(address):
    with Urllib3Transport() as transport:
        response = transport.send(HttpRequest("GET", f"http://{address}/v2/none/tags/list"))
        with pytest.raises(TransportError, match="another process"):
            forked(lambda: response.body.read(1))
        assert response.body.read().startswith(b"{")
        response.close()


class OneBody:
    """A server with the same body for every request."""

    content = bytes(range(256)) * 8192

    def send(self, request):
        length = {"Content-Length": str(len(self.content))}
        return HttpResponse(200, length, body=io.BytesIO(self.content))


def test_child_that_closes_a_response_of_the_parent_takes_none_of_its_bytes():
    with RegistryServer(OneBody()) as server, Urllib3Transport() as transport:
        response = transport.send(HttpRequest("GET", server.url))
        received = b""
        # The rest is short: a close of the response would read it, to keep the connection.
        while (left := len(OneBody.content) - len(received)) > 1000:
            received += response.body.read(left - 1000)
        forked(response.close)
        assert received + read_rest(response.body) == OneBody.content
        response.close()
        with transport.send(HttpRequest("GET", server.url)) as following:
            assert read_rest(following.body) == OneBody.content


# --- Pickles ------------------------------------------------------------------------------


def resolved(composition, reference):
    """Return a digest, in a worker process."""
    with composition:
        return str(composition.repository(reference).resolve("v1").digest)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        "spawn",
        "forkserver",
        pytest.param("fork", marks=pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")),
    ],
)
def test_pickled_composition_works_in_a_worker(address, method):
    settings = Settings(hosts={address: HostSettings(plain_http=True)})
    with compose(settings) as composition:
        repository = composition.repository(f"{address}/demo")
        root = push_artifact(repository, "v1", [File("a.txt", BytesSource(b"a"))])
        with multiprocessing.get_context(method).Pool(1) as pool:
            arguments = (composition, f"{address}/demo")
            assert pool.apply_async(resolved, arguments).get(TIMEOUT) == str(root.digest)


def test_pickled_composition_keeps_settings_and_limits():
    composition = compose(Settings(hosts={"a": HostSettings(chunk_size=5)}))
    restored = pickle.loads(pickle.dumps(composition))
    assert (restored.settings, restored.limits) == (composition.settings, composition.limits)
    assert type(restored) is type(composition)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(environment=EnvironmentCredential("me", "s3cret")),
        Settings(proxy=ProxySettings(https="http://me:s3cret@proxy.test:3128")),
        Settings(proxy=ProxySettings(http="http://me:s/3cret@proxy.test:3128")),
    ],
    ids=["environment", "https proxy", "http proxy"],
)
def test_secrets_in_the_settings_are_not_pickled(settings):
    with pytest.raises(TypeError, match="secret"):
        pickle.dumps(compose(settings))


def test_composition_with_given_objects_cannot_be_pickled():
    with pytest.raises(TypeError, match="in the worker"):
        pickle.dumps(compose(Settings(), credentials=NoCredentials()))


@pytest.mark.parametrize(
    "make",
    [
        lambda composition: composition.registry("a.test"),
        lambda composition: composition.repository("a.test/demo"),
        lambda composition: composition.client(),
        lambda _: oras.Client(Settings()),
        lambda _: oras.AsyncClient(Settings()),
        lambda _: Urllib3Transport(),
        lambda _: oras.client.OrasClient(),
    ],
    ids=["registry", "repository", "client", "Client", "AsyncClient", "transport", "OrasClient"],
)
def test_pickle_error_of_a_connected_object_says_how_to_make_one_in_a_worker(make):
    thing = make(compose(Settings()))
    with pytest.raises(TypeError, match=r"it holds connections.*worker"):
        pickle.dumps(thing)
    assert type(copy.copy(thing)) is type(thing)
