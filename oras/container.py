"""`Container`: the parsed name of an artifact, and the URLs derived from it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from oras import defaults
from oras._names import module_attributes
from oras_core.errors import InvalidDigestError, InvalidReferenceError
from oras_core.model.digest import Digest
from oras_core.model.reference import Reference, is_registry
from oras_core.registry.endpoints import RepositoryEndpoints, api_host

__all__ = ["Container", "UnrecognizedNameError", "docker_regex"]

if not TYPE_CHECKING:
    _name_of_oras_py, __dir__ = module_attributes(__name__, __all__)

    def __getattr__(name: str) -> object:
        """Compile the expression, or import a name of oras-py, on first use (PEP 562)."""
        if name == "docker_regex":
            return globals().setdefault(name, re.compile(_DOCKER_NAME, re.VERBOSE))
        return _name_of_oras_py(name)


docker_regex: re.Pattern[str]
"""Matches the parts of a name loosely; `Container` uses the spec's stricter grammar (R36)."""

_DOCKER_NAME: Final = r"""^
    (?:(?P<registry>[^/@]*[.:][^/@]*|localhost)/)?
    (?P<namespace>(?:[^/:@]+/)+)?
    (?P<repository>[^/:@]+)
    (?::(?P<tag>[^/:@]+))?
    (?:@(?P<digest>[^@]+))?
    \Z"""

_USER: Final = r"\A((?:[A-Za-z][A-Za-z0-9+.-]*://)?)[^/]*@(?=[^/@]+/)"
_PLACEHOLDER: Final = "registry.invalid"


class UnrecognizedNameError(InvalidReferenceError):
    """A name does not have the form `[REGISTRY/][NAMESPACE/]REPOSITORY[:TAG][@DIGEST]`."""

    def __str__(self) -> str:
        """Return oras-py's message, followed by the reason."""
        name = self.value if isinstance(self.value, str) and self.value.isprintable() else None
        return (
            f"{repr(self.value) if name is None else name} does not match a recognized registry "
            "unique resource identifier. Try <registry>/<namespace>/<repository>:<tag|digest> "
            f"({self.reason})"
        )


class Container:
    """A parsed name of an artifact, and the URLs of its repository.

    Attributes:
        registry: the host, with a port if there is one. The default is `docker.io`.
        namespace: the part of the path before the last `/`, or None.
        repository: the last component of the path.
        tag: the tag; `latest` if the name has none, even if it has a digest.
        digest: the digest, or None. A digest takes precedence over the tag.
        scheme: `http` or `https` if the name starts with it, otherwise None. A client uses
            it for that registry.

    Args:
        name: `[REGISTRY/][NAMESPACE/]REPOSITORY[:TAG][@DIGEST]`. The first part is a
            registry only if it contains `.` or `:` or equals `localhost` (R11). The name may
            start with `http://` or `https://`; then the first part is always a registry.
        registry: the registry to use if the name has none.

    Raises:
        UnrecognizedNameError: also a ValueError; if the name contains another scheme, characters
            or upper case that the distribution spec forbids, lacks a part, or has a
            malformed digest.
    """

    registry: str
    namespace: str | None
    repository: str
    tag: str
    digest: str | None
    scheme: str | None

    def __init__(self, name: str, registry: str | None = None) -> None:
        self.registry = registry or defaults.registry.index_name
        self.parse(name)

    def parse(self, name: str) -> None:
        """Set the attributes from `name`. If it has no registry, `registry` is unchanged.

        Raises:
            UnrecognizedNameError: see the class.
        """
        try:
            scheme, host, rest = _split_scheme(name)
            reference = Reference.parse(rest, default_registry=host or self.registry)
        except (InvalidReferenceError, InvalidDigestError) as error:
            reason = error.reason
            if isinstance(name, str) and not name.partition("@")[0].rpartition("/")[2].strip(":"):
                reason = "You are minimally required to include a <namespace>/<repository>"
            shown = _without_user(name)
            # The cause may repeat the user information that is not shown.
            raise UnrecognizedNameError(shown, reason) from error if shown == name else None
        namespace, _, self.repository = reference.repository.rpartition("/")
        # `library/` is part of Docker Hub's API paths (R11); users omit it, and so does `uri`.
        implied = namespace == "library" and "library/" not in name
        self.namespace = None if implied else namespace or None
        self.registry = host or reference.registry
        self.scheme = scheme
        self.tag = reference.tag or defaults.default_tag
        self.digest = str(reference.digest) if reference.digest else None

    @property
    def api_host(self) -> str:
        """The host that serves the API: the registry, except for Docker Hub (R11)."""
        return api_host(self.registry)

    @property
    def api_prefix(self) -> str:
        """The full name of the repository, as used in URLs."""
        return self._reference().repository

    @property
    def uri(self) -> str:
        """The full name, with the digest if there is one, otherwise with the tag."""
        path = f"{self.namespace}/{self.repository}" if self.namespace else self.repository
        end = f"@{self.digest}" if self.digest else f":{self.tag}" if self.tag else ""
        return f"{self.registry}/{path}{end}"

    def get_blob_url(self, digest: str) -> str:
        """Return the URL of a blob, without the scheme.

        Raises:
            InvalidDigestError: if `digest` is malformed.
        """
        return self._endpoints().blob(Digest.parse(digest))

    def upload_blob_url(self) -> str:
        """Return the URL that starts an upload, without the scheme."""
        return self._endpoints().uploads()

    def tags_url(self, N: int | None = None) -> str:
        """Return the URL of the tag list with `N` tags a page, without the scheme."""
        return self._endpoints().tags(N)

    def manifest_url(self, tag: str | None = None) -> str:
        """Return the URL of a manifest, without the scheme.

        Args:
            tag: a tag or digest. The default is the container's digest, or else its tag.

        Raises:
            InvalidReferenceError: if `tag` is not a valid tag.
            InvalidDigestError: if `tag` is a malformed digest.
        """
        return self._endpoints().manifest(tag or self.digest or self.tag)

    def get_manifest_url(self) -> str:
        """Return `manifest_url()`; the name of oras-py 0.1."""
        return self.manifest_url()

    def put_manifest_url(self) -> str:
        """Return the URL of the manifest under its tag; the name of oras-py 0.1."""
        return self.manifest_url(self.tag)

    def _reference(self) -> Reference:
        # Users may assign the attributes, so they are validated on use.
        if not _is_marked(self.registry):
            # A host that only a URL can name, such as `http://registry/a`.
            return Reference.parse(self.uri.replace(self.registry, _PLACEHOLDER, 1))
        return Reference.parse(self.uri)

    def _endpoints(self) -> RepositoryEndpoints:
        return RepositoryEndpoints(self.api_host, self.registry, self.api_prefix)

    def __str__(self) -> str:
        """Return `uri`."""
        return self.uri

    def __repr__(self) -> str:
        """Return the class and `uri`."""
        return f"Container({self.uri!r})"


def _split_scheme(name: str) -> tuple[str | None, str | None, str]:
    """Split a URL into its scheme, its host and the rest. A plain name is all rest.

    Raises:
        InvalidReferenceError: if the host is not `HOST` or `HOST:PORT`.
    """
    scheme, mark, rest = name.partition("://") if isinstance(name, str) else ("", "", "")
    if not mark or scheme.lower() not in {"http", "https"}:
        return None, None, name
    host, _, path = rest.partition("/")
    if not is_registry(host):
        raise InvalidReferenceError(host, "the registry is not HOST or HOST:PORT")
    # Behind a host, the path has no registry, even if its first part looks like one.
    return scheme.lower(), host, f"{_PLACEHOLDER}/{path}"


def _is_marked(registry: str) -> bool:
    """Tell whether a registry is recognized as one at the beginning of a name (R11)."""
    return "." in registry or ":" in registry or registry == "localhost"


def _without_user(name: object) -> object:
    """Return a name without user information, which may hold a password."""
    return re.sub(_USER, r"\1", name) if isinstance(name, str) else name
