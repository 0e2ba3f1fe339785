"""`AuthBackend`: what all backends have, and the base class for one's own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from oras._client.hooks import replaceable_backend
from oras.auth import utils as auth_utils
from oras.auth.configured import config_file, configured
from oras.auth.given import BackendCredentials, GivenCredentials
from oras.auth.tokens import StandaloneTokens
from oras.container import Container
from oras.logger import logger
from oras.types import container_type
from oras.utils.request import iter_localhosts
from oras_core.errors import CredentialError
from oras_core.ports.credentials import Credential, CredentialStore
from oras_core.registry.auth.challenge import Challenge, preferred
from oras_core.verbs import login

__all__ = ["AuthBackend"]


@replaceable_backend
class AuthBackend:
    """Knows credentials; it is the client's transport that authenticates with them.

    A subclass that overrides `authenticate_request`, `get_auth_header` or a `request_…`
    method is asked by the client itself instead: see `oras._client.hooks`.

    What the program gives comes first, then the files it names in `load_configs`, then
    what the user has configured. A credential that is given belongs to the client's
    `hostname`, or else to the first registry that is used; no other ever sees it.

    Attributes:
        session: the session that the client's user has set; else None.
        prefix: `http` or `https`.
    """

    session: Any = None
    prefix: str = "https"
    _tls_verify: bool | str = True
    _own_methods: ClassVar[Mapping[str, Any]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Read `ORAS_USER` and `ORAS_PASS`, which may belong to the registry `ORAS_REGISTRY`."""
        self._given = GivenCredentials()
        self._configs: dict[str, CredentialStore] = {}
        self._origin = ""
        self._registry: str | None = None
        self._found: tuple[tuple[object, ...], Credential | None] | None = None
        self._standalone = StandaloneTokens(self)
        username, password = os.environ.get("ORAS_USER"), os.environ.get("ORAS_PASS")
        if username and password:
            registry = os.environ.get("ORAS_REGISTRY")
            credential = Credential(username, password)
            if registry:
                self._given.put(registry, credential)
            else:
                self._given.give(credential)

    # --- What is known --------------------------------------------------------------------

    @property
    def hostname(self) -> str | None:
        """The client's default registry: what is given belongs to it."""
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
        """Its password, or None."""
        credential = self._given.latest
        return (credential.password or None) if credential else None

    @property
    def revision(self) -> tuple[object, ...]:
        """Changes whenever another credential may hold."""
        return (self._given.revision, *self._configs)

    def credentials(self, store: CredentialStore) -> CredentialStore:
        """Return what the registry's transport asks: all that is known here, then `store`."""
        return BackendCredentials(self._stores, store)

    def choose_challenge(self, challenges: Iterable[Challenge]) -> Challenge | None:
        """Return which one of a registry's challenges is met: Bearer before Basic (R1)."""
        return preferred(challenges)

    def _stores(self) -> Sequence[CredentialStore]:
        return (self._given, *reversed(self._configs.values()))

    # --- What is given --------------------------------------------------------------------

    def set_basic_auth(self, username: str, password: str) -> None:
        """Use a user name and a password from now on; see the class."""
        self._given.give(Credential(username, password))

    def set_token_auth(self, token: str) -> None:
        """Use a bearer token, as it is, from now on; see the class."""
        self._given.give_token(token)

    def keep(self, registry: str, credential: Credential) -> None:
        """Use `credential` for `registry` from now on, and for no other."""
        self._given.put(registry, credential)

    def load_configs(
        self,
        container: container_type,
        configs: Iterable[str | os.PathLike[str]] | None = None,
    ) -> None:
        """Note which registry is about to be used, and where else credentials may be.

        Args:
            container: what is about to be used.
            configs: docker configurations to ask from now on, before the user's own. The
                latest one is asked first; none is read before a registry wants a credential.
        """
        self._registry, self._origin = self.get_container(container).registry, ""
        self._found = None
        self._given.claim(self._registry)
        for path in (os.path.expanduser(os.fspath(config)) for config in configs or ()):
            if not os.path.exists(path):
                logger.warning(f"{path} does not exist.")
            store = self._configs.get(path) or config_file(path)
            # Replaced, not changed: another thread may be looking at it.
            others = {known: kept for known, kept in self._configs.items() if known != path}
            self._configs = {**others, path: store}

    def logout(self, hostname: str) -> None:
        """Forget what was given for a registry, and say whether there was anything.

        The client's own `logout` also erases what is stored.
        """
        known = login.logout(self._given, iter_localhosts(hostname))
        self._logout()
        auth_utils.announce_logout(hostname, known=known)

    def _logout(self) -> None:
        """Forget what follows from credentials."""
        self._standalone.forget()

    # --- By hand --------------------------------------------------------------------------

    def get_container(self, name: container_type) -> Container:
        """Return the `Container` that `name` means."""
        return name if isinstance(name, Container) else Container(name, registry=self.hostname)

    def get_auth_header(self) -> dict[str, str]:
        """Return the `Authorization` field that can be sent unasked; empty if there is none.

        Raises:
            NotImplementedError: of the base class.
        """
        raise NotImplementedError(f"{type(self).__name__} has no header of its own")

    def request_anonymous_token(
        self, h: auth_utils.authHeader, headers: Mapping[str, str]
    ) -> tuple[dict[str, str], bool]:
        """Ask a token server for a token for nobody.

        Returns:
            The headers, with the token if there is one, and whether there is.
        """
        token = self._standalone.obtain(h, None)
        return auth_utils.authorized(headers, f"Bearer {token}" if token else "")

    def known_at(self, url: str) -> Credential | None:
        """Return the credential for the registry at `url`, which is about to be used.

        Where `url` is empty, that is the registry of the last `load_configs`.
        """
        parts = urlsplit(url)
        if parts.hostname:
            self._registry, self._origin = parts.netloc, f"{parts.scheme}://{parts.netloc}"
        return self._known()

    def _known(self) -> Credential | None:
        if self._registry is None:
            return self._given.latest
        self._given.claim(self._registry)
        key = (self._registry, *self.revision)
        if self._found is None or self._found[0] != key:
            # A store may have to start a program: it is asked once, as the core does.
            self._found = key, self.credentials(configured()).get(self._registry)
        return self._found[1]

    @property
    def _base(self) -> str:
        """The address that realms are relative to; empty where no registry is known."""
        default = f"{self.prefix}://{self._registry}" if self._registry else ""
        return self._origin or default

    @property
    def _basic_auth(self) -> str:
        """The user name and password for the registry in use, encoded.

        Raises:
            AttributeError: if there are none.
        """
        credential = self._known()
        if credential is None or not credential.has_basic:
            raise AttributeError("_basic_auth")
        return auth_utils.get_basic_auth(credential.username, credential.password)

    @_basic_auth.setter
    def _basic_auth(self, encoded: str | None) -> None:
        self._given.give(auth_utils.basic_credential(encoded) if encoded else Credential())

    def _load_auth(self, hostname: str) -> bool:
        """Note which registry is about to be used; tell whether there is a credential for it."""
        self._registry, self._origin, self._found = hostname, "", None
        return self._known() is not None

    def _get_auth_from_creds_store(self, suffix: str, hostname: str) -> str | None:
        """Ask the program `docker-credential-SUFFIX`; a failure is logged."""
        from oras_adapters.credentials.credential_helper import CredentialHelperStore  # noqa: PLC0415 - rare

        try:
            credential = CredentialHelperStore(suffix).get(hostname)
        except CredentialError as error:
            logger.warning(str(error))
            return None
        if credential is None or not credential.has_basic:
            return None
        return auth_utils.get_basic_auth(credential.username, credential.password)
