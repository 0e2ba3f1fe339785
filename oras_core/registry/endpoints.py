"""The addresses of the distribution spec's API."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from attrs import field, frozen

from oras_core.errors import InvalidReferenceError
from oras_core.model.digest import Digest
from oras_core.model.reference import is_registry, is_repository, is_tag

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = [
    "RegistryEndpoints",
    "RepositoryEndpoints",
    "api_host",
    "base_url",
    "is_loopback",
    "with_digest",
]

DOCKER_HUB: Final = "docker.io"
DOCKER_HUB_API: Final = "registry-1.docker.io"


def api_host(registry: str) -> str:
    """Return the host that serves the API of `registry`: it is another for Docker Hub (R11)."""
    return DOCKER_HUB_API if registry == DOCKER_HUB else registry


def base_url(registry: str, *, plain_http: bool = False) -> str:
    """Return scheme and host of the API of `registry`, without a slash at the end.

    Raises:
        InvalidReferenceError: if it is not `HOST` or `HOST:PORT`.
    """
    if not is_registry(registry):
        raise InvalidReferenceError(registry, "the registry is not HOST or HOST:PORT")
    return f"{'http' if plain_http else 'https'}://{api_host(registry)}"


def is_loopback(registry: str) -> bool:
    """Tell whether `registry` is this machine: `localhost`, 127.0.0.0/8 or ::1."""
    host = urlsplit(f"//{registry}").hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def with_digest(location: str, digest: Digest) -> str:
    """Append `digest=` to an upload's address and leave its own query as it is (R18).

    The query may be signed by the registry and may hold parameters without a value, so
    that it is not taken apart.
    """
    parts = urlsplit(location)
    separator = "&" if parts.query and not parts.query.endswith("&") else ""
    query = f"{parts.query}{separator}digest={digest}"
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _query(parameters: dict[str, object]) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    # A digest's colon needs no escape in a query, and is read by every server without one.
    return f"?{urlencode(given, safe=':/')}" if given else ""


@frozen
class RegistryEndpoints:
    """The addresses of a whole registry.

    Attributes:
        base_url: scheme and host, without a slash at the end.
        registry: the registry as references name it, e.g. `docker.io`; for messages.
    """

    base_url: str
    registry: str

    @property
    def ping(self) -> str:
        """Where a registry says that it is one (end-1)."""
        return f"{self.base_url}/v2/"

    def catalog(self, page_size: int | None = None) -> str:
        """Where the repositories are listed; not of the spec, and often refused (R28)."""
        return f"{self.base_url}/v2/_catalog{_query({'n': page_size})}"

    def repository(self, name: str) -> RepositoryEndpoints:
        """Return the addresses of one repository.

        Raises:
            InvalidReferenceError: if `name` is no repository name.
        """
        return RepositoryEndpoints(self.base_url, self.registry, name)


def _check_repository(_instance: object, _attribute: Attribute[str], value: str) -> None:
    if not is_repository(value):
        raise InvalidReferenceError(value, "it is no repository name")


@frozen
class RepositoryEndpoints:
    """The addresses of one repository.

    Attributes:
        base_url: as of `RegistryEndpoints`.
        registry: likewise.
        repository: the repository's name, e.g. `library/alpine`.
    """

    base_url: str
    registry: str
    repository: str = field(validator=_check_repository)

    @property
    def name(self) -> str:
        """Registry and repository as in a reference, for messages."""
        return f"{self.registry}/{self.repository}"

    @property
    def _root(self) -> str:
        return f"{self.base_url}/v2/{self.repository}"

    def blob(self, digest: Digest) -> str:
        """Where a blob is had, looked for and deleted (end-2, end-10)."""
        return f"{self._root}/blobs/{digest}"

    def uploads(self) -> str:
        """Where the upload of a blob begins (end-4a); the slash at the end belongs to it."""
        return f"{self._root}/blobs/uploads/"

    def mount(self, digest: Digest, source: str) -> str:
        """Where a blob of the repository `source` is asked for (end-11).

        `source` is always named: Quay fails without it (R21).
        """
        return self.uploads() + _query({"mount": str(digest), "from": source})

    def manifest(self, reference: str | Digest) -> str:
        """Where a manifest is had, put and deleted, by tag or digest (end-3, end-7, end-9).

        Raises:
            InvalidReferenceError: if `reference` is neither (R36).
            InvalidDigestError: if it looks like a digest and is none.
        """
        if not isinstance(reference, Digest) and ":" in reference:
            reference = Digest.parse(reference)
        if isinstance(reference, str) and not is_tag(reference):
            raise InvalidReferenceError(reference, "it is neither a tag nor a digest")
        return f"{self._root}/manifests/{reference}"

    def tags(self, page_size: int | None = None) -> str:
        """Where the tags are listed (end-8a, end-8b)."""
        return f"{self._root}/tags/list{_query({'n': page_size})}"

    def referrers(self, digest: Digest, artifact_type: str | None = None) -> str:
        """Where the referrers of a manifest are listed (end-12a, end-12b)."""
        query = f"?artifactType={quote(artifact_type, safe='')}" if artifact_type else ""
        return f"{self._root}/referrers/{digest}{query}"
