"""A pull of one file of a folder moves little more than that file, at a real registry."""

from __future__ import annotations

import os

import pytest

import oras
from support.counting_proxy import CountingProxy
from support.docker_registry import DockerRegistry

SIZE = 1_000_000


@pytest.mark.slow
def test_one_file_of_a_folder_without_compression_is_fetched_alone(
    open_registry: DockerRegistry, repository_name, tmp_path
):
    (tmp_path / "data").mkdir()
    for number in range(4):
        (tmp_path / "data" / f"{number}.bin").write_bytes(os.urandom(SIZE))
    with oras.Client() as client:
        place = f"{open_registry.address}/{repository_name}:v1"
        client.push(place, {"data": tmp_path / "data"}, compression="none")
    with CountingProxy(open_registry.address) as proxy, oras.Client() as client:
        place = f"{proxy.address}/{repository_name}:v1"
        with open_registry.recording() as requests, proxy.counting() as count:
            pulled = client.pull(place, tmp_path / "out", include="data/2.bin")
    assert pulled.unverified == (tmp_path / "out" / "data",)
    assert [path.name for path in pulled.unverified[0].iterdir()] == ["2.bin"]
    assert (pulled.unverified[0] / "2.bin").read_bytes() == (
        tmp_path / "data" / "2.bin"
    ).read_bytes()
    # A range for each header, one for the file, and the manifest.
    assert len(requests) <= 4 + 1 + 3
    assert SIZE < count.down < 2 * SIZE
