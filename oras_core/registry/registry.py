"""A registry: its address, its transport, its catalog and its repositories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from oras_core.errors import RegistryError, UnsupportedError
from oras_core.forks import ConnectionHolder, PerProcess
from oras_core.lazy import made_once
from oras_core.model.limits import Limits
from oras_core.model.reference import is_repository
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.compose import Authorize, ScopeExpecter, registry_transport
from oras_core.registry.endpoints import RegistryEndpoints, base_url
from oras_core.registry.pagination import paginate_by
from oras_core.registry.repository import RemoteRepository
from oras_core.registry.responses import exchange
from oras_core.registry.transports.fields import DefaultHeaders, NoticeReader, RateLimit
from oras_core.registry.transports.redirects import origin_of
from oras_core.registry.transports.retries import RetryPolicy
from oras_core.version import __version__

if TYPE_CHECKING:
    from oras_core.ports.credentials import CredentialStore
    from oras_core.registry.auth.scope import Scope
    from oras_core.registry.profiles import HostProfile, LearnedProfile
    from oras_core.registry.referrers_memory import ReferrersMemory

__all__ = ["RemoteRegistry"]


class RemoteRegistry(ConnectionHolder):
    """A registry that is reached through a plain transport.

    Adds authentication, retries, redirects and limits to the transport. Thread-safe. One
    object serves all repositories of the registry; they share tokens, pauses and what is
    learned about the registry.

    Attributes:
        host: the registry as references name it, `HOST[:PORT]`, e.g. `docker.io`.
        base_url: the scheme and host of its API.
        origin: the origin of `base_url`: without a default port.
        transport: the composed transport, for requests that have no method here.
    """

    _in_a_worker = "Send its host, and make one in the worker."

    def __init__(
        self,
        host: str,
        transport: HttpTransport,
        *,
        plain_http: bool = False,
        credentials: CredentialStore | None = None,
        retry_policy: RetryPolicy | None = None,
        limits: Limits | None = None,
        profile: HostProfile | Callable[[], HostProfile] | None = None,
        headers: Mapping[str, str] | None = None,
        authorize: Authorize | None = None,
    ) -> None:
        """Compose the transport; no request is sent.

        Args:
            host: `HOST[:PORT]`, as in a reference.
            transport: sends one request; see the port `HttpTransport`.
            plain_http: use HTTP without TLS.
            credentials: the store to read credentials from when the registry demands
                one; None for anonymous access.
            retry_policy: how often and how fast to retry.
            limits: limits on the size of the registry's answers.
            profile: what the registry can do, or a function that returns it on first use; None
                for the known profile of the host.
            headers: header fields for requests to the registry, and to no other host.
            authorize: a custom authentication that replaces `credentials`.

        Raises:
            InvalidReferenceError: if `host` does not have that form.
        """
        limits = limits or Limits()
        self.host = host
        self.base_url: str = base_url(host, plain_http=plain_http)
        self.origin: str = origin_of(self.base_url)
        named = DefaultHeaders(
            transport,
            origin=self.origin,
            headers=headers or {},
            user_agent=f"oras-sdk/{__version__}",
        )
        compose = partial(
            registry_transport,
            named,
            origin=self.origin,
            credentials=credentials,
            registry=host,
            retry_policy=retry_policy,
            limits=limits,
            authorize=authorize,
        )
        self._composed = _PerProcessTransport(compose)
        self._notices = NoticeReader(self._composed, host)
        self.transport: HttpTransport = self._notices
        self._endpoints = RegistryEndpoints(self.base_url, host)
        self._limits = limits
        self._given_profile = profile

    def __repr__(self) -> str:
        """Show the base URL."""
        return f"RemoteRegistry({self.base_url!r})"

    @property
    def rate_limit(self) -> RateLimit | None:
        """The rate limit in the latest answer that had one; None if no answer had one (R33)."""
        return self._notices.rate_limit

    def ping(self) -> None:
        """Check that the host is a registry and accepts the credentials.

        Raises:
            AuthenticationError: if the registry refuses the credentials.
            RegistryError: if the host does not answer as a registry.
            TransportError: if there is no answer.
        """
        request = HttpRequest("GET", self._endpoints.ping)
        exchange(self.transport, request, f"reach {self.host}").close()

    def repository(self, name: str) -> RemoteRepository:
        """Return a repository, without checking that it exists.

        Raises:
            InvalidReferenceError: if `name` is not a repository name.
        """
        return RemoteRepository(
            self.transport,
            self._endpoints.repository(name),
            expect=self._composed.expect,
            profile=lambda: self._profile,
            referrers=lambda: self._referrers,
            limits=self._limits,
        )

    @made_once
    def _profile(self) -> LearnedProfile:
        from oras_core.registry.profiles import LearnedProfile, profile_for  # noqa: PLC0415 - lists of tags need none

        given = self._given_profile
        return LearnedProfile((given() if callable(given) else given) or profile_for(self.host))

    @made_once
    def _referrers(self) -> ReferrersMemory:
        from oras_core.registry.referrers_memory import ReferrersMemory  # noqa: PLC0415 - as above

        return ReferrersMemory()

    def catalog(self, page_size: int | None = None) -> Iterator[str]:
        """Iterate over the names of the repositories, page by page.

        Args:
            page_size: the number of names on a page; None for the registry's default.

        Raises during iteration:
            UnsupportedError: if the registry has no catalog or refuses to show it (R28).
            RegistryError: if the answer is not a list.
        """
        operation = f"list the repositories of {self.host}"
        try:
            for page in paginate_by(
                self.transport, self._endpoints.catalog, page_size, operation, limits=self._limits
            ):
                yield from filter(is_repository, page.strings("repositories"))
        except RegistryError as error:
            if error.status not in (401, 403, 404, 405):
                raise
            reason = (
                "the registry has no catalog, or does not show it to these credentials; "
                "log in with others, or name the repositories"
            )
            raise UnsupportedError(operation, reason) from error


class _PerProcessTransport:
    """The transports of one process: a forked child shares no token and no lock with its parent."""

    def __init__(self, compose: Callable[[], HttpTransport]) -> None:
        self._transport = PerProcess(compose)
        self._transport.get()  # raises now if an argument is wrong

    def send(self, request: HttpRequest) -> HttpResponse:
        return self._transport.get().send(request)

    def expect(self, scope: Scope) -> None:
        transport = self._transport.get()
        if isinstance(transport, ScopeExpecter):
            transport.expect(scope)
