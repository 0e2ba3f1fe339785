"""Log records on a terminal, in colour."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, ClassVar, Final, TextIO

__all__ = ["ColorizingStreamHandler"]

# Text from a registry may contain terminal escapes (CWE-117, CWE-150). Show them as text.
_VISIBLE_CONTROLS: Final = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
}


class ColorizingStreamHandler(logging.StreamHandler[Any]):
    """Writes records to a stream. On a terminal the level selects the colour.

    Attributes:
        nocolor: whether colours are off: by argument, by `TERM=dumb`, or without a terminal.
    """

    BLACK, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE = range(8)
    RESET_SEQ: Final = "\033[0m"
    COLOR_SEQ: Final = "\033[%dm"
    BOLD_SEQ: Final = "\033[1m"

    colors: ClassVar[dict[str, int]] = {
        "DEBUG": BLUE,
        "INFO": GREEN,
        "WARNING": YELLOW,
        "ERROR": RED,
        "CRITICAL": RED,
    }

    def __init__(
        self,
        nocolor: bool = False,
        stream: TextIO | None = None,
        use_threads: bool = False,
    ) -> None:
        """Write to `stream`. The default is the current standard error.

        `use_threads` has no effect, as in oras-py: handlers are thread-safe.
        """
        super().__init__(stream=stream)
        self.nocolor: bool = nocolor or not self.can_color_tty()

    def can_color_tty(self) -> bool:
        """Return whether the stream is a terminal that supports colours."""
        return os.environ.get("TERM") != "dumb" and self.is_tty and sys.platform != "win32"

    @property
    def is_tty(self) -> bool:
        """Whether the stream is a terminal."""
        isatty = getattr(self.stream, "isatty", None)
        return bool(isatty and isatty())

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. `logging` reports failures; a broken pipe is raised."""
        try:
            text = self.decorate(record)
            self.stream.write(text + self.terminator)
            self.flush()
        except BrokenPipeError:
            raise
        except Exception:  # noqa: BLE001 - a log record must not stop the program
            self.handleError(record)

    def decorate(self, record: logging.LogRecord) -> str:
        """Return the formatted record with control characters escaped, in its colour."""
        text = self.format(record).translate(_VISIBLE_CONTROLS)
        if self.nocolor or record.levelname not in self.colors:
            return text
        return f"{self.COLOR_SEQ % (30 + self.colors[record.levelname])}{text}{self.RESET_SEQ}"
