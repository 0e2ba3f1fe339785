"""Processes that attach to one subject at once, where clients keep the list (R30)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_core.model import media_types
from oras_core.registry.registry import RemoteRegistry
from oras_core.testing.contracts.content_access import push_artifact, push_blob
from support import attaching

PROCESSES = 12


def start(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, attaching.__file__, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.long
@pytest.mark.timeout(300)
def test_concurrent_attaches_of_processes_lose_no_referrer(shared_registry, repository_name):
    address = shared_registry.address
    with Urllib3Transport() as transport:
        registry = RemoteRegistry(address, transport, plain_http=True)
        app = registry.repository(repository_name)
        subject = push_artifact(app, b"subject").descriptor
        push_blob(app, media_types.EMPTY_CONFIG)
        arguments = address, repository_name, str(subject.digest)
        processes = [start(*arguments, str(number)) for number in range(PROCESSES)]
        try:
            assert [p.stdout.readline() for p in processes] == ["ready\n"] * PROCESSES
            for process in processes:
                process.stdin.close()
            attached = {process.stdout.read().strip() for process in processes}
            assert [process.wait(60) for process in processes] == [0] * PROCESSES
        finally:
            for process in processes:
                process.kill()
                process.wait()
                process.stdout.close()
        assert {str(found.digest) for found in app.referrers(subject)} == attached
        assert len(attached) == PROCESSES
