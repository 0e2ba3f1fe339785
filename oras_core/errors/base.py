"""The root of the error tree."""

from __future__ import annotations

__all__ = ["OrasError"]


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
        """Pickle the message and the facts: an error may cross to another process."""
        return _restore, (type(self), self.args, self.__dict__)
