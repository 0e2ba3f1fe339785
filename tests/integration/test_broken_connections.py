"""Two hundred pushes and pulls over connections that break at random bytes.

Each transfer ends with the right content, through the default client. The number of bytes that
are sent twice is bounded by the number of bytes in flight, which depends on the registry:

- Distribution, the docker-registry, stores the received bytes of a broken request, and then refuses
  the upload: its `Location` has the offset before the request, and no request returns another one.
  So the bytes of the broken request are sent again, but no others.
- A registry that reports the offset, such as the embedded one, gets the bytes again that were lost
  in the buffers on the way. So does a client that downloads from either registry.
"""

from __future__ import annotations

import contextlib
import random

import pytest

from oras_adapters.factory import compose
from oras_adapters.files.local_files import LocalFileTree
from oras_adapters.registry_server import RegistryServer
from oras_adapters.settings.settings import HostSettings, NetworkSettings, Settings
from oras_core.content.reading import CHUNK_SIZE
from oras_core.content.sources import BytesSource
from oras_core.packing import ingestion
from oras_core.testing import EmbeddedRegistry
from oras_core.verbs.pull import pull
from oras_core.verbs.push import File
from oras_core.verbs.push import push as push_artifact
from support.breaking_proxy import IN_BUFFERS, BreakingProxy

SEED = 2026
KIB = 1024
SMALLEST, LARGEST = 16 * KIB, 1024 * KIB
STREAMED = 512 * KIB
"""Files from this size on are sent while they are hashed: half of them here."""

READ = CHUNK_SIZE
"""Bytes that a client reads at a time: a break in the middle takes the beginning with it."""

MOST_BREAKS = 3
LATE = 3
"""Of thirty pushes, those that may lose a request which the registry had not begun to read."""

OVERHEAD = 16 * KIB
"""Bytes of header fields, config and manifest; of a transfer, and of each break once more."""


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch):
    monkeypatch.setattr(ingestion, "INGESTION_SIZE", STREAMED)


@pytest.fixture
def embedded():
    with RegistryServer(EmbeddedRegistry()) as server:
        yield server


class Journey:
    """Pushes and pulls over a proxy, by the client that everybody gets, but with short pauses."""

    def __init__(self, proxy, name, folder, chunk_size=None):
        host = HostSettings(chunk_size=chunk_size)
        network = NetworkSettings(backoff=0.001)
        self.composition = compose(Settings(network=network, hosts={proxy.address: host}))
        self.repository = self.composition.repository(f"{proxy.address}/{name}")
        self.proxy = proxy
        self.folder = folder
        self.chance = random.Random(SEED)
        self.breaks = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.composition.close()

    def contents(self, count):
        """Give new content, and a tag for it."""
        for number in range(count):
            yield f"v{number}", self.chance.randbytes(self.chance.randrange(SMALLEST, LARGEST))

    @contextlib.contextmanager
    def breaking(self, content):
        count = self.chance.randrange(MOST_BREAKS + 1)
        with self.proxy.breaking(count, within=len(content) + OVERHEAD) as tally:
            yield tally
        self.breaks += len(tally.in_flight)

    def push(self, tag, content):
        """Push, and return how many bytes went up twice, and the breaks."""
        file = File("content.bin", BytesSource(content))
        with self.breaking(content) as tally:
            push_artifact(self.repository, tag, [file], scratch=LocalFileTree(self.folder))
        return tally.up - len(content) - overhead(tally), tally.in_flight

    def pull(self, tag, content):
        """Pull, and return how many bytes went down twice, and the breaks."""
        tree = LocalFileTree(self.folder / tag, create=True)
        with self.breaking(content) as tally:
            pull(self.repository, tag, tree)
        pulled = self.folder / tag / "content.bin"
        assert pulled.read_bytes() == content
        pulled.unlink()  # an existing file is not pulled
        return tally.down - len(content) - overhead(tally), tally.in_flight


def overhead(tally):
    return OVERHEAD * (1 + len(tally.in_flight))


@pytest.mark.long
def test_push_and_pull_with_docker_registry(open_registry, repository_name, tmp_path):
    with (
        BreakingProxy(open_registry.address, SEED) as proxy,
        Journey(proxy, repository_name, tmp_path) as journey,
    ):
        for tag, content in journey.contents(50):
            twice, in_flight = journey.push(tag, content)
            assert twice <= sum(in_flight), tag
            for _ in range(3):
                twice, in_flight = journey.pull(tag, content)
                assert twice <= len(in_flight) * (IN_BUFFERS + READ), tag
    assert journey.breaks > 150


@pytest.mark.long
def test_chunked_push_to_docker_registry(open_registry, repository_name, tmp_path):
    chunk_size = 128 * KIB
    with (
        BreakingProxy(open_registry.address, SEED) as proxy,
        Journey(proxy, repository_name, tmp_path, chunk_size=chunk_size) as journey,
    ):
        for tag, content in journey.contents(15):
            twice, in_flight = journey.push(tag, content)
            # The chunks before the broken one are lost with it, and so is the next chunk, if the
            # client asks for the offset before the registry notices the failure.
            assert twice <= len(in_flight) * (len(content) + chunk_size), tag
            journey.pull(tag, content)
    assert journey.breaks > 15


def test_chunked_push_to_a_registry_that_keeps_partial_uploads(embedded, tmp_path):
    late = []
    with (
        BreakingProxy(embedded.address, SEED) as proxy,
        Journey(proxy, "a/b", tmp_path, chunk_size=LARGEST) as journey,
    ):
        for tag, content in journey.contents(30):
            twice, in_flight = journey.push(tag, content)
            assert twice <= sum(in_flight), tag
            if twice > len(in_flight) * IN_BUFFERS:
                late.append(tag)
            twice, in_flight = journey.pull(tag, content)
            assert twice <= len(in_flight) * (IN_BUFFERS + READ), tag
    # On a busy machine the client may ask for the offset before the registry reads the request.
    assert len(late) <= LATE
    assert journey.breaks > 30
