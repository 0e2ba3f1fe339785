"""Values, manifests and archives that are invalid."""

from __future__ import annotations

from typing import Any

from oras_core.errors.base import OrasError
from oras_core.errors.redaction import redact_name

__all__ = [
    "InvalidAnnotationError",
    "InvalidConfigurationError",
    "InvalidDescriptorError",
    "InvalidDigestError",
    "InvalidInputError",
    "InvalidManifestError",
    "InvalidPlatformError",
    "InvalidReferenceError",
    "UnsafeArchiveError",
    "UnsafePathError",
]


class InvalidInputError(OrasError, ValueError):
    """A value does not follow the grammar or the limits of its kind.

    Attributes:
        value: the value.
        reason: the rule that it violates.
    """

    subject = "value"

    def __init__(self, value: object, reason: str) -> None:
        """Keep the facts; the message names the kind, the value and the reason."""
        self.value = value
        self.reason = reason
        super().__init__(f"invalid {self.subject} {value!r}: {reason}")


class InvalidReferenceError(InvalidInputError):
    """A reference does not follow the grammar of the distribution spec."""

    subject = "reference"

    def __init__(self, value: object, reason: str) -> None:
        """Keep the facts, without a password."""
        super().__init__(redact_name(value) if isinstance(value, str) else value, reason)


class InvalidDigestError(InvalidInputError):
    """A digest is malformed, or its algorithm is not accepted."""

    subject = "digest"


class InvalidPlatformError(InvalidInputError):
    """A platform does not have the form `os/architecture[/variant]`."""

    subject = "platform"


class InvalidAnnotationError(InvalidInputError):
    """An annotation is not a pair of strings, or an annotation file is malformed."""

    subject = "annotation"


class InvalidDescriptorError(InvalidInputError):
    """A descriptor violates the rules of the image spec."""

    subject = "descriptor"


class InvalidConfigurationError(InvalidInputError):
    """A setting is unknown, or its value is invalid."""

    subject = "setting"


class UnsafePathError(InvalidInputError):
    """A path would leave its folder, or cannot be written on every platform."""

    subject = "path"


class InvalidManifestError(OrasError, ValueError):
    """A manifest or index is malformed, contradicts itself or exceeds a limit.

    Attributes:
        reason: the fault.
        location: the place, such as `layers[2].size`; empty for the whole document.
        what: the digest or the name of a manifest that was fetched; empty for any other.
    """

    what: str = ""

    def __init__(self, reason: str, *, location: str = "") -> None:
        """Keep the facts; the message names the location."""
        self.reason = reason
        self.location = location
        super().__init__(self._message())

    def found_in(self, what: str) -> None:
        """Add to the message which manifest was fetched, once."""
        if not self.what:
            self.what = what
            self.args: tuple[Any, ...] = (self._message(),)

    def _message(self) -> str:
        name = f" {self.what}" if self.what else ""
        where = f" at {self.location}" if self.location else ""
        return f"invalid manifest{name}{where}: {self.reason}"


class UnsafeArchiveError(OrasError, ValueError):
    """A tar archive is damaged, or has a member that may not be unpacked.

    Attributes:
        member: the name of the member, unchanged; empty if the whole archive is refused.
        reason: why it is refused.
    """

    def __init__(self, member: str, reason: str) -> None:
        """Keep the facts; `repr` escapes control characters in the name."""
        self.member = member
        self.reason = reason
        what = f"archive member {member!r}" if member else "the archive"
        super().__init__(f"refusing to unpack {what}: {reason}")
