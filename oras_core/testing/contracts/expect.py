"""Expected errors for the contract suites, without a test framework."""

from __future__ import annotations

from types import TracebackType
from typing import Generic, TypeVar

__all__ = ["Expectation", "raises"]

ErrorT = TypeVar("ErrorT", bound=BaseException)


class Expectation(Generic[ErrorT]):
    """A block that must raise an error of one kind.

    Attributes:
        error: the error, after the block.
    """

    error: ErrorT

    def __init__(self, kind: type[ErrorT]) -> None:
        """Expect an error of `kind`."""
        self._kind = kind

    def __enter__(self) -> Expectation[ErrorT]:
        """Return the expectation; its error is set afterwards."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Keep the expected error; let any other error pass.

        Raises:
            AssertionError: if no error was raised.
        """
        if error is None:
            raise AssertionError(f"{self._kind.__name__} was not raised")
        if not isinstance(error, self._kind):
            return False
        self.error = error
        return True


def raises(kind: type[ErrorT]) -> Expectation[ErrorT]:
    """Expect that a `with` block raises an error of `kind`."""
    return Expectation(kind)
