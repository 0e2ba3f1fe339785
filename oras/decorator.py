"""Decorators for methods of custom clients."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Final,
    ParamSpec,
    Protocol,
    TypeVar,
    overload,
)

from oras._names import module_attributes
from oras.logger import logger
from oras_core.cancellation import sleep
from oras_core.errors import OrasError, TransportError
from oras_core.ports.http import Headers
from oras_core.registry.transports.retries import RetryPolicy, is_retryable, retry_after

__all__ = ["TARGET_PARAMETERS", "ensure_container", "parsing_target", "retry"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
C_contra = TypeVar("C_contra", contravariant=True)
X_contra = TypeVar("X_contra", contravariant=True)

TARGET_PARAMETERS: Final = ("container", "package", "target", "uri", "reference", "image")
"""Parameter names that mark a method's target, at any position."""

MAX_WAIT: Final = 60.0
"""Maximum total seconds that one decorated call waits between attempts."""


class _Bound(Protocol[X_contra, P, T_co]):
    """A bound method whose first parameter accepts a string, too.

    Calls by keyword are not checked: a `ParamSpec` cannot change one parameter only.
    """

    @overload
    def __call__(self, target: X_contra | str, /, *args: P.args, **kwargs: P.kwargs) -> T_co: ...
    @overload
    def __call__(self, /, **kwargs: Any) -> T_co: ...


class _Method(Protocol[C_contra, X_contra, P, T_co]):
    @overload
    def __get__(self, client: None, owner: Any) -> _Method[C_contra, X_contra, P, T_co]: ...
    @overload
    def __get__(self, client: C_contra, owner: Any) -> _Bound[X_contra, P, T_co]: ...
    def __call__(
        self, client: C_contra, target: X_contra | str, /, *args: P.args, **kwargs: P.kwargs
    ) -> T_co: ...


def ensure_container(
    func: Callable[Concatenate[C_contra, X_contra, P], T_co],
) -> _Method[C_contra, X_contra, P, T_co]:
    """Decorate a method so that its target may be a name or a `Container`.

    The method always receives a `Container`. The target is the first parameter whose name
    is in `TARGET_PARAMETERS`, or else the first parameter after `self`. It may be passed by
    position or by keyword, and is parsed with the object's `get_container`. A keyword
    argument `container` is always a target.

    For type checkers, a method whose first parameter is annotated with `Container` accepts
    a string, too.
    """
    method: Any = parsing_target(func)
    return method  # type: ignore[no-any-return]


def parsing_target(func: Callable[P, T]) -> Callable[P, T]:
    """Decorate a method as `ensure_container` does, but keep its signature for type checkers.

    For methods whose target is annotated with `container_type`.
    """

    @cache  # a signature takes time, and a program calls few of the methods
    def place() -> tuple[int, str]:
        """Return the position of the target after `self`, and its name."""
        names = [
            parameter.name
            for parameter in inspect.signature(func).parameters.values()
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ][1:]
        position = next((at for at, name in enumerate(names) if name in TARGET_PARAMETERS), 0)
        return position, names[position] if names else ""

    @wraps(func)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        client: Any = args[0]
        position, target = place()
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
    """Retry a function after transient failures (R33).

    Transient failures are connection errors, timeouts, and responses with status 408, 429
    or 5xx except 501 and 505. All other errors, such as a rejected credential or an invalid
    certificate, are raised immediately. The response or error of the last attempt is
    returned or raised. The client's own methods do not need this decorator: their transport
    retries.

    Args:
        attempts: the maximum number of calls.
        timeout: seconds to wait after the first failure. Each further wait is twice as
            long, minus a random part of up to a half. The response's `Retry-After` takes
            precedence. If the waits would exceed `MAX_WAIT` in total, the last failure is
            final.
    """
    from random import random  # noqa: PLC0415 - slow to import, and the client does without

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
                    # Messages of other libraries may contain a signed URL (R32).
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
    # Custom clients often call `requests`. It is not a dependency, so match by name.
    names = {cls.__name__ for cls in type(error).__mro__ if cls.__module__ == "requests.exceptions"}
    return bool(names & {"ConnectionError", "Timeout"}) and "SSLError" not in names
