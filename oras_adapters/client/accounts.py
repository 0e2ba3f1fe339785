"""The verbs of accounts: log in to a registry, log out of it."""

from __future__ import annotations

import logging

from oras_adapters.client.advice import advising
from oras_adapters.client.base import ClientBase
from oras_core.credentials import StaticCredentials
from oras_core.errors import AuthenticationError, InvalidInputError
from oras_core.model.hosts import loopback_names
from oras_core.ports.credentials import Credential

__all__ = ["AccountVerbs"]

_LOGGER = logging.getLogger(__name__)


class AccountVerbs(ClientBase):
    """Mixed into `Client`."""

    def login(
        self,
        registry: str,
        username: str = "",
        password: str = "",
        *,
        identity_token: str = "",
    ) -> None:
        """Store a credential for a registry, once the registry has accepted it.

        The credential is stored in the store of the settings, by default docker's configuration.

        Args:
            registry: `HOST` or `HOST:PORT`.
            username: the user name.
            password: the password or access key.
            identity_token: a refresh token, in place of the password.

        Raises:
            InvalidInputError: if there is neither a password nor a token.
            AuthenticationError: if the registry rejects the credential. Nothing is stored.
            CredentialError: if the credential cannot be stored.
            OrasError: any other error of the registry. Nothing is stored.

        Example:
            >>> client.login("localhost:5001", "alice", "secret")
        """
        from oras_core.verbs.login import login  # noqa: PLC0415 - few programs log in

        if not identity_token and not (username and password):
            raise InvalidInputError(
                registry, "logging in takes a user name and a password, or an identity token"
            )
        credential = Credential(username, password, identity_token)
        shown = StaticCredentials({registry: credential})
        wrong = "check the user name and the password, or the identity token"
        with advising((AuthenticationError, wrong)):
            transport = self._parts.transport(registry)
            trial = self._parts.registry_over(transport, registry, credentials=shown)
            login(trial, credential, self._parts.credentials)
        self._parts.forget(registry)
        _LOGGER.info("logged in to %s", registry)

    def logout(self, registry: str) -> bool:
        """Delete the credential of a registry from the credential stores.

        Args:
            registry: `HOST` or `HOST:PORT`; `localhost` and `127.0.0.1` are the same.

        Returns:
            Whether there was a credential.

        Raises:
            CredentialError: if a store cannot be read or written.

        Example:
            >>> client.login("localhost:5001", "alice", "secret")
            >>> client.logout("localhost:5001")
            True
        """
        from oras_core.verbs.login import logout  # noqa: PLC0415 - as above

        with advising():
            known = logout(self._parts.credentials, loopback_names(registry))
        self._parts.forget(registry)
        _LOGGER.info("logged out of %s", registry)
        return known
