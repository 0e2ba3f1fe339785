"""Logging in and out."""

from __future__ import annotations

import os
from getpass import getpass
from typing import TYPE_CHECKING

import oras_adapters
import oras_core
from oras import utils
from oras._client.base import BaseClient
from oras._client.failures import reporting
from oras.auth.hooks import authenticates_itself
from oras.auth.utils import announce_logout
from oras.logger import logger
from oras_core import ports
from oras_core.errors import InvalidReferenceError
from oras_core.model.hosts import DOCKER_HUB, canonical_registry

if TYPE_CHECKING:
    from oras_core.ports.credentials import Credential, CredentialStore

__all__ = ["LoginMethods"]


class LoginMethods(BaseClient):
    """Mixed into `oras.provider.Registry`."""

    def login(
        self,
        username: str = "",
        password: str = "",
        password_stdin: bool = False,
        tls_verify: bool | str = True,
        hostname: str | None = None,
        config_path: str | os.PathLike[str] | None = None,
        insecure: bool | None = None,
    ) -> dict[str, str]:
        """Log in to a registry, and store the credential for this client and later ones.

        The registry verifies the credential first; a rejected credential is not stored. If
        neither `hostname` nor the client's `hostname` names the registry, the credential is
        neither verified nor stored. It is kept in memory for the first registry used.

        Args:
            username: the user name. If it is empty, it is read from the terminal.
            password: a password or access key. If it is empty, it is read from the terminal
                without echo.
            password_stdin: read the password from the first line of standard input.
            tls_verify: for this login, False to verify no certificate, or the path of a CA
                bundle. Used if the client's `tls_verify` is True.
            hostname: the registry. The default is the client's.
            config_path: the docker configuration to write to. The default is the store that
                the user configured, or else docker's own file.
            insecure: use plain HTTP for this login. None means the client's usual scheme.

        Returns:
            `{"Status": "Login Succeeded"}`, or `{"Login": "Not successful"}` if there is no
            user name.

        Raises:
            ValueError: if there is no password.
            AuthenticationError: also a ValueError; if the registry rejects the credential.
            CredentialError: if the credential cannot be stored.
            TransportError: if there is no response.

        Example:
            >>> client.login(username="myuser", password="mypass", hostname="localhost:5001")
            {'Status': 'Login Succeeded'}
        """
        if password_stdin:
            password = utils.readline()
        username = username or input("Username: ")
        password = password or getpass("Password: ")
        if not password:
            raise ValueError("password required")
        if not username:
            return {"Login": "Not successful"}
        registry = _registry_of(hostname or self.hostname or "")
        if registry:
            self._log_in(
                registry,
                ports.Credential(username, password),
                config_path,
                insecure=insecure,
                verify=tls_verify,
            )
        else:
            self.auth.set_basic_auth(username, password)
            logger.info(
                "No registry was named: the credential is not stored. "
                "It is kept in memory for the first registry used."
            )
        return {"Status": "Login Succeeded"}

    def _log_in(
        self,
        registry: str,
        credential: Credential,
        config_path: str | os.PathLike[str] | None,
        *,
        insecure: bool | None,
        verify: bool | str,
    ) -> None:
        store = self._store(config_path)
        own = not authenticates_itself(self.auth)
        if own:
            remote = self.connections.trial(registry, credential, insecure=insecure, verify=verify)
        else:
            # Only the backend knows how to send its credential.
            self.auth.set_basic_auth(credential.username, credential.password)
            remote = self.connections.registry(registry)
        with reporting():
            oras_core.login(remote, credential, store)
        if own:
            self.auth.keep(registry, credential)

    def logout(self, hostname: str, config_path: str | os.PathLike[str] | None = None) -> None:
        """Delete the credential of a registry, in memory and in every configured store.

        `localhost` and `127.0.0.1` are the same registry.

        Args:
            hostname: the registry.
            config_path: an additional docker configuration to delete the credential from.

        Raises:
            CredentialError: if a store cannot be read or written.

        Example:
            >>> client.logout("localhost:5001")
        """
        names = tuple(utils.iter_localhosts(_registry_of(hostname)))
        stores: CredentialStore = self.connections.credentials
        if config_path:
            stores = oras_core.ChainedCredentialStore((self._store(config_path), stores))
        if authenticates_itself(self.auth):
            self.auth.logout(hostname)
        else:
            stores = self.auth.credentials(stores)
        announce_logout(hostname, known=oras_core.logout(stores, names))

    def _store(self, config_path: str | os.PathLike[str] | None) -> CredentialStore:
        if not config_path:
            return self.connections.credentials
        return oras_adapters.config_file_store(os.path.expanduser(os.fspath(config_path)))


def _registry_of(hostname: str) -> str:
    """Return the `HOST[:PORT]` of a registry name or URL, such as docker's index server."""
    address = hostname.partition("://")[2] or hostname
    if "@" in address:
        raise InvalidReferenceError(hostname, "remove the user name and password before '@'")
    host = address.partition("/")[0]
    return DOCKER_HUB if canonical_registry(host) == DOCKER_HUB else host
