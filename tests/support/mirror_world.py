"""Registries in memory to mirror between."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from oras_core.copying.options import CopyOptions
from oras_core.mirroring.hosts import RetryRules
from oras_core.mirroring.job import Job
from oras_core.mirroring.ledger import MemoryLedger
from oras_core.mirroring.plan import Mirror, plan_mirror
from oras_core.mirroring.running import RunOptions, run_mirrors
from oras_core.mirroring.selection import Selection
from oras_core.mirroring.verification import verify_job, verify_mirror
from oras_core.mirroring.working import perform
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.retries import RetryPolicy
from oras_core.testing.contracts.content_access import push_artifact
from oras_core.testing.registry.registry import EmbeddedRegistry

SOURCE, DESTINATION = "source.example", "mirror.example"

ALONE = CopyOptions(concurrency=1)
FAST = RetryRules(attempts=3, backoff=0.0, max_failures=4)


class World:
    """Two registries; a `Registries` of them. Either transport may be replaced by a faulty one."""

    def __init__(self, *, source=None, **transports):
        self.source = source or EmbeddedRegistry()
        self.destination = EmbeddedRegistry()
        self.transports = {SOURCE: self.source, DESTINATION: self.destination, **transports}
        self._registries = {}
        self.demanded = {}

    def registry(self, host):
        if host not in self._registries:
            self._registries[host] = RemoteRegistry(
                host, self.transports[host], retry_policy=RetryPolicy(attempts=1)
            )
        return self._registries[host]

    def pauses(self) -> Mapping[str, float]:
        return self.demanded

    def forget(self, host):
        """Reach a registry by its present transport."""
        self._registries.pop(host, None)

    def mend(self, host):
        """End the faults of a registry."""
        self.transports[host] = self._plain(host)
        self.forget(host)

    def repository(self, name, host=SOURCE):
        return RemoteRegistry(host, self._plain(host)).repository(name)

    def _plain(self, host):
        return self.source if host == SOURCE else self.destination

    def push(self, name, *tags, host=SOURCE, **about):
        """Push an artifact of two blobs, one of which `shared` names; return its manifest."""
        repository = self.repository(name, host)
        blobs = about.pop("blobs", (f"{name}:{tags[:1]}".encode() * 400,))
        document = push_artifact(repository, *blobs, **about)
        for tag in tags:
            repository.tag(document.descriptor.plain(), tag)
        return document

    def uploads(self):
        """Return the digests of the blobs that were uploaded to the destination, in order."""
        return [
            request.query.partition("digest=")[2]
            for request in self.destination.requests
            if request.method == "PUT" and "/blobs/uploads/" in request.path
        ]


def mirror(**selection):
    """Return the mirror of the source."""
    return Mirror(SOURCE, DESTINATION, Selection(**selection))


def jobs_of(world, **selection):
    """Return the jobs of the plan."""
    return [event for event in plan_mirror(mirror(**selection), world) if isinstance(event, Job)]


def run(
    world,
    ledger=None,
    *mirrors,
    threads=2,
    work=None,
    only_failed=False,
    executor=ThreadPoolExecutor,
    **options,
):
    """Run a mirror in threads."""
    own = RunOptions(**{"retry": FAST, "concurrency": 1, **options})
    with executor(threads) as pool:
        return run_mirrors(
            mirrors or (mirror(),),
            world,
            pool,
            work or partial(perform, registries=world, options=ALONE),
            ledger or MemoryLedger(),
            options=own,
            only_failed=only_failed,
        )


def differences(world, *, deep=True, mirrors=None):
    """Return the differences between both sides."""
    verify = partial(verify_job, registries=world, deep=deep, options=ALONE)
    with ThreadPoolExecutor(2) as executor:
        return list(verify_mirror(mirrors or [mirror()], world, executor, verify))
