"""Decorators for methods of custom clients."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from random import random
from typing import Any, Final, ParamSpec, TypeVar

from oras.logger import logger
from oras_core.cancellation import sleep
from oras_core.errors import OrasError, TransportError
from oras_core.ports.http import Headers
from oras_core.registry.transports.retries import RetryPolicy, is_retryable, retry_after

__all__ = ["TARGET_PARAMETERS", "ensure_container", "retry"]

P = ParamSpec("P")
T = TypeVar("T")

TARGET_PARAMETERS: Final = ("container", "package", "target", "uri", "reference", "image")
"""Names under which a method may take its target, wherever it stands."""

MAX_WAIT: Final = 60.0
"""Seconds that one decorated call may spend waiting between attempts, all in all."""


def ensure_container(func: Callable[P, T]) -> Callable[P, T]:
    """Let a method take a name or a `Container` as its target, and see a `Container`.

    The target is the first of the method's parameters that is called as one of
    `TARGET_PARAMETERS`; where none is, the first parameter after `self`. It is found by
    position and by keyword, and parsed with the object's `get_container`. An argument
    `container=…` is a target in any case.
    """
    names = [
        parameter.name
        for parameter in inspect.signature(func).parameters.values()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ][1:]
    position = next((at for at, name in enumerate(names) if name in TARGET_PARAMETERS), 0)
    target = names[position] if names else ""

    @wraps(func)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        client: Any = args[0]
        given: dict[str, Any] = kwargs
        if "container" in given:
            given["container"] = client.get_container(given["container"])
        elif target in given:
            given[target] = client.get_container(given[target])
        elif len(args) > position + 1:
            at = position + 1
            parsed: Any = (*args[:at], client.get_container(args[at]), *args[at + 1 :])
            return func(*parsed, **kwargs)
        return func(*args, **kwargs)

    return wrapper


def retry(attempts: int = 5, timeout: float = 2) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Call a function again after failures that may pass (R33).

    These are: no connection or no answer in time, and an answer with status 408, 429 or
    5xx (but 501 and 505 stay). Anything else comes at once, a refused credential or
    certificate above all. The last attempt's answer or error is the caller's. The
    client's own methods need no such decorator: their transport retries.

    Args:
        attempts: how many calls at most.
        timeout: seconds to wait after the first failure; each further wait is twice as
            long, all are up to half shorter by chance, or as long as the answer's
            `Retry-After` asks for. Where the waits would exceed `MAX_WAIT` in all, the last
            failure counts.
    """
    policy = RetryPolicy(attempts=max(attempts, 1), backoff=timeout)

    def decorator(func: Callable[P, T]) -> Callable[P, T]:
        @wraps(func)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            left = MAX_WAIT
            for attempt in range(1, policy.attempts):
                wait = policy.pause(attempt, chance=random())  # noqa: S311 - no secret
                try:
                    result = func(*args, **kwargs)
                except Exception as error:
                    if not _may_pass(error) or wait > left:
                        raise
                    # Another library's message may hold a URL with its signature (R32).
                    reason = str(error) if isinstance(error, OrasError) else type(error).__name__
                else:
                    status = getattr(result, "status_code", None)
                    if not isinstance(status, int) or not is_retryable(status):
                        return result
                    asked = retry_after(Headers(getattr(result, "headers", None) or {}))
                    wait = wait if asked is None else asked
                    if wait > left:
                        return result
                    reason = f"status {status}"
                logger.info(f"Retrying in {wait:g} seconds - error: {reason}")
                left -= wait
                sleep(wait)
            return func(*args, **kwargs)

        return wrapper

    return decorator


def _may_pass(error: Exception) -> bool:
    if isinstance(error, TransportError):
        return error.retryable
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    # Custom clients often call `requests`; known by name, since it is no dependency.
    names = {cls.__name__ for cls in type(error).__mro__ if cls.__module__ == "requests.exceptions"}
    return bool(names & {"ConnectionError", "Timeout"}) and "SSLError" not in names
