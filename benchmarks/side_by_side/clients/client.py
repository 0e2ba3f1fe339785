"""The base of all clients, which turn a job into a command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from side_by_side.material import Content
from side_by_side.workloads import Step

REPOSITORY = "benchmarks/content"
TAG = "v1"


@frozen
class Job:
    """One step, and all that a client needs to know of it.

    `scratch` is an empty folder for what the client wants to have at hand; a pull writes to the
    folder `output`. `ca_file` is the authority of a registry that speaks HTTPS. `cache` is a folder
    that stays from one step to the next, for clients that keep digests.
    """

    step: Step
    address: str
    content: Content
    scratch: Path
    output: Path
    ca_file: Path | None = None
    cache: Path | None = None

    @property
    def target(self) -> str:
        """The artifact, as a reference."""
        return f"{self.address}/{REPOSITORY}:{TAG}"

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "http" if self.ca_file is None else "https"


@frozen
class Command:
    """A program to run. Its folder is its home unless `cwd` names another."""

    arguments: tuple[str, ...]
    cwd: Path | None = None
    environment: Mapping[str, str] = field(factory=dict)


class Client(Protocol):
    """Something that pushes and pulls."""

    @property
    def name(self) -> str:
        """The name in tables and legends."""

    @property
    def version(self) -> str:
        """The installed release."""

    def command(self, job: Job) -> Command | None:
        """Prepare outside the measurement, and return the command; None if it is impossible."""
