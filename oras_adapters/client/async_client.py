"""The client for asyncio: the verbs of `Client`, awaited.

A verb is defined once, in `Client`. Here it becomes a coroutine function, an asynchronous
iterator or an asynchronous context manager with the same parameters, which type checkers
know.
"""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Self, TypeVar

from oras_adapters.client.async_streams import AsyncLayerStream, OpeningStream
from oras_adapters.client.base import Credentials
from oras_adapters.client.bridge import Bridge, watch_from_loop
from oras_adapters.client.client import Client
from oras_adapters.client.streams import LayerStream
from oras_adapters.composition import Parts
from oras_adapters.settings.settings import Settings
from oras_core.model.limits import Limits
from oras_core.ports.http import HttpTransport
from oras_core.ports.progress import ProgressListener

if TYPE_CHECKING:
    from oras_core.stores.cache import ContentCache

__all__ = ["AsyncClient", "AsyncLayerStream"]

P = ParamSpec("P")
R = TypeVar("R")

THREADS: Final = 16
"""Operations that run at the same time. More would compete with the event loop
for the interpreter rather than move more bytes."""


def _awaited(
    verb: Callable[Concatenate[Client, P], R],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, R]]:
    """Return a verb as a coroutine function."""

    @functools.wraps(verb)
    async def call(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._bridge.call(functools.partial(verb, self._client, *args, **kwargs))

    return _renamed(call)


def _iterated(
    verb: Callable[Concatenate[Client, P], Iterator[R]],
) -> Callable[Concatenate[AsyncClient, P], AsyncIterator[R]]:
    """Return a verb that lists as an asynchronous iterator."""

    @functools.wraps(verb)
    def iterate(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[R]:
        return self._bridge.iterate(verb(self._client, *args, **kwargs))

    return _renamed(iterate)


def _opened(
    verb: Callable[Concatenate[Client, P], LayerStream],
) -> Callable[Concatenate[AsyncClient, P], OpeningStream]:
    """Return a verb that opens as an asynchronous context manager."""

    @functools.wraps(verb)
    def open_stream(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> OpeningStream:
        work = functools.partial(verb, self._client, *args, **kwargs)
        return OpeningStream(self._bridge, work)

    return _renamed(open_stream)


F = TypeVar("F", bound=Callable[..., object])


def _renamed(function: F) -> F:
    function.__qualname__ = f"AsyncClient.{function.__name__}"
    # The example of the docstring blocks; that of `AsyncClient` shows how to await.
    function.__doc__ = re.split(r"\n\n *Example:\n", function.__doc__ or "")[0]
    return function


class AsyncClient:
    """Does what `Client` does, for asyncio. Its verbs are those of `Client`, awaited.

    Listings are asynchronous iterators, and `open` is an asynchronous context manager. The
    engine runs in threads of this client. Cancelling the task that awaits a verb, by
    `asyncio.timeout` or a `TaskGroup` for instance, ends the operation: the task continues
    within a second, uploads are deleted, and no partial file gets a final name.

    ::

        async with AsyncClient() as client:
            await client.pull("localhost:5001/team/model:v1", "out")
            async for tag in client.tags("localhost:5001/team/model"):
                print(tag)
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        credentials: Credentials | None = None,
        transport: HttpTransport | None = None,
        timeout: float | tuple[float, float] | None = None,
        concurrency: int | None = None,
        progress: bool | ProgressListener | None = None,
        limits: Limits | None = None,
        threads: int = THREADS,
    ) -> None:
        """Compose a client. Nothing is sent yet, and no thread started.

        Args:
            settings: as for `Client`.
            credentials: as for `Client`.
            transport: as for `Client`.
            timeout: as for `Client`.
            concurrency: as for `Client`.
            progress: as for `Client`; the methods of a listener are called in the event loop.
            limits: as for `Client`.
            threads: the number of operations that run at the same time; others wait.

        Raises:
            InvalidConfigurationError: if a setting cannot be used.
        """
        client = Client(
            settings,
            credentials=credentials,
            transport=transport,
            timeout=timeout,
            concurrency=concurrency,
            progress=watch_from_loop(progress),
            limits=limits,
        )
        self._use(client, threads)

    @classmethod
    def over(
        cls,
        parts: Parts,
        *,
        progress: bool | ProgressListener | None = None,
        threads: int = THREADS,
    ) -> Self:
        """Return a client over parts of the caller. Closing the client closes the parts."""
        client = cls.__new__(cls)
        client._use(Client.over(parts, progress=watch_from_loop(progress)), threads)  # noqa: SLF001
        return client

    def _use(self, client: Client, threads: int) -> None:
        self._client = client
        self._bridge = Bridge(threads)

    push: Final = _awaited(Client.push)
    attach: Final = _awaited(Client.attach)
    pull: Final = _awaited(Client.pull)
    open: Final = _opened(Client.open)
    read: Final = _awaited(Client.read)

    resolve: Final = _awaited(Client.resolve)
    exists: Final = _awaited(Client.exists)
    manifest: Final = _awaited(Client.manifest)
    config: Final = _awaited(Client.config)
    tags: Final = _iterated(Client.tags)
    repositories: Final = _iterated(Client.repositories)
    tag: Final = _awaited(Client.tag)
    untag: Final = _awaited(Client.untag)
    delete: Final = _awaited(Client.delete)

    referrers: Final = _iterated(Client.referrers)
    index: Final = _awaited(Client.index)
    update_index: Final = _awaited(Client.update_index)

    copy: Final = _awaited(Client.copy)
    mirror: Final = _awaited(Client.mirror)
    backup: Final = _awaited(Client.backup)
    restore: Final = _awaited(Client.restore)

    login: Final = _awaited(Client.login)
    logout: Final = _awaited(Client.logout)

    @property
    def cache(self) -> ContentCache | None:
        """The cache of fetched blobs, as of `Client`. Its methods block."""
        return self._client.cache

    def __repr__(self) -> str:
        """Show the class; settings and credentials stay out."""
        return f"<{type(self).__name__}>"

    async def close(self) -> None:
        """Wait for running operations, end the threads and close the connections."""
        await self._bridge.close()
        self._client.close()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for running operations, end the threads and close the connections."""
        await self.close()
