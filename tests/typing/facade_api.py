"""What the type checker must see behind the user guide's names; read by mypy, never run."""

from __future__ import annotations

from typing import assert_type

import oras
import oras.client
import oras.provider
from oras._client.response import Response
from oras.container import Container
from oras.decorator import ensure_container
from oras.types import container_type


class MyProvider(oras.provider.Registry):
    """As in the user guide."""


def guide_names_have_types(client: oras.client.OrasClient) -> None:
    assert_type(client.push(target="localhost:5001/a/b:v1", files=["a.txt"]), Response)
    assert_type(client.pull(target="localhost:5001/a/b:v1"), list[str])
    assert_type(client.get_tags("a/b"), list[str])
    assert_type(client.get_container("a/b"), Container)
    assert_type(client.upload_manifest({}, container="a/b:v1"), Response)
    assert_type(oras.__version__, str)


def subclasses_are_clients() -> oras.client.OrasClient:
    return MyProvider()


class Decorated(oras.provider.Registry):
    """Methods whose target is annotated with `Container`, or with `container_type`."""

    @ensure_container
    def publish(self, container: Container, archives: dict[str, str]) -> str:
        return f"{container.uri}: {len(archives)}"

    @ensure_container
    def fetch_into(self, folder: str, package: Container, media_type: str) -> list[str]:
        return [folder, package.uri, media_type]

    @ensure_container
    def either(self, container: container_type, count: int = 1) -> int:
        return count


def an_ensured_container_may_be_a_string(client: Decorated, parsed: Container) -> None:
    assert_type(client.publish("a/b:v1", {}), str)
    assert_type(client.publish(parsed, archives={}), str)
    assert_type(client.publish(container="a/b:v1", archives={}), str)
    assert_type(client.fetch_into("folder", parsed, "text/plain"), list[str])
    assert_type(client.fetch_into(folder="f", package="a/b:v1", media_type="a/b"), list[str])
    assert_type(client.either(container="a/b:v1", count=2), int)
    assert_type(Decorated.publish(client, "a/b:v1", {}), str)


def wrong_arguments_of_an_ensured_method_are_noticed(client: Decorated) -> None:
    client.publish(1, {})  # type: ignore[call-overload]
    client.publish("a/b:v1", "archives")  # type: ignore[call-overload]
    client.get_tags(container=1)  # type: ignore[arg-type]


def misspelt_names_are_noticed(client: oras.client.OrasClient) -> None:
    client.pusch()  # type: ignore[attr-defined]
    oras.cliant  # type: ignore[attr-defined]
