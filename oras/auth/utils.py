"""Helpers for docker configurations and authentication header fields."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from oras import utils
from oras._names import module_attributes
from oras.logger import logger
from oras_core import errors, ports
from oras_core.errors.redaction import redact_name

if TYPE_CHECKING:
    from oras_core.ports.credentials import Credential

__all__ = [
    "address_of",
    "announce_logout",
    "authHeader",
    "authorized",
    "basic_credential",
    "challenge_of",
    "get_basic_auth",
    "load_configs",
    "parse_auth_header",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)


def load_configs(configs: Iterable[str | os.PathLike[str]] | None = None) -> dict[str, Any]:
    """Merge the credentials of docker configurations: the given ones, then the user's.

    For each registry, the first file with an entry is used.

    Returns:
        `auths`, `credHelpers` by registry, and `credsStore`, which may be None.

    Raises:
        CredentialError: if a file is not a docker configuration.
    """
    own = utils.find_docker_config()
    found: dict[str, Any] = {"auths": {}, "credsStore": None, "credHelpers": {}}
    for path in [*(configs or ()), *([own] if own else [])]:
        if not os.path.exists(path):
            logger.warning(f"{os.fspath(path)} does not exist.")
            continue
        document = _read(path)
        for section in ("auths", "credHelpers"):
            found[section] = {**(document.get(section) or {}), **found[section]}
        found["credsStore"] = found["credsStore"] or document.get("credsStore")
    return found


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        document = utils.read_json(os.fspath(path))
    except ValueError:
        # Not chained: the parser's error contains the text with its secrets.
        raise errors.CredentialError(
            "read credentials", os.fspath(path), "it is not JSON"
        ) from None
    if not isinstance(document, dict):
        raise errors.CredentialError("read credentials", os.fspath(path), "it is not a JSON object")
    return document


def get_basic_auth(username: str, password: str) -> str:
    """Return the part after `Basic ` of an `Authorization` field: a secret, only encoded."""
    from oras_core.registry.auth.challenge import basic_authorization  # noqa: PLC0415 - as below

    return basic_authorization(username, password).removeprefix("Basic ")


def basic_credential(encoded: str) -> Credential:
    """Return the credential that `get_basic_auth` encoded.

    Raises:
        ValueError: if `encoded` is invalid; the message does not repeat it.
    """
    import base64  # noqa: PLC0415 - slow to import, and rarely needed

    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        raise ValueError("the text is not the base64 of USERNAME:PASSWORD") from None
    username, colon, password = pair.partition(":")
    if not colon:
        raise ValueError("the text is not the base64 of USERNAME:PASSWORD")
    return ports.Credential(username, password)


class authHeader:
    """A challenge.

    Attributes:
        service: the token server's name for the registry.
        realm: the token server's address.
        scope: the demanded scopes.
    """

    def __init__(self, lookup: Mapping[str, str]) -> None:
        """Take the three attributes from `lookup`; missing ones are None."""
        self.service: str | None = lookup.get("service")
        self.realm: str | None = lookup.get("realm")
        self.scope: str | None = lookup.get("scope")

    def __repr__(self) -> str:
        """Show the attributes."""
        found = {"service": self.service, "realm": self.realm, "scope": self.scope}
        return f"authHeader(lookup={found!r})"


def parse_auth_header(authHeaderRaw: str) -> authHeader:
    """Parse a `WWW-Authenticate` field; return its Bearer challenge, else its first one."""
    # Few registries demand anything of a reader.
    from oras_core.registry.auth.challenge import parse_challenges, preferred  # noqa: PLC0415

    challenges = parse_challenges(authHeaderRaw)
    chosen = preferred(challenges) or next(iter(challenges), None)
    return authHeader(chosen.parameters if chosen else {})


def challenge_of(response: Any) -> str:
    """Return the `WWW-Authenticate` field of a response; empty if there is none."""
    fields: Mapping[str, str] = response.headers
    return next((v for k, v in fields.items() if k.lower() == "www-authenticate"), "")


def announce_logout(hostname: str, *, known: bool) -> None:
    """Log whether the program has logged out or was not logged in."""
    state = "have successfully logged out of" if known else "are not logged in to"
    logger.info(f"You {state} {redact_name(hostname)}")


def authorized(headers: Mapping[str, str] | None, value: str) -> tuple[dict[str, str], bool]:
    """Return a copy of `headers` with the `Authorization` field `value`, unless it is empty."""
    result = dict(headers or {})
    if value:
        result["Authorization"] = value
    return result, bool(value)


def address_of(response: Any) -> str:
    """Return the URL of a response; empty if it has none."""
    return str(getattr(response, "url", None) or "")
