"""What is read again for another attempt, after it was sent once."""

from __future__ import annotations

import io

import pytest

from oras_core.content.sources import BytesSource
from oras_core.errors import SizeMismatchError, TransportError
from oras_core.model.descriptor import Descriptor
from oras_core.registry.blobs.verified_source import VerifiedSource

CONTENT = bytes(range(256)) * 4096
BLOB = Descriptor.of(CONTENT, "application/octet-stream")


class Resumable(BytesSource):
    """Of which the beginning must not be read."""

    def open(self):
        raise AssertionError("it was opened from the first byte on")

    def open_from(self, start):
        return io.BytesIO(self.content[start:])


@pytest.mark.parametrize("kind", [BytesSource, Resumable])
@pytest.mark.parametrize("start", [1, 256 * 1024, len(CONTENT) - 1])
def test_it_is_read_from_where_it_is_wanted(kind, start):
    stream = VerifiedSource(BLOB, kind(CONTENT)).open_again(start)
    assert stream.read() == CONTENT[start:]
    stream.close()


def test_a_source_that_got_shorter_is_no_endless_wait():
    source = VerifiedSource(BLOB, BytesSource(CONTENT[:1000]))
    with pytest.raises(SizeMismatchError) as caught:
        source.open_again(2000)
    assert caught.value.actual == 1000
    assert source.failure is caught.value


def test_a_failure_on_the_way_is_its_own():
    class Failing(Resumable):
        def open_from(self, start):
            raise TransportError("GET", "https://other.example/", "reset")

    source = VerifiedSource(BLOB, Failing(CONTENT))
    with pytest.raises(TransportError) as caught:
        source.open_again(5)
    assert source.failure is caught.value
