"""Repositories to mirror over sockets, and what a ledger says of their mirror."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

from oras_adapters.factory import compose
from oras_core.testing.contracts.content_access import push_artifact

RULES = """
[run]
executor = "{executor}"
workers = {workers}
jobs = {jobs}
ledger = "{executor}.sqlite"

[[mirror]]
source = "{source}"
destination = "{destination}/{prefix}"
repositories = ["app/*"]
"""


def fill(address, repositories, *, shared=(), threads=8):
    """Push an artifact, and for each third one a signature, to repositories below `app`."""

    def push(number):
        repository = parts.repository(f"{address}/app/a{number:03}")
        own = f"{number:03}".encode() * 7000
        blobs = (own, shared[number % len(shared)]) if shared else (own,)
        document = push_artifact(repository, *blobs)
        repository.tag(document.descriptor.plain(), "v1")
        if number % 3 == 0:
            push_artifact(repository, b"signature %d" % number, subject=document.descriptor)

    with compose() as parts, ThreadPoolExecutor(threads) as executor:
        list(executor.map(push, range(repositories)))


def write_rules(folder, source, destination, *, executor, workers, jobs, prefix="copies"):
    """Write rules for `app/*`, with the ledger beside them; return their path."""
    path = folder / f"{executor}.toml"
    path.write_text(
        RULES.format(
            executor=executor,
            workers=workers,
            jobs=jobs,
            source=source,
            destination=destination,
            prefix=prefix,
        )
    )
    return path


def records(ledger):
    """Return the records in a ledger without the destination, which differs between runs."""
    connection = sqlite3.connect(ledger)
    try:
        return connection.execute(
            "SELECT source, state, tags, moved, skipped, mounted, bytes, names, failure "
            "FROM job ORDER BY source"
        ).fetchall()
    finally:
        connection.close()
