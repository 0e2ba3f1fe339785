"""Every error that the library raises.

They form one tree under `OrasError`. Each says what was being done, to what, and why it
failed; the facts are attributes, so that callers branch on them and not on text. No
message and no repr holds a secret: URLs appear without user information and query.

An error about a value that the caller passed is also a `ValueError`; something absent
is also a `LookupError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

__all__ = [
    "AccessDeniedError",
    "AlreadyExistsError",
    "AuthenticationError",
    "ContentError",
    "CopyError",
    "CredentialError",
    "CredentialHelperError",
    "DigestMismatchError",
    "FileAccessError",
    "InvalidAnnotationError",
    "InvalidConfigurationError",
    "InvalidDescriptorError",
    "InvalidDigestError",
    "InvalidInputError",
    "InvalidManifestError",
    "InvalidPlatformError",
    "InvalidReferenceError",
    "NotFoundError",
    "OrasError",
    "RateLimitedError",
    "RegistryError",
    "RegistryNotFoundError",
    "SizeLimitError",
    "SizeMismatchError",
    "SourceChangedError",
    "TlsError",
    "TransportError",
    "TransportTimeoutError",
    "UnsafeArchiveError",
    "UnsafePathError",
    "UnsafeRedirectError",
    "UnsupportedError",
    "redact_url",
]


def redact_url(url: str) -> str:
    """Return `url` without user information, query and fragment.

    A presigned address carries its signature in the query, some people put passwords
    before the `@`; neither belongs in a message or a log (R32).
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "<unparsable URL>"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _restore(
    kind: type[OrasError], message: tuple[object, ...], facts: dict[str, object]
) -> OrasError:
    error = kind.__new__(kind, *message)
    error.args = message
    error.__dict__.update(facts)
    return error


class OrasError(Exception):
    """The root of all errors of this library."""

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle message and facts as they are: an error may cross to another process."""
        return _restore, (type(self), self.args, self.__dict__)


# --- What the caller handed in ------------------------------------------------------------


class InvalidInputError(OrasError, ValueError):
    """A value does not follow the grammar or the limits of its kind.

    Attributes:
        value: what was given.
        reason: what is wrong with it.
    """

    subject = "value"

    def __init__(self, value: object, reason: str) -> None:
        """Keep the facts; the message names the kind of value, the value and the reason."""
        self.value = value
        self.reason = reason
        super().__init__(f"invalid {self.subject} {value!r}: {reason}")


class InvalidReferenceError(InvalidInputError):
    """A name of an artifact does not follow the distribution spec's grammar."""

    subject = "reference"


class InvalidDigestError(InvalidInputError):
    """A digest is malformed or of an algorithm that is not accepted."""

    subject = "digest"


class InvalidPlatformError(InvalidInputError):
    """A platform is not of the form `os/architecture[/variant]`."""

    subject = "platform"


class InvalidAnnotationError(InvalidInputError):
    """An annotation is not a pair of strings, or an annotation file is malformed."""

    subject = "annotation"


class InvalidDescriptorError(InvalidInputError):
    """A descriptor breaks the image spec's descriptor rules."""

    subject = "descriptor"


class InvalidConfigurationError(InvalidInputError):
    """A setting is unknown or its value cannot be used."""

    subject = "setting"


class UnsafePathError(InvalidInputError):
    """A path would leave its folder, or could not be written on every platform."""

    subject = "path"


class InvalidManifestError(OrasError, ValueError):
    """A manifest or index is malformed, contradicts itself or exceeds a limit.

    Attributes:
        reason: what is wrong.
        location: where, as a path such as `layers[2].size`; empty for the whole.
    """

    def __init__(self, reason: str, *, location: str = "") -> None:
        """Keep the facts; the message names the place."""
        self.reason = reason
        self.location = location
        where = f" at {location}" if location else ""
        super().__init__(f"invalid manifest{where}: {reason}")


class UnsafeArchiveError(OrasError, ValueError):
    """A tar archive holds a member that may not be unpacked.

    Attributes:
        member: the member's name as found.
        reason: why it is refused.
    """

    def __init__(self, member: str, reason: str) -> None:
        """Keep the facts; the name is shown by repr, so that it can steer no terminal."""
        self.member = member
        self.reason = reason
        super().__init__(f"refusing to unpack archive member {member!r}: {reason}")


# --- Presence -----------------------------------------------------------------------------


class NotFoundError(OrasError, LookupError):
    """Content, a tag or a repository is not there.

    Attributes:
        what: what was looked for.
        where: in which target.
    """

    def __init__(self, what: str, where: str) -> None:
        """Keep the facts."""
        self.what = what
        self.where = where
        super().__init__(f"{what} not found in {where}")


class AlreadyExistsError(OrasError):
    """Something is in the way that may not be replaced.

    Attributes:
        what: what exists.
        where: in which target.
    """

    def __init__(self, what: str, where: str) -> None:
        """Keep the facts."""
        self.what = what
        self.where = where
        super().__init__(f"{what} already exists in {where} and may not be replaced")


class UnsupportedError(OrasError):
    """A target or registry cannot do what was asked for.

    Attributes:
        operation: what was asked for.
        reason: why it cannot be done.
    """

    def __init__(self, operation: str, reason: str) -> None:
        """Keep the facts."""
        self.operation = operation
        self.reason = reason
        super().__init__(f"cannot {operation}: {reason}")


# --- Content ------------------------------------------------------------------------------


class ContentError(OrasError):
    """Bytes are not what their descriptor promises."""


class DigestMismatchError(ContentError):
    """Content hashes to another digest than promised.

    Attributes:
        expected: the digest that the descriptor promises.
        actual: the digest of what arrived.
        what: what was being read.
    """

    def __init__(self, expected: str, actual: str, *, what: str = "content") -> None:
        """Keep the facts."""
        self.expected = expected
        self.actual = actual
        self.what = what
        super().__init__(f"{what} has digest {actual}, expected {expected}")


class SizeMismatchError(ContentError):
    """Content is shorter or longer than promised.

    Attributes:
        expected: the promised number of bytes.
        actual: the number of bytes read; where more than promised came, the least
            number that is certain.
        what: what was being read.
    """

    def __init__(self, expected: int, actual: int, *, what: str = "content") -> None:
        """Keep the facts."""
        self.expected = expected
        self.actual = actual
        self.what = what
        relation = "only" if actual < expected else "at least"
        super().__init__(f"{what} has {relation} {actual} bytes, expected {expected}")


class SizeLimitError(ContentError):
    """Something is larger than the limit set for its kind.

    Attributes:
        what: what was being read.
        limit: the limit in its unit.
        unit: `bytes`, `members`, `pages`, …
    """

    def __init__(self, what: str, limit: int, *, unit: str = "bytes") -> None:
        """Keep the facts."""
        self.what = what
        self.limit = limit
        self.unit = unit
        super().__init__(f"{what} exceeds the limit of {limit} {unit}")


class SourceChangedError(ContentError):
    """A file changed between being described and being sent.

    Attributes:
        what: the file.
    """

    def __init__(self, what: str, reason: str) -> None:
        """Keep the facts."""
        self.what = what
        self.reason = reason
        super().__init__(f"{what} changed while it was being pushed: {reason}")


class FileAccessError(OrasError, OSError):
    """The file system refused an operation.

    Attributes:
        operation: what was being done.
        path: to which path, relative to its folder.
        reason: the system's word for it.
    """

    def __init__(self, operation: str, path: str, reason: str) -> None:
        """Keep the facts."""
        self.operation = operation
        self.path = path
        self.reason = reason
        super().__init__(f"cannot {operation} {path!r}: {reason}")


# --- Registry -----------------------------------------------------------------------------


class RegistryError(OrasError):
    """A registry answered a request with an error.

    Attributes:
        operation: what was being done, e.g. `push blob sha256:… to localhost:5000/app`.
        status: the HTTP status.
        codes: the OCI error codes of the answer's body, e.g. `("MANIFEST_UNKNOWN",)`.
        detail: the registry's own words, shortened; may be empty.
        method: the HTTP method.
        url: the address asked, without its query.
    """

    def __init__(
        self,
        operation: str,
        *,
        status: int,
        method: str,
        url: str,
        codes: Sequence[str] = (),
        detail: str = "",
    ) -> None:
        """Keep the facts; the URL is redacted here, whatever was passed."""
        self.operation = operation
        self.status = status
        self.method = method
        self.url = redact_url(url)
        self.codes = tuple(codes)
        self.detail = detail
        words = ", ".join(codes)
        reason = ": ".join(part for part in (words, detail) if part)
        # Not `super()`: the next class may be `NotFoundError`, which makes its own message.
        OrasError.__init__(
            self,
            f"cannot {operation}: {method} {self.url} was answered with status {status}"
            + (f" ({reason})" if reason else ""),
        )


class AuthenticationError(RegistryError):
    """The registry wants a credential, or refused the one it was given (401)."""


class AccessDeniedError(RegistryError):
    """The credential may not do this, or, by some registries, there is no such thing (403, R8)."""


class RegistryNotFoundError(RegistryError, NotFoundError):
    """The registry has no such blob, manifest, tag or repository (404)."""

    @property
    def what(self) -> str:  # type: ignore[override]
        """What was being done when it was missed."""
        return self.operation

    @property
    def where(self) -> str:  # type: ignore[override]
        """The address that answered."""
        return self.url


class RateLimitedError(RegistryError):
    """The registry asks to slow down (429), and went on asking after all attempts.

    Attributes:
        retry_after: the pause in seconds that it asked for, if it named one.
    """

    retry_after: float | None = None


class UnsafeRedirectError(OrasError):
    """A registry sent the client to an address where it must not go (R10, R18).

    Attributes:
        source: the address that answered, without its query.
        target: where it pointed to, without its query.
        reason: why that is refused.
    """

    def __init__(self, source: str, target: str, reason: str) -> None:
        """Keep the facts, redacted."""
        self.source = redact_url(source)
        self.target = redact_url(target)
        self.reason = reason
        super().__init__(f"{self.source} redirects to {self.target}, which is refused: {reason}")


# --- Wire ---------------------------------------------------------------------------------


class TransportError(OrasError):
    """A request got no answer, or the answer broke off.

    Attributes:
        method: the HTTP method.
        url: the address, without its query.
        reason: what went wrong.
        retryable: whether the same request may succeed later.
    """

    def __init__(self, method: str, url: str, reason: str, *, retryable: bool = True) -> None:
        """Keep the facts, redacted."""
        self.method = method
        self.url = redact_url(url)
        self.reason = reason
        self.retryable = retryable
        super().__init__(f"{method} {self.url} failed: {reason}")


class TransportTimeoutError(TransportError, TimeoutError):
    """The server did not answer, or stopped sending, within the time allowed."""


class TlsError(TransportError):
    """The server's certificate is not trusted, or no common TLS version exists."""

    def __init__(self, method: str, url: str, reason: str, *, retryable: bool = False) -> None:
        """As `TransportError`, but another attempt is pointless."""
        super().__init__(method, url, reason, retryable=retryable)


# --- Credentials --------------------------------------------------------------------------


class CredentialError(OrasError):
    """Credentials could not be read, stored or erased.

    Attributes:
        operation: what was being done.
        store: in which store, e.g. a file's path or a helper's name.
        reason: why it failed.
    """

    def __init__(self, operation: str, store: str, reason: str) -> None:
        """Keep the facts."""
        self.operation = operation
        self.store = store
        self.reason = reason
        super().__init__(f"cannot {operation} with {store}: {reason}")


class CredentialHelperError(CredentialError):
    """A `docker-credential-…` program is missing, failed, hung or answered nonsense (R12)."""


# --- Copying ------------------------------------------------------------------------------


class CopyError(OrasError):
    """A copy between two targets failed; the cause is chained (`__cause__`).

    Attributes:
        operation: `resolve`, `fetch`, `push`, `tag`, …
        origin: which side failed, `source` or `destination`.
        descriptor: the digest of the content being moved; empty where none was known.
    """

    def __init__(self, operation: str, origin: str, descriptor: str, cause: Exception) -> None:
        """Keep the facts; the cause's message ends the sentence."""
        self.operation = operation
        self.origin = origin
        self.descriptor = descriptor
        subject = f" {descriptor}" if descriptor else ""
        super().__init__(f"copy failed to {operation}{subject} at the {origin}: {cause}")
