"""Errors for oras-py's callers: a registry's error response is also a `ValueError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from oras._transports.foreign import PassedError
from oras.auth.errors import AuthenticationException
from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    RateLimitedError,
    RegistryError,
    RegistryNotFoundError,
)
from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.registry.responses import raise_for_status

__all__ = ["refusal", "reporting"]


class _Issue(ValueError):
    """Mixed into a `RegistryError`: the message starts with oras-py's text."""

    def __str__(self) -> str:
        if not isinstance(self, RegistryError):
            return super().__str__()
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = f"status {self.status}"
        return f"Issue with {self.url}: {phrase} ({RegistryError.__str__(self)})"


class _RegistryIssue(_Issue, RegistryError):
    """Any other error status."""


class _AuthenticationIssue(_Issue, AuthenticationError, AuthenticationException):
    """401."""


class _AccessDeniedIssue(_Issue, AccessDeniedError):
    """403."""


class _NotFoundIssue(_Issue, RegistryNotFoundError):
    """404."""


class _RateLimitedIssue(_Issue, RateLimitedError):
    """429."""


_ISSUES: Final[dict[type[RegistryError], type[RegistryError]]] = {
    AuthenticationError: _AuthenticationIssue,
    AccessDeniedError: _AccessDeniedIssue,
    RegistryNotFoundError: _NotFoundIssue,
    RateLimitedError: _RateLimitedIssue,
    RegistryError: _RegistryIssue,
}


def _as_issue(error: RegistryError) -> RegistryError:
    kind = _ISSUES.get(type(error))
    if kind is None:
        return error
    issue = kind.__new__(kind)
    issue.args = error.args
    issue.__dict__.update(error.__dict__)
    return issue


def refusal(request: HttpRequest, response: HttpResponse) -> RegistryError:
    """Return the error for an unexpected response. Reads its body."""
    try:
        raise_for_status(request, response, f"complete the {request.method} request", expected=())
    except RegistryError as error:
        return _as_issue(error)
    raise AssertionError("no status is expected, so an error was raised")


@contextmanager
def reporting() -> Iterator[None]:
    """Raise the registry's errors as classes that oras-py's callers catch.

    Raises:
        RegistryError: also a ValueError.
        Exception: an exception that a user's method raised.
    """
    try:
        yield
    except PassedError as passed:
        raise passed.error from passed.error.__cause__
    except RegistryError as error:
        issue = _as_issue(error)
        if issue is error:
            raise
        raise issue.with_traceback(error.__traceback__) from error.__cause__
