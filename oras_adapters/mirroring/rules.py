"""The rules file of a mirror, `mirror.toml`, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Literal, get_args

from attrs import evolve, field, frozen, validators
from cattrs import Converter

from oras_adapters.settings.settings_file import load, strict_converter, structure
from oras_core.errors import InvalidConfigurationError, OrasError
from oras_core.mirroring.hosts import RetryRules
from oras_core.mirroring.limits import HostLimits
from oras_core.mirroring.plan import TAGS_PER_JOB, Mirror
from oras_core.mirroring.selection import Selection
from oras_core.model.platform import Platform

__all__ = ["ExecutorName", "Rules", "RunRules", "read_rules"]

ExecutorName = Literal["threads", "processes", "dask"]
"""The executor that runs the jobs of a mirror."""

_at_least_one = validators.ge(1)


@frozen
class RunRules:
    """The executor and the ledger of a run.

    Attributes:
        executor: the kind of executor that runs the jobs.
        workers: the number of worker processes. With `threads` there is one process, with
            `jobs` threads for each worker.
        jobs: the number of jobs that one worker runs at the same time; 1 with `processes`.
        scheduler: the address of a Dask scheduler; empty for workers on this machine.
        ledger: the path of the ledger; a relative one is below the folder of the rules.
        tags_per_job: the largest number of tags of one job.
    """

    executor: ExecutorName = "threads"
    workers: int = field(default=1, validator=_at_least_one)
    jobs: int = field(default=4, validator=_at_least_one)
    scheduler: str = ""
    ledger: str = "mirror.sqlite"
    tags_per_job: int = field(default=TAGS_PER_JOB, validator=_at_least_one)


@frozen
class MirrorTable:
    """One `[[mirror]]` table; see `Mirror` and `Selection`.

    `referrers = false` copies no referrers; `referrer_types` limits them to some types.
    """

    source: str
    destination: str
    repositories: tuple[str, ...] = ()
    exclude_repositories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    exclude_tags: tuple[str, ...] = ()
    newest: int | None = None
    newest_by: Literal["created", "version"] = "created"
    since: datetime | None = None
    artifact_types: tuple[str, ...] = ()
    platform: str | None = None
    referrers: bool = True
    referrer_types: tuple[str, ...] = ()

    def mirror(self) -> Mirror:
        """Return the mirror.

        Raises:
            OrasError: if a value is malformed.
        """
        selection = Selection(
            self.repositories,
            self.exclude_repositories,
            self.tags,
            self.exclude_tags,
            self.newest,
            self.newest_by,
            self.since,
            self.artifact_types,
            None if self.platform is None else Platform.parse(self.platform),
            (self.referrer_types or None) if self.referrers else (),
        )
        return Mirror(self.source, self.destination, selection)


@frozen
class _File:
    mirror: tuple[MirrorTable, ...]
    run: RunRules = field(factory=RunRules)
    retry: RetryRules = field(factory=RetryRules)
    limits: Mapping[str, HostLimits] = field(factory=dict)


@frozen
class Rules:
    """The rules of a mirror.

    Attributes:
        mirrors: the registries and repositories to mirror.
        run: the executor and the ledger, whose path is absolute.
        retry: how often and when failed jobs are repeated.
        limits: the limits of registries, by host.
    """

    mirrors: tuple[Mirror, ...]
    run: RunRules = field(factory=RunRules)
    retry: RetryRules = field(factory=RetryRules)
    limits: Mapping[str, HostLimits] = field(factory=dict)


def read_rules(path: Path) -> Rules:
    """Read a rules file.

    Raises:
        InvalidConfigurationError: if the file or a rule is invalid; names both.
    """
    document = load(path)
    if not isinstance(document.get("mirror"), list) or not document["mirror"]:
        raise InvalidConfigurationError(str(path), "it has no table [[mirror]]: nothing to mirror")
    file = structure(document, _File, source=str(path), converter=_converter())
    try:
        mirrors = tuple(table.mirror() for table in file.mirror)
    except (OrasError, ValueError) as error:
        raise InvalidConfigurationError(str(path), f"in [[mirror]]: {error}") from None
    run = evolve(file.run, ledger=str(path.parent / file.run.ledger))
    return Rules(mirrors, run, file.retry, file.limits)


def _converter() -> Converter:
    converter = strict_converter()
    converter.register_structure_hook(datetime, _moment)
    converter.register_structure_hook_func(_is_literal, _one_of)
    return converter


def _moment(value: object, _: type) -> datetime:
    """Read a TOML date, or a date with a time; without a time zone, it is in UTC."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise TypeError(f"expected a date, found {value!r}")


def _is_literal(kind: Any) -> bool:  # noqa: ANN401 - a type expression
    return getattr(kind, "__origin__", None) is Literal


def _one_of(value: object, kind: Any) -> object:  # noqa: ANN401 - a type expression
    if value not in get_args(kind):
        raise ValueError(f"expected {' or '.join(map(repr, get_args(kind)))}, found {value!r}")
    return value
