"""The credential stores that the settings choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from oras_adapters.settings.settings import Settings
from oras_core.credentials import (
    BoundCredential,
    ChainedCredentialStore,
    NoCredentials,
    RememberingCredentialStore,
    RoutedCredentialStore,
    SuccessorCredentialStore,
)
from oras_core.errors import InvalidConfigurationError
from oras_core.forks import ForkSafeLock
from oras_core.ports.credentials import Credential, CredentialStore

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from oras_adapters.credentials.docker_config import DockerConfigStore

__all__ = ["chosen_store", "config_file_store"]

STORES_GROUP: Final = "oras.credential_stores"
"""The entry points of this group are functions without arguments that return a store."""

HELPER_PREFIX: Final = "helper:"


def chosen_store(settings: Settings) -> CredentialStore:
    """Return the store that the settings name, or a chain of several.

    Raises:
        InvalidConfigurationError: if the settings name an unknown store.
    """
    names = settings.credentials.stores
    stores = {name: _named_store(name, settings) for name in names}
    # Nothing can be written to environment variables: `put` writes to the first other store.
    keeper = next((store for name, store in stores.items() if name != "environment"), None)
    if len(stores) == 1:
        return next(iter(stores.values()))
    return ChainedCredentialStore(stores.values(), keeper=keeper)


def _named_store(name: str, settings: Settings) -> CredentialStore:
    built_in: Mapping[str, Callable[[Settings], CredentialStore]] = {
        "docker": lambda settings: config_file_store(settings.credentials.docker_config),
        "podman": _podman_store,
        "keyring": _keyring_store,
        "environment": _environment_store,
    }
    if name in built_in:
        return built_in[name](settings)
    if name.startswith(HELPER_PREFIX):
        return _helper_store(name.removeprefix(HELPER_PREFIX))
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow, and only plug-ins need it

    registered = {point.name: point for point in entry_points(group=STORES_GROUP)}
    if name not in registered:
        known = ", ".join([*built_in, "helper:NAME", *sorted(registered)])
        raise InvalidConfigurationError(
            "credentials.stores", f"there is no store {name!r}; known are {known}"
        )
    return _registered_store(registered[name])


def _registered_store(point: EntryPoint) -> CredentialStore:
    """Return the store that the registered function of a package makes.

    Raises:
        InvalidConfigurationError: if the function fails or does not return a store.
    """
    what = f"the store {point.name!r} of {point.value}"
    try:
        store: CredentialStore = point.load()()
    except Exception as error:
        reason = f"{what} cannot be made: {type(error).__name__}: {error}"
        raise InvalidConfigurationError("credentials.stores", reason) from error
    lacking = [name for name in ("get", "put", "delete") if not hasattr(store, name)]
    if lacking:
        reason = f"{what} is no store: it has no {', '.join(lacking)}"
        raise InvalidConfigurationError("credentials.stores", reason)
    return store


def config_file_store(path: str) -> CredentialStore:
    """Return the store of a docker configuration file and of the helpers it names (R12)."""
    if not path:
        return NoCredentials()
    read: list[DockerConfigStore] = []
    helped: dict[str, CredentialStore] = {}
    lock = ForkSafeLock()

    def responsible(registry: str) -> CredentialStore:
        with lock:
            config = read[0] if read else _docker_config(path)
            read[:] = [config]
        name = config.helper_for(registry)
        if not name:
            return config
        with lock:
            if name not in helped:
                helped[name] = SuccessorCredentialStore(_helper_store(name), config)
            return helped[name]

    return RoutedCredentialStore(responsible)


# The stores are imported on first use: most registries demand no credential.


def _docker_config(path: str) -> DockerConfigStore:
    from oras_adapters.credentials.docker_config import DockerConfigStore  # noqa: PLC0415

    return DockerConfigStore(path)


def _keyring_store(_: Settings) -> CredentialStore:
    from oras_adapters.credentials.keyring_store import KeyringStore  # noqa: PLC0415

    return KeyringStore()


def _helper_store(name: str) -> CredentialStore:
    from oras_adapters.credentials.credential_helper import CredentialHelperStore  # noqa: PLC0415

    return RememberingCredentialStore(CredentialHelperStore(name))


def _podman_store(settings: Settings) -> CredentialStore:
    """Return a store over podman's files, in the order of containers-auth.json(5)."""
    own = settings.credentials
    # Podman also reads the docker file; a separate `docker` store in the chain covers that.
    docker = () if "docker" in own.stores else (own.docker_config,)
    fallbacks = own.auth_file_fallbacks and (*own.auth_file_fallbacks, *docker)
    paths = dict.fromkeys((own.auth_file, *fallbacks))
    stores = {path: config_file_store(path) for path in paths if path}
    keeper = stores.get(own.auth_file, NoCredentials())
    return ChainedCredentialStore(stores.values(), keeper=keeper)


def _environment_store(settings: Settings) -> CredentialStore:
    own = settings.environment
    credential = Credential(own.user, own.password, registry_token=own.token)
    return NoCredentials() if credential.is_empty else BoundCredential(credential, own.registry)
