"""The URLs of the distribution spec's API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from attrs import field, frozen

from oras_core.errors import InvalidReferenceError
from oras_core.model.digest import Digest
from oras_core.model.hosts import DOCKER_HUB, DOCKER_HUB_API, canonical_registry
from oras_core.model.reference import is_registry, is_repository, is_tag

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = [
    "RegistryEndpoints",
    "RepositoryEndpoints",
    "api_host",
    "base_url",
    "with_digest",
]


def api_host(registry: str) -> str:
    """Return the API host of `registry`; for Docker Hub it is another host (R11)."""
    return DOCKER_HUB_API if canonical_registry(registry) == DOCKER_HUB else registry


def base_url(registry: str, *, plain_http: bool = False) -> str:
    """Return scheme and host of the API of `registry`, without a trailing slash.

    Raises:
        InvalidReferenceError: if `registry` is not `HOST` or `HOST:PORT`.
    """
    if not is_registry(registry):
        raise InvalidReferenceError(registry, "the registry is not HOST or HOST:PORT")
    return f"{'http' if plain_http else 'https'}://{api_host(registry)}"


def with_digest(location: str, digest: Digest) -> str:
    """Append `digest=` to the URL of an upload, and keep its query unchanged (R18).

    The query is not parsed: the registry may have signed it, and it may have parameters
    without a value.
    """
    parts = urlsplit(location)
    separator = "&" if parts.query and not parts.query.endswith("&") else ""
    query = f"{parts.query}{separator}digest={digest}"
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _query(parameters: dict[str, object]) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    # Servers accept the colon of a digest in a query without escaping.
    return f"?{urlencode(given, safe=':/')}" if given else ""


@frozen(eq=False, repr=False)
class RegistryEndpoints:
    """The URLs of a registry.

    Attributes:
        base_url: scheme and host, without a trailing slash.
        registry: the registry as in references, e.g. `docker.io`; for messages.
    """

    base_url: str
    registry: str

    @property
    def ping(self) -> str:
        """The URL that confirms a registry (end-1)."""
        return f"{self.base_url}/v2/"

    def catalog(self, page_size: int | None = None) -> str:
        """Return the URL of the list of repositories; not in the spec, often refused (R28)."""
        return f"{self.base_url}/v2/_catalog{_query({'n': page_size})}"

    def repository(self, name: str) -> RepositoryEndpoints:
        """Return the URLs of one repository.

        Raises:
            InvalidReferenceError: if `name` is not a repository name.
        """
        return RepositoryEndpoints(self.base_url, self.registry, name)


def _check_repository(_instance: object, _attribute: Attribute[str], value: str) -> None:
    if not is_repository(value):
        raise InvalidReferenceError(value, "it is not a repository name")


@frozen(eq=False, repr=False)
class RepositoryEndpoints:
    """The URLs of one repository.

    Attributes:
        base_url: as in `RegistryEndpoints`.
        registry: as in `RegistryEndpoints`.
        repository: the name of the repository, e.g. `library/alpine`.
    """

    base_url: str
    registry: str
    repository: str = field(validator=_check_repository)

    @property
    def name(self) -> str:
        """Registry and repository, as in references; for messages."""
        return f"{self.registry}/{self.repository}"

    @property
    def _root(self) -> str:
        return f"{self.base_url}/v2/{self.repository}"

    def blob(self, digest: Digest) -> str:
        """Return the URL to fetch, look for and delete a blob (end-2, end-10)."""
        return f"{self._root}/blobs/{digest}"

    def uploads(self) -> str:
        """Return the URL that starts an upload (end-4a); the trailing slash is required."""
        return f"{self._root}/blobs/uploads/"

    def mount(self, digest: Digest, source: str) -> str:
        """Return the URL that mounts a blob of the repository `source` (end-11).

        `source` is required, since Quay fails without `from` (R21).
        """
        return self.uploads() + _query({"mount": str(digest), "from": source})

    def manifest(self, reference: str | Digest, tags: Sequence[str] = ()) -> str:
        """Return the URL to fetch, put and delete a manifest (end-3, end-7, end-9).

        `tags` are to be created by a PUT of the digest `reference`.

        Raises:
            InvalidReferenceError: if `reference` is neither a tag nor a digest (R36).
            InvalidDigestError: if `reference` is a malformed digest.
        """
        if not isinstance(reference, Digest) and ":" in reference:
            reference = Digest.parse(reference)
        if isinstance(reference, str) and not is_tag(reference):
            raise InvalidReferenceError(reference, "it is neither a tag nor a digest")
        query = f"?{urlencode([('tag', tag) for tag in tags])}" if tags else ""
        return f"{self._root}/manifests/{reference}{query}"

    def tags(self, page_size: int | None = None) -> str:
        """Return the URL of the list of tags (end-8a, end-8b)."""
        return f"{self._root}/tags/list{_query({'n': page_size})}"

    def referrers(self, digest: Digest, artifact_type: str | None = None) -> str:
        """Return the URL of the referrers of a manifest (end-12a, end-12b)."""
        query = f"?artifactType={quote(artifact_type, safe='')}" if artifact_type else ""
        return f"{self._root}/referrers/{digest}{query}"
