"""The pauses of registries in a run, and the registries that the run gives up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from attrs import define, field, frozen, validators

__all__ = ["Hosts", "RetryRules"]


@frozen
class RetryRules:
    """How often and when failed jobs are repeated. Times are in seconds.

    They are added to the retries of single requests (`RetryPolicy`).

    Attributes:
        attempts: the largest number of attempts of one job.
        backoff: the first pause for a registry that fails; each further pause is twice as
            long.
        max_backoff: the longest pause.
        max_failures: the number of pauses in a row, without a success between, after which
            the run gives up the registry. Its jobs stay open for the next run.
    """

    attempts: int = field(default=5, validator=validators.ge(1))
    backoff: float = field(default=2.0, validator=validators.ge(0))
    max_backoff: float = field(default=300.0, validator=validators.ge(0))
    max_failures: int = field(default=8, validator=validators.ge(1))


@define
class _State:
    not_before: float = 0.0
    failures: int = 0
    successes: int = 0


class Hosts:
    """The pauses of registries. Not thread-safe."""

    def __init__(self, rules: RetryRules, now: Callable[[], float] = time.monotonic) -> None:
        """Begin without pauses; `now` is a monotonic clock in seconds."""
        self._rules = rules
        self._now = now
        self._states: dict[str, _State] = {}

    def note_pauses(self, pauses: Mapping[str, float]) -> None:
        """Note the pauses in seconds that registries demanded from a worker."""
        for host, seconds in pauses.items():
            state = self._states.setdefault(host, _State())
            state.not_before = max(state.not_before, self._now() + seconds)

    def note_success(self, *hosts: str) -> None:
        """Note that a job between registries succeeded."""
        for host in hosts:
            state = self._states.setdefault(host, _State())
            state.failures = 0
            state.successes += 1

    def successes(self, host: str) -> int:
        """Return the number of jobs of a registry that succeeded."""
        return self._states[host].successes if host in self._states else 0

    def note_failure(self, host: str) -> None:
        """Note that a registry failed, and pause.

        Jobs that were in flight when the pause began fail too: they do not extend it.
        """
        state = self._states.setdefault(host, _State())
        now = self._now()
        if state.not_before > now and state.failures:
            return
        state.failures += 1
        longest = self._rules.backoff * 2.0 ** min(state.failures - 1, 60)
        pause = min(self._rules.max_backoff, longest)
        state.not_before = max(state.not_before, now + pause)

    def is_given_up(self, *hosts: str) -> bool:
        """Tell whether the run gives up one of the registries."""
        return any(self._states[h].failures >= self._rules.max_failures for h in self._known(hosts))

    def given_up(self) -> tuple[str, ...]:
        """Return the registries that the run gives up."""
        return tuple(host for host in self._states if self.is_given_up(host))

    def remaining(self, *hosts: str) -> float:
        """Return the seconds until all of the registries may be used again; 0 for now."""
        latest = max((self._states[host].not_before for host in self._known(hosts)), default=0.0)
        return max(0.0, latest - self._now())

    def _known(self, hosts: Iterable[str]) -> list[str]:
        return [host for host in hosts if host in self._states]
