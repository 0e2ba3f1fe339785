"""`Container`: a name of an artifact, with the addresses that follow from it."""

from __future__ import annotations

import re
from typing import Final

from oras import defaults
from oras_core.errors import InvalidDigestError, InvalidReferenceError
from oras_core.model.digest import Digest
from oras_core.model.reference import Reference
from oras_core.registry.endpoints import RepositoryEndpoints, api_host

__all__ = ["Container", "UnrecognizedNameError", "docker_regex"]

docker_regex: Final = re.compile(
    r"""^
    (?:(?P<registry>[^/@]*[.:][^/@]*|localhost)/)?
    (?P<namespace>(?:[^/:@]+/)+)?
    (?P<repository>[^/:@]+)
    (?::(?P<tag>[^/:@]+))?
    (?:@(?P<digest>[^@]+))?
    \Z""",
    re.VERBOSE,
)
"""The parts of a name, roughly; `Container` parses by the spec's stricter grammar (R36)."""


class UnrecognizedNameError(InvalidReferenceError):
    """A name is not `[REGISTRY/][NAMESPACE/]REPOSITORY[:TAG][@DIGEST]`."""

    def __str__(self) -> str:
        """Say it in oras-py's words, then why."""
        name = self.value if isinstance(self.value, str) and self.value.isprintable() else None
        return (
            f"{repr(self.value) if name is None else name} does not match a recognized registry "
            "unique resource identifier. Try <registry>/<namespace>/<repository>:<tag|digest> "
            f"({self.reason})"
        )


class Container:
    """A parsed name: where an artifact is, and which URLs belong to it.

    Attributes:
        registry: host, maybe with port; `docker.io` where neither name nor argument says.
        namespace: what stands before the last `/`, or None.
        repository: the last component.
        tag: `latest` where the name has none, also where it has a digest.
        digest: or None; it wins over the tag.

    Args:
        name: `[REGISTRY/][NAMESPACE/]REPOSITORY[:TAG][@DIGEST]`. The first part is a
            registry only if it has `.` or `:` or is `localhost` (R11).
        registry: the one to assume where the name has none.

    Raises:
        UnrecognizedNameError: also a ValueError; for a scheme, characters or a case that
            the distribution spec does not allow, a missing part, a malformed digest.
    """

    registry: str
    namespace: str | None
    repository: str
    tag: str
    digest: str | None

    def __init__(self, name: str, registry: str | None = None) -> None:
        self.registry = registry or defaults.registry.index_name
        self.parse(name)

    def parse(self, name: str) -> None:
        """Take over the parts of `name`; a registry that it lacks stays as it is.

        Raises:
            UnrecognizedNameError: see the class.
        """
        try:
            reference = Reference.parse(name, default_registry=self.registry)
        except (InvalidReferenceError, InvalidDigestError) as error:
            reason = error.reason
            if isinstance(name, str) and not name.partition("@")[0].rpartition("/")[2].strip(":"):
                reason = "You are minimally required to include a <namespace>/<repository>"
            raise UnrecognizedNameError(name, reason) from error
        namespace, _, self.repository = reference.repository.rpartition("/")
        # Docker Hub's `library/` belongs to its API (R11); people leave it out, and so does `uri`.
        implied = namespace == "library" and "library/" not in name
        self.namespace = None if implied else namespace or None
        self.registry = reference.registry
        self.tag = reference.tag or defaults.default_tag
        self.digest = str(reference.digest) if reference.digest else None

    @property
    def api_host(self) -> str:
        """The host that answers the API: the registry, but for Docker Hub another name (R11)."""
        return api_host(self.registry)

    @property
    def api_prefix(self) -> str:
        """The repository's full name, as it stands in URLs."""
        return self._reference().repository

    @property
    def uri(self) -> str:
        """The whole name, with the digest if there is one, else with the tag."""
        path = f"{self.namespace}/{self.repository}" if self.namespace else self.repository
        end = f"@{self.digest}" if self.digest else f":{self.tag}" if self.tag else ""
        return f"{self.registry}/{path}{end}"

    def get_blob_url(self, digest: str) -> str:
        """Return where a blob is, without scheme.

        Raises:
            InvalidDigestError: for what is no digest, and would lead elsewhere.
        """
        return self._endpoints().blob(Digest.parse(digest))

    def upload_blob_url(self) -> str:
        """Return where an upload begins, without scheme."""
        return self._endpoints().uploads()

    def tags_url(self, N: int | None = None) -> str:
        """Return where the tags are listed, `N` to a page, without scheme."""
        return self._endpoints().tags(N)

    def manifest_url(self, tag: str | None = None) -> str:
        """Return where a manifest is, without scheme.

        Args:
            tag: a tag or digest; by default the container's digest, else its tag.

        Raises:
            InvalidReferenceError: for what is no tag, and would lead elsewhere.
            InvalidDigestError: for what looks like a digest and is none.
        """
        return self._endpoints().manifest(tag or self.digest or self.tag)

    def _reference(self) -> Reference:
        # The attributes are the user's to change: they are checked when they are used.
        return Reference.parse(self.uri)

    def _endpoints(self) -> RepositoryEndpoints:
        return RepositoryEndpoints(self.api_host, self.registry, self.api_prefix)

    def __str__(self) -> str:
        """Return `uri`."""
        return self.uri

    def __repr__(self) -> str:
        """Show the name."""
        return f"Container({self.uri!r})"
