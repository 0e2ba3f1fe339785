"""A file of an artifact, opened for reading in asyncio."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Generator
from functools import partial
from types import TracebackType
from typing import Any, Final

from oras_adapters.client.bridge import Bridge
from oras_adapters.client.streams import LayerStream
from oras_core.model.descriptor import Descriptor

__all__ = ["AsyncLayerStream", "OpeningStream"]

CHUNK_SIZE: Final = 1024 * 1024
"""Bytes of a chunk of `async for`: large enough that changing threads costs little."""


class AsyncLayerStream:
    """`LayerStream` for asyncio. An asynchronous iterator of chunks of bytes."""

    def __init__(self, bridge: Bridge, stream: LayerStream) -> None:
        """Read from `stream` in threads of `bridge`."""
        self._bridge = bridge
        self._stream = stream

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of the layer."""
        return self._stream.descriptor

    @property
    def size(self) -> int:
        """The size of the file, in bytes."""
        return self._stream.size

    @property
    def verified(self) -> bool:
        """Whether all bytes were read from the start to the end, and the digest is right."""
        return self._stream.verified

    async def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, fewer only at the end; all that are left for -1.

        Raises:
            ContentError: if the layer does not match its descriptor.
            OrasError: any error of the registry.
        """
        return await self._bridge.call(partial(self._stream.read, size))

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position, and return it."""
        return await self._bridge.call(partial(self._stream.seek, offset, whence))

    def tell(self) -> int:
        """Return the position, in bytes from the start."""
        return self._stream.tell()

    async def close(self) -> None:
        """Close the connection and the files of the place."""
        await self._bridge.call(self._stream.close)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the bytes from the position on, in chunks."""
        while chunk := await self.read(CHUNK_SIZE):
            yield chunk

    async def __aenter__(self) -> AsyncLayerStream:
        """Return the stream."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection and the files of the place."""
        await self.close()


class OpeningStream:
    """A stream to open: `async with` opens and closes it, `await` opens it."""

    def __init__(self, bridge: Bridge, work: Callable[[], LayerStream]) -> None:
        """Open by `work`, in a thread of `bridge`."""
        self._bridge = bridge
        self._work = work
        self._stream: AsyncLayerStream | None = None

    async def _open(self) -> AsyncLayerStream:
        return AsyncLayerStream(self._bridge, await self._bridge.call(self._work))

    def __await__(self) -> Generator[Any, None, AsyncLayerStream]:
        """Open and return the stream, which the caller closes."""
        return self._open().__await__()

    async def __aenter__(self) -> AsyncLayerStream:
        """Open and return the stream."""
        self._stream = await self._open()
        return self._stream

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the stream."""
        if self._stream is not None:
            await self._stream.close()
