"""Log records on a terminal, in colour."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, ClassVar, Final, TextIO

__all__ = ["ColorizingStreamHandler"]

# A registry's words may hold terminal escapes (CWE-117, CWE-150): they are shown, not obeyed.
_VISIBLE_CONTROLS: Final = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
}


class ColorizingStreamHandler(logging.StreamHandler[Any]):
    """Writes records to a stream, in the colour of their level if it is a terminal.

    Attributes:
        nocolor: whether colours are off: asked for, `TERM=dumb`, or no terminal.
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
        """Write to `stream`, by default today's standard error.

        `use_threads` changes nothing, as in oras-py: a handler locks itself.
        """
        super().__init__(stream=stream)
        self.nocolor = nocolor or not self.can_color_tty()

    def can_color_tty(self) -> bool:
        """Tell whether the stream is a terminal that knows colours."""
        return os.environ.get("TERM") != "dumb" and self.is_tty and sys.platform != "win32"

    @property
    def is_tty(self) -> bool:
        """Whether the stream is a terminal."""
        isatty = getattr(self.stream, "isatty", None)
        return bool(isatty and isatty())

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a failure is `logging`'s to report, a broken pipe is raised."""
        try:
            text = self.decorate(record)
            self.stream.write(text + self.terminator)
            self.flush()
        except BrokenPipeError:
            raise
        except Exception:  # noqa: BLE001 - a log line may not stop the program (logging's own rule)
            self.handleError(record)

    def decorate(self, record: logging.LogRecord) -> str:
        """Return the formatted record, made harmless for a terminal, in its colour."""
        text = self.format(record).translate(_VISIBLE_CONTROLS)
        if self.nocolor or record.levelname not in self.colors:
            return text
        return f"{self.COLOR_SEQ % (30 + self.colors[record.levelname])}{text}{self.RESET_SEQ}"
