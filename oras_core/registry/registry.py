"""A registry: where its API is, how to talk to it, and which repositories it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from oras_core.errors import CredentialError, RegistryError, UnsupportedError
from oras_core.model.limits import Limits
from oras_core.model.reference import is_repository
from oras_core.ports.credentials import Credential, CredentialStore
from oras_core.ports.http import HttpRequest, HttpTransport
from oras_core.registry.auth.authorizer import Authorizer
from oras_core.registry.auth.scope import Scope
from oras_core.registry.compose import Authorize, registry_transport
from oras_core.registry.endpoints import RegistryEndpoints, base_url
from oras_core.registry.pagination import paginate
from oras_core.registry.profiles import HostProfile, LearnedProfile, profile_for
from oras_core.registry.referrers import ReferrersMemory
from oras_core.registry.repository import RemoteRepository
from oras_core.registry.responses import exchange
from oras_core.registry.transports.default_headers import DefaultHeaders
from oras_core.registry.transports.notices import NoticeReader, RateLimit
from oras_core.registry.transports.redirects import origin_of
from oras_core.registry.transports.retries import RetryPolicy
from oras_core.version import __version__

__all__ = ["RemoteRegistry"]


class RemoteRegistry:
    """A registry, with all that talking to it needs wrapped around a plain transport.

    Thread-safe. One is enough for all repositories: tokens, pauses and what is learned of
    the registry are shared.

    Attributes:
        host: the registry as references name it, `HOST[:PORT]`, e.g. `docker.io`.
        base_url: scheme and host of its API.
        origin: the same as an origin: the default port left out.
        transport: the composed transport, for requests that have no method here.
    """

    def __init__(
        self,
        host: str,
        transport: HttpTransport,
        *,
        plain_http: bool = False,
        credentials: CredentialStore | None = None,
        retry_policy: RetryPolicy | None = None,
        limits: Limits | None = None,
        profile: HostProfile | None = None,
        headers: Mapping[str, str] | None = None,
        authorize: Authorize | None = None,
    ) -> None:
        """Compose the transport. Nothing is sent yet.

        Args:
            host: `HOST[:PORT]`, as in a reference.
            transport: sends one request; see the port.
            plain_http: speak unencrypted HTTP.
            credentials: asked when the registry wants a credential; None for anonymous.
            retry_policy: how often to try again.
            limits: bounds on what the registry sends.
            profile: what the registry can do; None for what is known of the host.
            headers: fields for every request to the registry, and to it alone.
            authorize: authentication of the caller's own, in place of `credentials`.

        Raises:
            InvalidReferenceError: if `host` is not of that form.
        """
        limits = limits or Limits()
        self.host = host
        self.base_url = base_url(host, plain_http=plain_http)
        self.origin = origin_of(self.base_url)
        named = DefaultHeaders(
            transport,
            origin=self.origin,
            headers=headers or {},
            user_agent=f"oras-sdk/{__version__}",
        )
        composed = registry_transport(
            named,
            origin=self.origin,
            credentials=credentials or _Anonymous(),
            registry=host,
            retry_policy=retry_policy,
            limits=limits,
            authorize=authorize,
        )
        self._expect = composed.expect if isinstance(composed, Authorizer) else _expect_nothing
        self._notices = NoticeReader(composed, host)
        self.transport: HttpTransport = self._notices
        self._endpoints = RegistryEndpoints(self.base_url, host)
        self._limits = limits
        self._profile = LearnedProfile(profile or profile_for(host))
        self._referrers = ReferrersMemory()

    def __repr__(self) -> str:
        """Show the address."""
        return f"RemoteRegistry({self.base_url!r})"

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the latest answer that spoke of it said; None before, or where none does (R33)."""
        return self._notices.rate_limit

    def ping(self) -> None:
        """Make sure that this is a registry, which takes the credentials.

        Raises:
            AuthenticationError: if it does not.
            RegistryError: if it is no registry.
            TransportError: where there is no answer.
        """
        request = HttpRequest("GET", self._endpoints.ping)
        exchange(
            self.transport, request, f"reach {self.host}", error_body=self._limits.error_body
        ).close()

    def repository(self, name: str) -> RemoteRepository:
        """Return a repository; whether it exists is not asked.

        Raises:
            InvalidReferenceError: if `name` is no repository name.
        """
        return RemoteRepository(
            self.transport,
            self._endpoints.repository(name),
            expect=self._expect,
            profile=self._profile,
            referrers=self._referrers,
            limits=self._limits,
        )

    def catalog(self, page_size: int | None = None) -> Iterator[str]:
        """Iterate over the names of the repositories, page by page.

        Args:
            page_size: names of a page; None for the registry's own choice.

        Raises, while it is iterated over:
            UnsupportedError: if the registry lists none, or not for everybody (R28).
            RegistryError: if its answer is no listing.
        """
        operation = f"list the repositories of {self.host}"
        url = self._endpoints.catalog(page_size)
        try:
            for page in paginate(self.transport, url, operation, limits=self._limits):
                yield from filter(is_repository, page.strings("repositories"))
        except RegistryError as error:
            if error.status not in (401, 403, 404, 405):
                raise
            reason = "the registry has no catalog, or does not show it to these credentials"
            raise UnsupportedError(operation, reason) from error


class _Anonymous(CredentialStore):
    """Knows nobody."""

    def get(self, registry: str) -> Credential | None:  # noqa: ARG002 - the port's signature
        """Return None."""
        return None

    def put(self, registry: str, credential: Credential) -> None:  # noqa: ARG002 - likewise
        """Refuse: nothing is kept."""
        raise CredentialError(f"keep the credential of {registry}", "no store", "there is none")

    def delete(self, registry: str) -> None:
        """Do nothing."""


def _expect_nothing(_: Scope) -> None:
    """Authentication of somebody else's: what it asks for is not ours to say."""
