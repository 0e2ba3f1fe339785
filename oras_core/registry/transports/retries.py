"""Retries of requests that may succeed later (R33)."""

from __future__ import annotations

import logging
import math
import re
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen, validators

from oras_core.cancellation import current_token, sleep
from oras_core.errors import TransportError, TransportTimeoutError, redact_url
from oras_core.model.values import Value
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.transports.redirects import origin_of

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["RetryPolicy", "Retrying", "is_retryable", "retry_after"]

_LOGGER = logging.getLogger(__name__)

_NOT_IMPLEMENTED: Final = 501
_VERSION_UNSUPPORTED: Final = 505


def is_retryable(status: int) -> bool:
    """Tell whether the same request may succeed later.

    That holds for 408, 429 and 5xx, except 501 and 505, which do not change.
    """
    if status in (_NOT_IMPLEMENTED, _VERSION_UNSUPPORTED):
        return False
    return status in (408, 429) or 500 <= status <= 599


@cache
def _seconds() -> re.Pattern[str]:
    return re.compile(r"[0-9]+(?:\.[0-9]+)?\Z")


def _moment(text: str) -> datetime | None:
    from datetime import UTC  # noqa: PLC0415 - slow to import, and few responses demand a pause
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - likewise

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def retry_after(headers: Headers, *, clock: Callable[[], float] = time.time) -> float | None:
    """Return the pause in seconds that a response demands; None if it demands none.

    `Retry-After` is a number of seconds or an HTTP date (RFC 9110, section 10.2.3). A date
    counts from the response's own `Date` if it has one, since the two clocks may differ, else
    from `clock`, in seconds since the epoch. A past date gives 0, a malformed value None.
    """
    text = headers.get("Retry-After", "").strip()
    if _seconds().match(text):
        return float(text)
    moment = _moment(text)
    if moment is None:
        return None
    answered = _moment(headers.get("Date", ""))
    start = clock() if answered is None else answered.timestamp()
    return max(0.0, moment.timestamp() - start)


def _random() -> float:
    from random import random  # noqa: PLC0415 - slow to import, and few requests are repeated

    return random()  # noqa: S311 - no secret


def _is_too_long(pause: float) -> bool:
    """Tell whether the operation's deadline is before the end of a pause."""
    return pause >= current_token().deadline - time.monotonic()


@frozen(eq=False, repr=False)
class RetryPolicy(Value):
    """How often and after which pauses a request is sent again. Times are in seconds.

    Attributes:
        attempts: the largest number of attempts; 1 means no retry.
        backoff: the first pause; each further pause is twice as long.
        timeouts: the largest number of attempts that end in a timeout: a server that stayed
            silent twice is not worth a third wait.
        max_backoff: the longest pause that the client chooses.
        max_pause: the longest pause that a registry may demand. If it demands more, its
            response is returned at once.
    """

    attempts: int = field(default=5, validator=validators.ge(1))
    backoff: float = field(default=0.25, validator=validators.ge(0))
    max_backoff: float = field(default=30.0, validator=validators.ge(0))
    max_pause: float = field(default=60.0, validator=validators.ge(0))
    timeouts: int = field(default=2, validator=validators.ge(1), kw_only=True)

    def pause(self, attempt: int, *, chance: float) -> float:
        """Return the pause after attempt number `attempt`, counted from 1.

        `chance`, from 0 to 1, shortens it by up to half, so that clients that failed at the
        same time do not retry at the same time.
        """
        longest = min(self.max_backoff, self.backoff * 2.0 ** min(attempt - 1, 60))
        return longest * (1.0 - 0.5 * chance)


class Retrying:
    """A transport that sends a request again if that may help. Thread-safe.

    A request can be repeated since its body can be opened again. A request that is not
    `repeatable` is sent again after a response that allows a retry, not after a broken
    connection. The last attempt's response is returned, or its error raised.

    After 429 or `Retry-After` all threads pause.
    """

    def __init__(
        self,
        transport: HttpTransport,
        policy: RetryPolicy | None = None,
        *,
        sleep: Callable[[float], object] = sleep,
        now: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = _random,
    ) -> None:
        """Wrap `transport`.

        Args:
            transport: the transport to wrap.
            policy: how often to try, and after which pauses.
            sleep: waits for a number of seconds, or raises if it is cancelled.
            now: a monotonic clock in seconds.
            clock: the time in seconds since the epoch, for `Retry-After` dates.
            chance: a random number from 0 to 1.
        """
        self._transport = transport
        self._policy = policy or RetryPolicy()
        self._sleep = sleep
        self._now = now
        self._clock = clock
        self._chance = chance
        self._lock = threading.Lock()
        self._not_before: dict[str, float] = {}

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`, as often as the policy allows.

        Raises:
            TransportError: if the last attempt got no response, or an attempt failed and the
                request is not repeatable.
            CancelledError: if the thread's token is cancelled, also within a pause.
        """
        host = origin_of(request.url)
        attempt = 1
        silent = 0
        pause = 0.0
        carried_out = False  # perhaps, by an earlier attempt
        while True:
            self._wait(host, pause)
            try:
                response = self._transport.send(request)
            except TransportError as error:
                if not (error.retryable and request.repeatable):
                    raise
                pause = self._policy.pause(attempt, chance=self._chance())
                silent += isinstance(error, TransportTimeoutError)
                exhausted = attempt >= self._policy.attempts or silent >= self._policy.timeouts
                if exhausted or _is_too_long(pause):
                    raise
                carried_out = True
                self._report(request, error.reason, pause, attempt)
            else:
                asked = self._pause_after(response, attempt, host)
                # The server may have kept a part of an upload that failed (R17).
                is_final = not request.repeatable and response.status != 429
                if asked is None or is_final or _is_too_long(asked):
                    return evolve(response, repeated=True) if carried_out else response
                response.close()
                carried_out = carried_out or response.status >= 500
                pause = asked
                self._report(request, f"status {response.status}", pause, attempt)
            attempt += 1

    def _pause_after(self, response: HttpResponse, attempt: int, host: str) -> float | None:
        """Return the pause before another attempt; None for no other attempt."""
        if not is_retryable(response.status):
            return None
        asked = retry_after(response.headers, clock=self._clock)
        wanted = self._policy.pause(attempt, chance=self._chance())
        if asked is not None:
            if asked > self._policy.max_pause:
                return None
            # A random addition: other clients got the same second.
            wanted = asked + min(wanted, self._policy.backoff)
        if asked is not None or response.status == 429:
            self._slow_down(host, wanted)
        return wanted if attempt < self._policy.attempts else None

    def _slow_down(self, host: str, pause: float) -> None:
        with self._lock:
            until = self._now() + pause
            self._not_before[host] = max(self._not_before.get(host, -math.inf), until)

    def _wait(self, host: str, pause: float) -> None:
        with self._lock:
            remaining = self._not_before.get(host, -math.inf) - self._now()
            if remaining <= 0:
                self._not_before.pop(host, None)
        # Wait once only: threads that extend the pause must not block one another for ever.
        longest = max(pause, remaining)
        # A request with an earlier deadline does not wait.
        if longest > 0 and not _is_too_long(longest):
            self._sleep(longest)

    def _report(self, request: HttpRequest, why: str, pause: float, attempt: int) -> None:
        _LOGGER.info(
            "%s %s: %s; attempt %d of %d follows in %.1f s",
            request.method,
            redact_url(request.url),
            why,
            attempt + 1,
            self._policy.attempts,
            pause,
        )
