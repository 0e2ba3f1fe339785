"""Clients that are Python libraries, each with the interpreter that has it."""

from __future__ import annotations

import json
from pathlib import Path

from attrs import field, frozen

from side_by_side.clients.client import REPOSITORY, TAG, Command, Job
from side_by_side.workloads import Step

_HERE = Path(__file__).parent


@frozen
class OrasLibrary:
    """A library with the names of oras-py; `path` is where it is found, if not installed."""

    name: str
    version: str
    python: Path
    path: Path | None = None

    def command(self, job: Job) -> Command | None:
        """Push, pull, list or import by `oras.client`."""
        # Two libraries may have one name, so that the environment chooses the library.
        environment = {} if self.path is None else {"PYTHONPATH": str(self.path)}
        if job.ca_file is not None:
            environment["SSL_CERT_FILE"] = str(job.ca_file)
        if job.cache is not None:
            environment["ORAS_CONFIG"] = str(_settings(job.scratch, job.cache))
        if job.step is Step.START:
            arguments: tuple[str, ...] = ("-c", "import oras.client")
        else:
            program = str(_HERE / "oras_program.py")
            arguments = (program, _verb(job.step), job.target, *_paths(job))
        return Command((str(self.python), *arguments), environment=environment)


@frozen
class Dxf:
    """The library python-dxf."""

    version: str
    python: Path
    name: str = field(default="python-dxf", init=False)

    def command(self, job: Job) -> Command | None:
        """Push, pull, list or import; it knows no folders."""
        if job.step is Step.START:
            return Command((str(self.python), "-c", "import dxf"))
        if job.content.is_folder:
            return None
        program = str(_HERE / "dxf_program.py")
        named = (job.address, REPOSITORY, TAG)
        return Command((str(self.python), program, _verb(job.step), *named, *_paths(job)))


@frozen
class PythonAlone:
    """An interpreter that starts and ends: the lower bound of every Python library."""

    version: str
    python: Path
    name: str = field(default="Python alone", init=False)

    def command(self, job: Job) -> Command | None:
        """Start."""
        return Command((str(self.python), "-c", "pass")) if job.step is Step.START else None


def _settings(scratch: Path, cache: Path) -> Path:
    path = scratch / "config.toml"
    lines = ["[transfer]", "digest_cache = true", f"cache_directory = {json.dumps(str(cache))}"]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _verb(step: Step) -> str:
    return step.split()[0]


def _paths(job: Job) -> tuple[str, ...]:
    if job.step in (Step.PUSH, Step.PUSH_AGAIN):
        return tuple(map(str, job.content.paths))
    return (str(job.output),) if job.step in (Step.PULL, Step.PULL_AGAIN) else ()
