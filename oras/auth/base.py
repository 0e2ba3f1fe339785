"""`AuthBackend`, the base class of all backends."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import oras_adapters
import oras_core
from oras import utils
from oras._names import module_attributes
from oras.auth import utils as auth_utils
from oras.auth.given import BackendCredentials, GivenCredentials, configured
from oras.auth.hooks import replaceable_backend
from oras.container import Container
from oras.logger import logger
from oras.types import container_type
from oras_core import errors, ports
from oras_core.lazy import made_once

if TYPE_CHECKING:
    from oras.auth.tokens import StandaloneTokens
    from oras_core.ports.credentials import Credential, CredentialStore
    from oras_core.registry.auth.challenge import Challenge

__all__ = ["AuthBackend"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)


@replaceable_backend
class AuthBackend:
    """Provides credentials; the client's transport authenticates with them.

    If a subclass overrides `authenticate_request`, `get_auth_header` or a `request_…` method,
    the client calls that method instead: see `oras.auth.hooks`.

    Credentials of the program have priority, then the files of `load_configs`, then the user's
    configuration. A credential of the program belongs to the client's `hostname`, or to the
    first registry that is used. It is sent to no other registry.

    Attributes:
        session: the session that the client's user has set; otherwise None.
        prefix: `http` or `https`.
    """

    session: Any = None
    prefix: str = "https"
    _tls_verify: bool | str = True
    _own_methods: ClassVar[Mapping[str, Any]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Read `ORAS_USER` and `ORAS_PASS`, and their registry `ORAS_REGISTRY` if it is set."""
        self._given = GivenCredentials()
        self._configs: dict[str, CredentialStore] = {}
        self._origin = ""
        self._registry: str | None = None
        self._found: tuple[tuple[object, ...], Credential | None] | None = None
        username, password = os.environ.get("ORAS_USER"), os.environ.get("ORAS_PASS")
        if username and password:
            registry = os.environ.get("ORAS_REGISTRY")
            credential = ports.Credential(username, password)
            if registry:
                self._given.put(registry, credential)
            else:
                self._given.give(credential)

    @made_once
    def _standalone(self) -> StandaloneTokens:
        from oras.auth.tokens import StandaloneTokens  # noqa: PLC0415 - a client does without

        return StandaloneTokens(self)

    # --- What is known --------------------------------------------------------------------

    @property
    def hostname(self) -> str | None:
        """The client's default registry, to which given credentials belong."""
        return self._given.home

    @hostname.setter
    def hostname(self, hostname: str | None) -> None:
        self._given.home = hostname

    @property
    def username(self) -> str | None:
        """The user name that was given last, or None."""
        credential = self._given.latest
        return (credential.username or None) if credential else None

    @property
    def password(self) -> str | None:
        """The password that was given last, or None."""
        credential = self._given.latest
        return (credential.password or None) if credential else None

    @property
    def revision(self) -> tuple[object, ...]:
        """A value that changes whenever a credential may have changed."""
        return (self._given.revision, *self._configs)

    def credentials(self, store: CredentialStore) -> CredentialStore:
        """Return the store for the registry's transport: the backend's stores, then `store`."""
        return BackendCredentials(self._stores, store)

    def choose_challenge(self, challenges: Iterable[Challenge]) -> Challenge | None:
        """Return the challenge to answer: Bearer before Basic (R1)."""
        from oras_core.registry.auth.challenge import preferred  # noqa: PLC0415 - many registries demand nothing

        return preferred(challenges)

    def _stores(self) -> Sequence[CredentialStore]:
        return (self._given, *reversed(self._configs.values()))

    # --- What is given --------------------------------------------------------------------

    def set_basic_auth(self, username: str, password: str) -> None:
        """Use a user name and a password from now on; for their registry, see the class."""
        self._given.give(ports.Credential(username, password))

    def set_token_auth(self, token: str) -> None:
        """Use a bearer token, unchanged, from now on; for its registry, see the class."""
        self._given.give_token(token)

    def keep(self, registry: str, credential: Credential) -> None:
        """Use `credential` for `registry` only, from now on."""
        self._given.put(registry, credential)

    def load_configs(
        self, container: container_type, configs: Iterable[str | os.PathLike[str]] | None = None
    ) -> None:
        """Set the registry in use, and add docker configurations.

        Args:
            container: the container in use.
            configs: docker configurations to ask from now on, before the user's own. The last
                one is used first. They are read when a registry demands a credential.
        """
        self._registry, self._origin = self.get_container(container).registry, ""
        self._found = None
        self._given.claim(self._registry)
        for path in (os.path.expanduser(os.fspath(config)) for config in configs or ()):
            if not os.path.exists(path):
                logger.warning(f"{path} does not exist.")
            store = self._configs.get(path) or oras_adapters.config_file_store(path)
            # Replace the dictionary, do not change it: another thread may be reading it.
            others = {known: kept for known, kept in self._configs.items() if known != path}
            self._configs = {**others, path: store}

    def logout(self, hostname: str) -> None:
        """Drop the given credential for a registry, and log whether there was one.

        The client's `logout` also deletes the stored credential.
        """
        known = oras_core.logout(self._given, utils.iter_localhosts(hostname))
        self._logout()
        auth_utils.announce_logout(hostname, known=known)

    def _logout(self) -> None:
        """Drop the tokens that were issued for credentials."""
        self._standalone.forget()

    # --- Without a client -----------------------------------------------------------------

    def get_container(self, name: container_type) -> Container:
        """Return the `Container` for `name`."""
        return name if isinstance(name, Container) else Container(name, registry=self.hostname)

    def get_auth_header(self) -> dict[str, str]:
        """Return the `Authorization` field to send without a challenge; empty if there is none.

        Raises:
            NotImplementedError: always, in the base class.
        """
        raise NotImplementedError(f"{type(self).__name__} has no header of its own")

    def request_anonymous_token(
        self, h: auth_utils.authHeader, headers: Mapping[str, str]
    ) -> tuple[dict[str, str], bool]:
        """Request an anonymous token from a token server.

        Returns:
            The header fields, with the token if there is one, and whether there is one.
        """
        token = self._standalone.obtain(h, None)
        return auth_utils.authorized(headers, f"Bearer {token}" if token else "")

    def known_at(self, url: str) -> Credential | None:
        """Set the registry in use by its `url`, and return its credential.

        With an empty `url`, keep the registry of the last `load_configs`.
        """
        parts = urlsplit(url)
        if parts.hostname:
            self._registry, self._origin = parts.netloc, f"{parts.scheme}://{parts.netloc}"
        return self._known()

    def _known(self) -> Credential | None:
        # Read once: another thread may set another registry in use.
        registry, found = self._registry, self._found
        if registry is None:
            return self._given.latest
        self._given.claim(registry)
        key = (registry, *self.revision)
        if found is None or found[0] != key:
            # A store may have to start a program: look up once.
            self._found = found = key, self.credentials(configured()).get(registry)
        return found[1]

    @property
    def _base(self) -> str:
        """The base address of relative realms; empty if no registry is in use."""
        default = f"{self.prefix}://{self._registry}" if self._registry else ""
        return self._origin or default

    @property
    def _basic_auth(self) -> str:
        """The encoded user name and password for the registry in use.

        Raises:
            AttributeError: if there are none.
        """
        credential = self._known()
        if credential is None or not credential.has_basic:
            raise AttributeError("_basic_auth")
        return auth_utils.get_basic_auth(credential.username, credential.password)

    @_basic_auth.setter
    def _basic_auth(self, encoded: str | None) -> None:
        self._given.give(auth_utils.basic_credential(encoded) if encoded else ports.Credential())

    def _load_auth(self, hostname: str) -> bool:
        """Set the registry in use; tell whether there is a credential for it."""
        self._registry, self._origin, self._found = hostname, "", None
        return self._known() is not None

    def _get_auth_from_creds_store(self, suffix: str, hostname: str) -> str | None:
        """Look up with the program `docker-credential-SUFFIX`; log a failure."""
        try:
            credential = oras_adapters.CredentialHelperStore(suffix).get(hostname)
        except errors.CredentialError as error:
            logger.warning(str(error))
            return None
        if credential is None or not credential.has_basic:
            return None
        return auth_utils.get_basic_auth(credential.username, credential.password)
