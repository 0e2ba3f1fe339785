"""`EcrAuth`: Amazon's Elastic Container Registry, by the credentials that boto3 finds."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import frozen

from oras._client.hooks import replaceable_backend
from oras.auth import utils as auth_utils
from oras.auth.token import TokenAuth
from oras.logger import logger
from oras_core.credentials import NoCredentials
from oras_core.errors import CredentialError
from oras_core.ports.credentials import Credential, CredentialStore

__all__ = ["EcrAuth", "MissingBoto3Error"]

LIFETIME: Final = 12 * 3600.0
"""Seconds that a password of ECR lives (R9), where the answer does not say it."""

MARGIN: Final = 300.0
"""Seconds before its end at which a password is renewed."""

SERVICE: Final = "ecr.amazonaws.com"


class MissingBoto3Error(CredentialError, ImportError):
    """`boto3` is not installed, and nothing else gets passwords for ECR."""

    def __init__(self, registry: str) -> None:
        """Say how to install it."""
        super().__init__(
            f"get a password for {registry}",
            "AWS",
            "the package boto3 is missing: pip install oras-sdk[ecr]",
        )


@replaceable_backend
class EcrAuth(TokenAuth):
    """Asks AWS for passwords for ECR's registries; other registries are as for `TokenAuth`.

    A password that the program has given goes before; docker configurations come after.
    """

    AWS_ECR_PATTERN = re.compile(
        r"(?P<account_id>\d{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)"
        r"\.amazonaws\.com(?:\.cn)?"
    )
    AWS_ECR_REALM_PATTERN = re.compile(rf"https://{AWS_ECR_PATTERN.pattern}/")

    def __init__(self) -> None:
        """Ask nobody yet."""
        super().__init__()
        self._tokens: dict[str, str] = {}
        self._ends: dict[str, float] = {}
        self._asking = threading.Lock()

    def _stores(self) -> Sequence[CredentialStore]:
        given, *configs = super()._stores()
        return (given, _EcrCredentials(self), *configs)

    def authenticate_request(
        self, original: Any, headers: Mapping[str, str] | None, refresh: bool = False
    ) -> tuple[dict[str, str], bool]:
        """Answer a response with status 401 or 403; see `TokenAuth`.

        Raises:
            MissingBoto3Error: also an ImportError, if boto3 is not installed.
            CredentialError: if AWS gives no password.
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
            # Not ECR, or somebody who wants to have the password of another.
            logger.warning(f"The realm {h.realm!r} is not that of a registry of ECR.")
            return super().authenticate_request(original, headers, refresh)
        return auth_utils.authorized(
            headers, f"Basic {self.authorization_token(host, refresh=refresh)}"
        )

    def authorization_token(self, registry: str, *, refresh: bool = False) -> str:
        """Return the base64 of user name and password for a registry of ECR, kept till its end.

        Args:
            registry: its host.
            refresh: get another one, even if one is at hand.

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
            raise ValueError(f"{registry!r} is no registry of ECR")
        try:
            import boto3
        except ImportError as error:
            raise MissingBoto3Error(registry) from error
        try:
            client = boto3.client("ecr", region_name=found["region"])
            answer = client.get_authorization_token()["authorizationData"][0]
            token = str(answer["authorizationToken"])
        except Exception as error:  # boto3's errors have no root that can be named without it
            reason = str(error) or type(error).__name__
            raise CredentialError(f"get a password for {registry}", "AWS", reason) from error
        end = answer.get("expiresAt")
        return token, (end.timestamp() if end else time.time() + LIFETIME) - MARGIN

    def forget_password(self, registry: str) -> None:
        """Let the next request for `registry` ask AWS again."""
        with self._asking:
            self._ends.pop(f"https://{registry}/", None)


@frozen
class _EcrCredentials(NoCredentials):
    """The passwords of ECR's registries, as a store."""

    backend: EcrAuth

    def get(self, registry: str) -> Credential | None:
        """Return the password for a registry of ECR; None for any other."""
        host = registry.partition("/")[0]
        if not self.backend.AWS_ECR_PATTERN.fullmatch(host):
            return None
        return auth_utils.basic_credential(self.backend.authorization_token(host))

    def delete(self, registry: str) -> None:
        """Forget the password; AWS gives another one to whoever asks again."""
        self.backend.forget_password(registry)

    def refresh(self, registry: str) -> None:
        """Get another password: ECR refused this one, which lasts for some hours only (R9)."""
        self.backend.forget_password(registry.partition("/")[0])
