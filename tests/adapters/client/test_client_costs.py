"""The client costs no more than `OrasClient`: in modules to load, and in requests to send."""

from __future__ import annotations

import json
import random
import runpy
from pathlib import Path

import pytest

import oras
import oras.client
from oras_adapters import RegistryServer, Settings, TransferSettings
from oras_core import BytesSource, File
from oras_core.registry.blobs import download, parallel
from oras_core.testing import EmbeddedRegistry
from support.processes import run_python


def loaded(program):
    """Return the modules that a program loads."""
    code = f"import json, sys; {program}; print(json.dumps(sorted(sys.modules)))"
    return set(json.loads(run_python("-c", code)))


def test_client_loads_no_more_modules():
    client = loaded("import oras; oras.Client()")
    facade = loaded("import oras.client; oras.client.OrasClient().connections.composition")
    assert len(client) <= len(facade)


def requests_of(push, pull):
    """Return the methods of the requests of a first push and of a first pull."""
    registry = EmbeddedRegistry()
    with RegistryServer(registry) as server:
        push(f"{server.address}/a:v1")
        pushed = registry.requests
        pull(f"{server.address}/a:v1")
        pulled = registry.requests[len(pushed) :]
    return [sorted(request.method for request in requests) for requests in (pushed, pulled)]


def test_client_sends_no_more_requests(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["a.txt", "b.txt"]
    for name in names:
        (tmp_path / name).write_text(name)
    facade = oras.client.OrasClient()
    expected = requests_of(
        lambda place: facade.push(target=place, files=names),
        lambda place: facade.pull(target=place, outdir="facade"),
    )
    with oras.Client() as client:
        found = requests_of(
            lambda place: client.push(place, names), lambda place: client.pull(place, "client")
        )
    facade.connections.close()
    assert found == expected


@pytest.mark.parametrize("connections", [1, 4])
def test_read_of_a_large_open_file_uses_the_connections_of_the_settings(monkeypatch, connections):
    sizes = {"SEGMENT_SIZE": 4096, "PROBE_SIZE": 4096, "LEAST_REST": 4096, "FAST": 1 << 60}
    for name, size in sizes.items():
        monkeypatch.setattr(parallel, name, size)
    monkeypatch.setattr(download, "RANGED_SIZE", 4096)
    content = random.Random(1).randbytes(1_000_000)
    settings = Settings(transfer=TransferSettings(range_connections=connections))
    registry = EmbeddedRegistry()
    with oras.Client(settings, transport=registry) as client:
        client.push("reg.test/a:v1", File("large.bin", BytesSource(content)))
        with client.open("reg.test/a:v1") as stream:
            assert stream.read() == content
            assert stream.verified
    ranged = any("Range" in request.headers for request in registry.requests)
    assert ranged == (connections > 1)


@pytest.mark.slow
def test_the_benchmark_compares_a_first_operation_of_both(tmp_path):
    program = Path(__file__).parents[3] / "benchmarks" / "client_cost.py"
    benchmark = runpy.run_path(str(program))
    file = tmp_path / "small.bin"
    file.write_bytes(b"small")
    with RegistryServer(EmbeddedRegistry()) as server:
        pairs = benchmark["measured"]("push", f"{server.address}/a:v1", file, 1)
        with oras.Client() as client:
            assert client.read(f"{server.address}/a:v1") == b"small"
    assert len(pairs.facade) == len(pairs.client) == 1
    assert pairs.ratio() == pairs.client[0].cpu / pairs.facade[0].cpu
