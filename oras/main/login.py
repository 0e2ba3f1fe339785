"""Login by writing docker's configuration file, without docker."""

from __future__ import annotations

from pathlib import Path

from oras.auth.configured import config_file
from oras.utils import find_docker_config
from oras_core.ports.credentials import Credential

__all__ = ["DockerClient"]


class DockerClient:
    """Keeps credentials where docker keeps them."""

    def login(
        self, username: str, password: str, registry: str, dockercfg_path: str | None = None
    ) -> dict[str, str]:
        """Write a registry's user name and password into a docker `config.json`.

        The registry is not asked. Everything else in the file stays; only its owner can
        read it afterwards. The password is encoded there, not encrypted. Where the file names
        a credential helper for the registry, the helper keeps it instead.

        Args:
            username: whom the registry knows.
            password: a password or an access key.
            registry: `HOST` or `HOST:PORT`.
            dockercfg_path: the file; by default docker's own.

        Returns:
            `{"Status": "Login Succeeded"}`.

        Raises:
            CredentialError: if the file cannot be read or written, or is no such file.
        """
        path = dockercfg_path or find_docker_config(exists=False) or ""
        store = config_file(str(Path(path).expanduser()))
        store.put(registry, Credential(username, password))
        return {"Status": "Login Succeeded"}
