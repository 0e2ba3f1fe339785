"""Processes that push artifacts with shared blobs into one repository, and read them (R37).

Without a cache of blob descriptors, each read of docker-registry follows the link file of a blob,
which a write of the same blob truncates for a moment.
"""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import oras.client
from support.docker_registry import DockerRegistry

PROCESSES = 8
ARTIFACTS = 20
SECONDS = 120

PUSHER = """
import sys, oras.client
address, repository, name, count = sys.argv[1:]
client = oras.client.OrasClient()
for number in range(int(count)):
    path = f"{name}-{number}.txt"
    open(path, "w").write(path)
    client.push(target=f"{address}/{repository}:{name}-{number}", files=[path], quiet=True)
"""

READER = """
import sys, urllib.request
url = sys.argv[1]
reads = 0
print("reading", flush=True)
while True:
    with urllib.request.urlopen(url, timeout=10) as response:
        assert response.read() == b"{}"
    reads += 1
    if reads % 200 == 0:
        print(reads, flush=True)
"""


@pytest.mark.long
@pytest.mark.timeout(300)
def test_concurrent_pushes_and_reads_all_succeed(
    shared_registry: DockerRegistry, repository_name, tmp_path: Path
):
    client = oras.client.OrasClient()
    (tmp_path / "first.txt").write_text("first")
    client.push(
        target=f"{shared_registry.address}/{repository_name}:first",
        files=[str(tmp_path / "first.txt")],
        disable_path_validation=True,
        quiet=True,
    )
    manifest = client.get_manifest(f"{shared_registry.address}/{repository_name}:first")
    shared = f"{shared_registry.url}/v2/{repository_name}/blobs/{manifest['config']['digest']}"
    with urllib.request.urlopen(shared, timeout=10) as response:
        assert response.read() == b"{}"
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, shared],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pushers = [
        subprocess.Popen(
            [sys.executable, "-c", PUSHER, shared_registry.address, repository_name, f"p{number}",
             str(ARTIFACTS)],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]  # fmt: skip
    try:
        failures = [pusher.communicate(timeout=SECONDS)[1] for pusher in pushers]
        assert [failure for failure in failures if failure] == []
        assert reader.poll() is None, reader.stderr.read()
    finally:
        for process in (reader, *pushers):
            process.kill()
            process.communicate()
    tags = client.get_tags(f"{shared_registry.address}/{repository_name}")
    assert len(tags) == PROCESSES * ARTIFACTS + 1
