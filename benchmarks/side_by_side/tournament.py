"""The clients take turns: in every repetition each does its step once, and then comes the next.

So whatever changes on the machine meanwhile changes for all of them. What a client has pushed and
pulled is looked at the first time, outside of what is measured.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from attrs import evolve, frozen

from side_by_side.clients.client import Client, Job
from side_by_side.clients.present import CURL, OURS
from side_by_side.delayed_line import delayed_line
from side_by_side.material import Content, Material
from side_by_side.measuring import ClientError, Measure, measure
from side_by_side.registry_content import check_pulled, check_pushed, fill, multiply_tag
from side_by_side.results import Results, Row
from side_by_side.workloads import Files, Folder, Start, Step, Tags, Workload
from support.certificates import write_certificates
from support.docker_registry import DockerRegistry, RegistryConfig

_STARTS = 5
"""Starts for one repetition of anything else: each takes only tens of milliseconds."""


_SETTLE_SECONDS = 2.2

_MANY = 2000

_LONG_SECONDS = 5.0
"""A turn that takes longer is not repeated: chance weighs little in it, and minutes are dear."""


class _UnableError(Exception):
    """A client knows no way to do a step."""


@frozen
class _Turn:
    """A client that does a workload, for the first time or again."""

    client: Client
    workload: Workload
    content: Content
    is_first: bool


class Tournament:
    """Measures workloads below a folder; `tell` is called with every measure."""

    def __init__(
        self, clients: list[Client], folder: Path, repetitions: int, tell: Callable[[str], None]
    ) -> None:
        self.results = Results()
        self._clients = clients
        self._folder = folder
        self._material = Material(folder / "material")
        self._repetitions = repetitions
        self._tell = tell

    def run(self, workload: Workload) -> None:
        """Measure everything that is done with one workload."""
        match workload:
            case Files(count=count, size=size):
                self._transfers(workload, self._material.files(count, size))
            case Folder(count=count):
                self._transfers(workload, self._material.folder(count))
            case Tags(count=count):
                self._listings(workload, count)
            case Start():
                self._turns(workload, Content(()), self._start, self._repetitions * _STARTS)

    def _transfers(self, workload: Files | Folder, content: Content) -> None:
        self._turns(workload, content, self._push, self._repetitions)
        with self._registry(workload) as registry:
            fill(registry, content)
            self._turns(
                workload, content, lambda turn: self._pull(turn, registry), self._repetitions
            )

    def _listings(self, workload: Tags, count: int) -> None:
        content = self._material.files(1, 1)
        with self._registry(workload) as registry:
            fill(registry, content)
            multiply_tag(registry.storage, count)
            self._turns(
                workload, content, lambda turn: self._list(turn, registry), self._repetitions
            )

    def _turns(
        self,
        workload: Workload,
        content: Content,
        take: Callable[[_Turn], None],
        repetitions: int,
    ) -> None:
        """Let all clients take their turns, without those that could not or take too long."""
        able = list(self._clients)
        for repetition in range(repetitions):
            for client in tuple(able):
                begin = time.monotonic()
                try:
                    take(_Turn(client, workload, content, is_first=repetition == 0))
                except _UnableError:
                    able.remove(client)
                except ClientError as error:
                    able.remove(client)
                    note = f"{client.name}, {workload.what}: {error}"
                    self.results.notes.append(note)
                    self._tell(note)
                else:
                    if time.monotonic() - begin > _LONG_SECONDS:
                        able.remove(client)

    def _push(self, turn: _Turn) -> None:
        # A registry without content, or memory of any, for every push.
        with self._registry(turn.workload) as registry, _line(turn, registry) as address:
            self._step(turn, Step.PUSH, registry, address)
            if turn.is_first:
                check_pushed(registry, turn.content)
            if _is_repeated(turn):
                self._step(turn, Step.PUSH_AGAIN, registry, address)

    def _pull(self, turn: _Turn, registry: DockerRegistry) -> None:
        shutil.rmtree(self._output, ignore_errors=True)
        self._output.mkdir()
        with _line(turn, registry) as address:
            self._step(turn, Step.PULL, registry, address)
            if turn.is_first:
                check_pulled(self._output, turn.content)
            if _is_repeated(turn):
                if _remembers(turn.workload):
                    # A digest is kept of a file that was written two seconds ago, and no sooner.
                    time.sleep(_SETTLE_SECONDS)
                    self._run(turn, Step.PULL_AGAIN, registry, address)
                self._step(turn, Step.PULL_AGAIN, registry, address)

    def _list(self, turn: _Turn, registry: DockerRegistry) -> None:
        listed = self._step(turn, Step.LIST, registry, registry.address)
        if listed is not None and turn.workload != Tags(listed):
            raise ClientError(f"lists {listed} tags")

    def _start(self, turn: _Turn) -> None:
        self._step(turn, Step.START, None, "")

    def _step(
        self, turn: _Turn, step: Step, registry: DockerRegistry | None, address: str
    ) -> int | None:
        """Measure one process; return the number of tags that it has listed, where it says so."""
        measured = self._run(turn, step, registry, address)
        row = Row(step, turn.workload)
        self.results.add(row, turn.client.name, measured)
        self._tell(f"{row.title}: {turn.client.name} {measured.wall:.3f} s")
        return measured.listed

    def _run(
        self, turn: _Turn, step: Step, registry: DockerRegistry | None, address: str
    ) -> Measure:
        if not _is_able(turn.client, turn.workload):
            raise _UnableError
        scratch = self._folder / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        job = Job(
            step,
            address,
            turn.content,
            scratch,
            self._output,
            ca_file=registry.ca_file if registry else None,
            cache=self._folder / "cache" if _remembers(turn.workload) else None,
        )
        command = turn.client.command(job)
        if command is None:
            raise _UnableError
        if registry is None:
            return measure(command, scratch)
        with registry.recording() as requests:
            measured = measure(command, scratch)
        return evolve(measured, requests=len(requests))

    @property
    def _output(self) -> Path:
        return self._folder / "output"

    def _registry(self, workload: Workload) -> DockerRegistry:
        if not (isinstance(workload, Files) and workload.tls):
            return DockerRegistry(RegistryConfig(self._folder))
        folder = self._folder / "certificates"
        folder.mkdir(exist_ok=True)
        return DockerRegistry(RegistryConfig(self._folder, certificates=write_certificates(folder)))


def _line(turn: _Turn, registry: DockerRegistry) -> AbstractContextManager[str]:
    files = turn.workload if isinstance(turn.workload, Files) else Files(0, 0)
    return delayed_line(registry.address, files.delay, files.rate)


def _remembers(workload: Workload) -> bool:
    return isinstance(workload, Files) and workload.remembers


def _is_able(client: Client, workload: Workload) -> bool:
    """Tell whether a client is measured.

    HTTPS and kept digests are set up for some clients only, and many files take the others minutes.
    """
    if not isinstance(workload, Files) or client.name in (OURS, CURL):
        return True
    return not (workload.tls or workload.remembers or workload.count > _MANY)


def _is_repeated(turn: _Turn) -> bool:
    return isinstance(turn.workload, Files) and turn.workload.again
