"""Log in by writing docker's configuration file. Docker is not needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import oras_adapters
from oras._names import module_attributes
from oras.utils import find_docker_config
from oras_core.ports.credentials import Credential

__all__ = ["DockerClient"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)


class DockerClient:
    """Stores credentials in docker's configuration file."""

    def login(
        self, username: str, password: str, registry: str, dockercfg_path: str | None = None
    ) -> dict[str, str]:
        """Write a user name and password into a docker `config.json`.

        The credential is not verified. The rest of the file is kept. Only the owner can read
        the file afterwards. The password is encoded, not encrypted. If the file names a
        credential helper for the registry, the helper stores the credential instead.

        Args:
            username: the user name.
            password: a password or access key.
            registry: `HOST` or `HOST:PORT`.
            dockercfg_path: the file. The default is docker's own.

        Returns:
            `{"Status": "Login Succeeded"}`.

        Raises:
            CredentialError: if the file cannot be read or written, or is malformed.
        """
        path = dockercfg_path or find_docker_config(exists=False) or ""
        store = oras_adapters.config_file_store(str(Path(path).expanduser()))
        store.put(registry, Credential(username, password))
        return {"Status": "Login Succeeded"}
