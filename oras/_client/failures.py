"""Errors for oras-py's callers: a registry's error response is also a `ValueError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from oras.auth.errors import AuthenticationException
from oras_core.content.sources import BytesSource
from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    OrasError,
    RateLimitedError,
    RegistryError,
    RegistryNotFoundError,
)
from oras_core.ports.http import Headers, HttpResponse
from oras_core.registry.responses import raise_for_status

if TYPE_CHECKING:
    from oras._client.response import Response

__all__ = ["PassedError", "issue_of", "reporting"]


class PassedError(OrasError):
    """Carries an exception of a user's method through the core.

    Attributes:
        error: the exception.
    """

    def __init__(self, error: Exception) -> None:
        """Wrap `error` until `reporting` unwraps it."""
        self.error = error
        super().__init__(f"a user's method raised {type(error).__name__}")


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


def issue_of(response: Response) -> RegistryError:
    """Return the error for an unexpected response. Reads its body."""
    body = BytesSource(response.content).open()
    answer = HttpResponse(
        response.status_code, Headers(response.headers), body=body, url=response.url
    )
    operation = f"complete the {response.request.method} request"
    try:
        raise_for_status(response.request, answer, operation, expected=())
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
