"""What the type checker must see behind the user guide's names; read by mypy, never run."""

from __future__ import annotations

from typing import assert_type

import oras
import oras.client
import oras.provider
from oras._client.response import Response
from oras.container import Container


class MyProvider(oras.provider.Registry):
    """As in the user guide."""


def guide_names_have_types(client: oras.client.OrasClient) -> None:
    assert_type(client.push(target="localhost:5000/a/b:v1", files=["a.txt"]), Response)
    assert_type(client.pull(target="localhost:5000/a/b:v1"), list[str])
    assert_type(client.get_tags("a/b"), list[str])
    assert_type(client.get_container("a/b"), Container)
    assert_type(oras.__version__, str)


def subclasses_are_clients() -> oras.client.OrasClient:
    return MyProvider()


def misspelt_names_are_noticed(client: oras.client.OrasClient) -> None:
    client.pusch()  # type: ignore[attr-defined]
    oras.cliant  # type: ignore[attr-defined]
