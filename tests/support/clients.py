"""The client for tests: blocking, or in asyncio behind the same calls; and places to use it on."""

from __future__ import annotations

import asyncio
import inspect
import threading

from oras_adapters import AsyncClient, Client, Settings
from oras_core import MemoryStore
from oras_core.testing import EmbeddedRegistry

__all__ = ["FACES", "PLACES", "VERBS", "AsyncFace", "at", "embedded_client", "engine_threads"]

HOST = "registry.test"


class AsyncFace:
    """Calls the verbs of an `AsyncClient` in an event loop, and returns what they give."""

    def __init__(self, *arguments, **options):
        self._runner = asyncio.Runner()
        self.client = AsyncClient(*arguments, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._runner.run(self.client.close())
        self._runner.close()

    def __getattr__(self, name):
        verb = getattr(self.client, name)
        return lambda *arguments, **options: self._run(verb(*arguments, **options))

    def _run(self, outcome):
        if inspect.isasyncgen(outcome):
            return iter(self._runner.run(_listed(outcome)))
        result = self._runner.run(_awaited(outcome))
        return _StreamFace(self._runner, result) if hasattr(result, "seek") else result


class _StreamFace:
    def __init__(self, runner, stream):
        self._runner = runner
        self._stream = stream

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._runner.run(_awaited(self._stream.close()))

    @property
    def verified(self):
        return self._stream.verified

    def tell(self):
        return self._stream.tell()

    def read(self, *size):
        return self._runner.run(_awaited(self._stream.read(*size)))

    def seek(self, *position):
        return self._runner.run(_awaited(self._stream.seek(*position)))


async def _awaited(outcome):
    return await outcome


async def _listed(items):
    return [item async for item in items]


FACES = {"blocking": Client, "asyncio": AsyncFace}
VERBS = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if name[0] != "_"}
PLACES = ("registry", "layout", "archive", "memory")


class at:  # noqa: N801 - reads as a preposition
    """A place of one kind: `at(kind, folder)("v1")` names an artifact, `at(…)()` the whole."""

    def __init__(self, kind, folder, name="one"):
        self._kind = kind
        self._base = {
            "registry": f"{HOST}/team/{name}",
            "layout": f"oci:{folder}/{name}",
            "archive": f"oci-archive:{folder}/{name}.tar",
            "memory": MemoryStore(),
        }[kind]

    def __call__(self, reference=""):
        if not reference:
            return self._base
        if self._kind == "memory":
            return self._base, reference
        return f"{self._base}{'@' if ':' in reference else ':'}{reference}"


def embedded_client(face, **options):
    """Return a client whose registry is in memory, without any sockets."""
    return FACES[face](Settings(), transport=EmbeddedRegistry(), **options)


def engine_threads():
    """Return the names of the threads that clients have started and that are still there."""
    return sorted(t.name for t in threading.enumerate() if t.name.startswith("oras-"))
