"""Sources that are read again for another attempt."""

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
    """A source that must not be opened from the first byte."""

    def open(self):
        raise AssertionError("it was opened from the first byte")

    def open_from(self, start):
        return io.BytesIO(self.content[start:])


@pytest.mark.parametrize("kind", [BytesSource, Resumable])
@pytest.mark.parametrize("start", [1, 256 * 1024, len(CONTENT) - 1])
def test_a_source_is_read_from_an_offset(kind, start):
    stream = VerifiedSource(BLOB, kind(CONTENT)).open_again(start)
    assert stream.read() == CONTENT[start:]
    stream.close()


def test_a_source_that_became_shorter_is_an_error():
    source = VerifiedSource(BLOB, BytesSource(CONTENT[:1000]))
    with pytest.raises(SizeMismatchError) as caught:
        source.open_again(2000)
    assert caught.value.actual == 1000


def test_a_failure_of_the_source_is_raised_unchanged():
    class Failing(Resumable):
        def open_from(self, start):
            raise TransportError("GET", "https://other.example/", "reset")

    source = VerifiedSource(BLOB, Failing(CONTENT))
    with pytest.raises(TransportError, match="other"):
        source.open_again(5)
