"""`EcrAuth`: Amazon's Elastic Container Registry, with the credentials that boto3 finds."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from attrs import frozen

from oras._names import module_attributes
from oras.auth import utils as auth_utils
from oras.auth.hooks import replaceable_backend
from oras.auth.token import TokenAuth
from oras.logger import logger
from oras_core.credentials import NoCredentials
from oras_core.errors import CredentialError
from oras_core.forks import ForkSafeLock
from oras_core.ports.credentials import Credential, CredentialStore

__all__ = ["EcrAuth", "MissingBoto3Error"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)

LIFETIME: Final = 12 * 3600.0
"""Lifetime in seconds of an ECR password without an expiry date (R9)."""

MARGIN: Final = 300.0
"""A password is replaced this many seconds before it expires."""

SERVICE: Final = "ecr.amazonaws.com"


class MissingBoto3Error(CredentialError, ImportError):
    """`boto3` is not installed; it is needed to get passwords for ECR."""

    def __init__(self, registry: str) -> None:
        """Explain how to install `boto3`."""
        super().__init__(
            f"get a password for {registry}",
            "AWS",
            "the package boto3 is missing: pip install oras-sdk[ecr]",
        )


@replaceable_backend
class EcrAuth(TokenAuth):
    """Gets passwords for ECR's registries from AWS; treats other registries as `TokenAuth`.

    Credentials of the program have priority over AWS, AWS over docker configurations.
    """

    AWS_ECR_PATTERN = re.compile(
        r"(?P<account_id>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)"
        r"\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)"
    )
    AWS_ECR_REALM_PATTERN = re.compile(rf"https://{AWS_ECR_PATTERN.pattern}/")

    def __init__(self) -> None:
        """Begin without passwords; they are requested on first use."""
        super().__init__()
        self._tokens: dict[str, str] = {}
        self._ends: dict[str, float] = {}
        self._asking = ForkSafeLock()

    def _stores(self) -> Sequence[CredentialStore]:
        given, *configs = super()._stores()
        return (given, _EcrCredentials(self), *configs)

    def authenticate_request(
        self, original: Any, headers: Mapping[str, str] | None, refresh: bool = False
    ) -> tuple[dict[str, str], bool]:
        """Answer a response with status 401 or 403; see `TokenAuth`.

        Raises:
            MissingBoto3Error: also an ImportError, if boto3 is not installed.
            CredentialError: if AWS issues no password.
        """
        raw = auth_utils.challenge_of(original)
        if not raw:
            return auth_utils.authorized(headers, "")
        h = auth_utils.parse_auth_header(raw)
        if h.service != SERVICE or h.realm is None:
            return super().authenticate_request(original, headers, refresh)
        realm = self.AWS_ECR_REALM_PATTERN.fullmatch(h.realm)
        host = urlsplit(auth_utils.address_of(original) or h.realm).netloc
        if realm is None or h.realm != f"https://{host}/":
            # Not ECR, or an attempt to get the password of another registry.
            logger.warning(f"The realm {h.realm!r} does not belong to an ECR registry.")
            return super().authenticate_request(original, headers, refresh)
        return auth_utils.authorized(
            headers, f"Basic {self.authorization_token(host, refresh=refresh)}"
        )

    def authorization_token(self, registry: str, *, refresh: bool = False) -> str:
        """Return the encoded user name and password for an ECR registry, cached until they expire.

        Args:
            registry: the registry's host.
            refresh: request a new password even if there is a cached one.

        Raises: as `authenticate_request`.
        """
        realm = f"https://{registry}/"
        with self._asking:
            if refresh or self._ends.get(realm, 0.0) <= time.time():
                self._tokens[realm], self._ends[realm] = self._ask(registry)
            return self._tokens[realm]

    def _ask(self, registry: str) -> tuple[str, float]:
        found = self.AWS_ECR_PATTERN.fullmatch(registry)
        if found is None:
            raise ValueError(f"{registry!r} is not an ECR registry")
        try:
            import boto3
        except ImportError as error:
            raise MissingBoto3Error(registry) from error
        try:
            client = boto3.client("ecr", region_name=found["region"])
            answer = client.get_authorization_token()["authorizationData"][0]
            token = str(answer["authorizationToken"])
        except Exception as error:  # boto3's errors cannot be named without importing it
            reason = str(error) or type(error).__name__
            raise CredentialError(f"get a password for {registry}", "AWS", reason) from error
        end = answer.get("expiresAt")
        return token, (end.timestamp() if end else time.time() + LIFETIME) - MARGIN

    def forget_password(self, registry: str) -> None:
        """Drop the cached password for `registry`."""
        with self._asking:
            self._ends.pop(f"https://{registry}/", None)


@frozen
class _EcrCredentials(NoCredentials):
    """A store of the passwords of ECR registries."""

    backend: EcrAuth

    def get(self, registry: str) -> Credential | None:
        """Return the password for an ECR registry; None for any other registry."""
        host = registry.partition("/")[0]
        if not self.backend.AWS_ECR_PATTERN.fullmatch(host):
            return None
        return auth_utils.basic_credential(self.backend.authorization_token(host))

    def delete(self, registry: str) -> None:
        """Drop the cached password; the next lookup requests another one from AWS."""
        self.backend.forget_password(registry)

    def refresh(self, registry: str) -> None:
        """Drop the cached password: ECR refused it, since it expires after some hours (R9)."""
        self.backend.forget_password(registry.partition("/")[0])
