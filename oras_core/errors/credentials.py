"""Failures to read, store or erase credentials."""

from __future__ import annotations

from oras_core.errors.base import OrasError

__all__ = [
    "CredentialError",
    "CredentialHelperError",
]


class CredentialError(OrasError):
    """Credentials could not be read, stored or erased.

    Attributes:
        operation: what was being done.
        store: the credential store, e.g. the path of a file or the name of a helper.
        reason: why it failed.
    """

    def __init__(self, operation: str, store: str, reason: str) -> None:
        """Keep the facts."""
        self.operation = operation
        self.store = store
        self.reason = reason
        super().__init__(f"cannot {operation} with {store}: {reason}")


class CredentialHelperError(CredentialError):
    """A `docker-credential-…` program is missing, failed, hung or gave an invalid answer (R12)."""
