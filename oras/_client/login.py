"""Logging in and out."""

from __future__ import annotations

import os
from getpass import getpass

from oras._client.base import BaseClient
from oras._client.failures import reporting
from oras._client.hooks import authenticates_itself
from oras.auth.utils import announce_logout
from oras.logger import logger
from oras.utils import iter_localhosts, readline
from oras_adapters.credential_stores import config_file_store
from oras_core.credentials import ChainedCredentialStore, config_key
from oras_core.ports.credentials import Credential, CredentialStore
from oras_core.verbs import login as verbs

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
        """Log in to a registry: from now on in this client, and for later ones.

        The registry is asked first; what it refuses is not kept. Where neither `hostname`
        nor the client's own says which registry is meant, nothing is asked and nothing
        stored: the credential is held in memory for the first registry that is used.

        Args:
            username: whom the registry knows; asked for at the terminal if it is empty.
            password: a password or an access key; likewise, without echo.
            password_stdin: read the password from the first line of standard input.
            tls_verify: for this login, False to check no certificate, or the path of a CA
                bundle, where the client's own `tls_verify` is True.
            hostname: the registry; by default the client's.
            config_path: the docker configuration to write to; by default the store that the
                user has configured, docker's own where nothing is.
            insecure: for this login, speak plain HTTP; None to speak as the client does.

        Returns:
            `{"Status": "Login Succeeded"}`; `{"Login": "Not successful"}` without a user name.

        Raises:
            ValueError: without a password.
            AuthenticationError: also a ValueError, if the registry refuses the credential.
            CredentialError: if it cannot be stored.
            TransportError: where there is no answer.

        Example:
            >>> client.login(username="myuser", password="mypass", hostname="localhost:5000")
            {'Status': 'Login Succeeded'}
        """
        if password_stdin:
            password = readline()
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
                Credential(username, password),
                config_path,
                insecure=insecure,
                verify=tls_verify,
            )
        else:
            self.auth.set_basic_auth(username, password)
            logger.info(
                "No registry was named: the credential is not stored, "
                "and kept in memory for the first registry that is used."
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
            # Only the backend knows how its credential is shown.
            self.auth.set_basic_auth(credential.username, credential.password)
            remote = self.connections.registry(registry)
        with reporting():
            verbs.login(remote, credential, store)
        if own:
            self.auth.keep(registry, credential)

    def logout(self, hostname: str, config_path: str | os.PathLike[str] | None = None) -> None:
        """Forget the credential for a registry, in memory and wherever it is stored.

        `localhost` and `127.0.0.1` are one registry.

        Args:
            hostname: the registry.
            config_path: a docker configuration to erase it from too.

        Raises:
            CredentialError: if a store cannot be read or written.

        Example:
            >>> client.logout("localhost:5000")
        """
        names = tuple(iter_localhosts(_registry_of(hostname)))
        stores: CredentialStore = self.connections.credentials
        if config_path:
            stores = ChainedCredentialStore((self._store(config_path), stores))
        if authenticates_itself(self.auth):
            self.auth.logout(hostname)
        else:
            stores = self.auth.credentials(stores)
        announce_logout(hostname, known=verbs.logout(stores, names))

    def _store(self, config_path: str | os.PathLike[str] | None) -> CredentialStore:
        if not config_path:
            return self.connections.credentials
        return config_file_store(os.path.expanduser(os.fspath(config_path)))


def _registry_of(hostname: str) -> str:
    """Return `HOST[:PORT]` of what people call a registry, `https://index.docker.io/v1/` too."""
    address = hostname.partition("://")[2] or hostname
    host = address.partition("/")[0]
    return "docker.io" if config_key(host) == config_key("docker.io") else host
