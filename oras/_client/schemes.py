"""`Schemes`: the scheme, `http` or `https`, that a client uses for each registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from oras import _transports
from oras_core.forks import ForkSafeLock
from oras_core.model.hosts import is_loopback
from oras_core.ports.http import HttpTransport

if TYPE_CHECKING:
    from oras.container import Container
    from oras_adapters.composition import Parts

__all__ = ["SchemeSettings", "Schemes"]


class SchemeSettings(Protocol):
    """The attributes of a client that decide about schemes.

    Attributes:
        chosen_prefix: the scheme that the program has chosen for all registries, or None.
    """

    chosen_prefix: str | None


class Schemes:
    """Knows the schemes of registries: by name, by settings, or by trying. Thread-safe.

    A registry on the loopback interface may speak either scheme. The likely one is tried
    first; `LoopbackTransport` finds out the right one. Other hosts are never tried.
    """

    def __init__(self, client: SchemeSettings) -> None:
        """Read the attributes of `client` at each request."""
        self._client = client
        self._named: dict[str, str] = {}
        self._found: dict[str, str] = {}
        self._lock = ForkSafeLock()
        self.latest: str | None = None
        """The registry of the container that was used last."""

    def use(self, container: Container) -> None:
        """Remember the scheme in a container's name, and that it was used last."""
        with self._lock:
            self.latest = container.registry
            if container.scheme is not None:
                self._named[container.registry] = container.scheme

    def of(self, host: str, composition: Parts, verify: bool | str) -> str:
        """Return the scheme for a registry."""
        decided = self._decided(host, composition)
        if decided is not None:
            return decided
        found = self._found.get(host)
        if found is not None:
            return found
        # A CA bundle, or an explicit choice, means that TLS is expected on this machine, too.
        expects_tls = (
            self._client.chosen_prefix == "https"
            or verify is not True
            or bool(composition.settings.tls.ca_bundle)
        )
        if not expects_tls:
            return "http"
        # Asked now, not with the first request: from https, a registry without TLS could not
        # lead to its token server, which speaks plain HTTP as well.
        tls = _speaks_tls(host) if urlsplit(f"//{host}").port else None
        if tls is not None:
            self._keep(host, "https" if tls else "http")
        return "http" if tls is False else "https"

    def finding(
        self, transport: HttpTransport, host: str, scheme: str, composition: Parts
    ) -> HttpTransport:
        """Wrap `transport` so that it finds out the scheme of a host on this machine."""
        if self._decided(host, composition) is not None or urlsplit(f"//{host}").port is None:
            return transport
        known = self._found.get(host)
        return _transports.LoopbackTransport(
            transport, host, scheme, known=known, speaks_tls=_speaks_tls, found=self._keep
        )

    def _decided(self, host: str, composition: Parts) -> str | None:
        """Return the scheme for a registry unless it has to be found out."""
        if host in self._named:
            return self._named[host]
        if self._client.chosen_prefix == "http":
            return "http"
        if composition.settings.host(host).plain_http is not None or not is_loopback(host):
            return "http" if composition.plain_http(host) else "https"
        # A certificate folder for the host is a setting, too.
        return None if composition.plain_http(host) else "https"

    def _keep(self, host: str, scheme: str) -> None:
        with self._lock:
            self._found[host] = scheme


def _speaks_tls(host: str) -> bool | None:
    from oras_adapters.http.tls_probe import speaks_tls  # noqa: PLC0415 - few registries are asked

    return speaks_tls(host)
