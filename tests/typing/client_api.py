"""What type checkers must see of both clients: the same verbs, exactly; read, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import assert_type

import oras
from oras_adapters import AsyncLayerStream, LayerStream, compose
from oras_core import Content, Copied, Descriptor, Index, Manifest, MemoryStore, Mirrored
from oras_core.ports import ProgressListener

PLACE = "localhost:5001/team/model:v1"


def blocking_verbs(client: oras.Client) -> None:
    assert_type(client.push(PLACE, ["card.md"], tags=["latest"]), Descriptor)
    assert_type(client.pull(PLACE, Path("out"), include="*.md").files, tuple[Path, ...])
    assert_type(client.read(PLACE, "card.md"), bytes)
    assert_type(client.manifest(PLACE), Manifest | Index)
    assert_type(client.config(PLACE), Content)
    assert_type(client.tags("localhost:5001/team/model"), Iterator[str])
    assert_type(client.referrers(PLACE), Iterator[Descriptor])
    assert_type(client.copy(PLACE, "oci:backup:v1"), Copied)
    assert_type(client.mirror(MemoryStore(), MemoryStore()), Mirrored)
    assert_type(client.logout("localhost:5001"), bool)
    with client.open(PLACE, "card.md") as stream:
        assert_type(stream, LayerStream)
        assert_type(stream.read(1), bytes)


async def awaited_verbs(client: oras.AsyncClient) -> None:
    assert_type(await client.push(PLACE, ["card.md"], tags=["latest"]), Descriptor)
    assert_type((await client.pull(PLACE, Path("out"), include="*.md")).files, tuple[Path, ...])
    assert_type(await client.read(PLACE, "card.md"), bytes)
    assert_type(await client.manifest(PLACE), Manifest | Index)
    assert_type(await client.config(PLACE), Content)
    assert_type(client.tags("localhost:5001/team/model"), AsyncIterator[str])
    assert_type(client.referrers(PLACE), AsyncIterator[Descriptor])
    assert_type(await client.copy(PLACE, "oci:backup:v1"), Copied)
    assert_type(await client.mirror(MemoryStore(), MemoryStore()), Mirrored)
    assert_type(await client.logout("localhost:5001"), bool)
    async with client.open(PLACE, "card.md") as stream:
        assert_type(stream, AsyncLayerStream)
        assert_type(await stream.read(1), bytes)


def one_needs_no_list(client: oras.Client) -> None:
    assert_type(client.push(PLACE, "card.md", tags="latest"), Descriptor)
    assert_type(client.push(PLACE, Path("card.md")), Descriptor)
    assert_type(client.attach(PLACE, {"a.md": Path("card.md")}, artifact_type="a/b"), Descriptor)
    assert_type(client.index(PLACE, "v1"), Descriptor)
    assert_type(client.update_index(PLACE, add="v2", remove=["v1"]), Descriptor)


async def mistakes_are_noticed(client: oras.AsyncClient, blocking: oras.Client) -> None:
    await client.push(PLACE)  # type: ignore[call-arg]
    await client.push(PLACE, ["card.md"], compresion="none")  # type: ignore[call-arg]
    await client.push(PLACE, ["card.md"], compression="lzma")  # type: ignore[arg-type]
    await client.pull(17)  # type: ignore[arg-type]
    await client.push(PLACE, 17)  # type: ignore[arg-type]
    blocking.push(PLACE, ["card.md"], compression="lzma")  # type: ignore[arg-type]
    client.pusch(PLACE)  # type: ignore[attr-defined]


def clients_are_composed(listener: ProgressListener) -> None:
    with compose() as composition:
        assert_type(composition.client(progress=listener), oras.Client)
        assert_type(composition.async_client(progress=True), oras.AsyncClient)
