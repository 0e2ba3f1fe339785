"""Logging in oras-py's style, on top of the standard `logging` module.

Importing this module does not change the root logger. The logger `oras` gets a
`NullHandler`. `setup_logger` shows the log records of the three packages on a terminal.

`announce` is for messages that interactive users expect, such as
`Successfully pushed localhost:5001/demo/report:v1`. It logs at INFO. It also writes to
standard output unless the program has configured the logger `oras` or `oras.logger`.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn

from oras._names import module_attributes

__all__ = ["ColorizingStreamHandler", "Logger", "announce", "logger", "setup_logger"]

if TYPE_CHECKING:
    from oras.logger.terminal import ColorizingStreamHandler
else:
    __getattr__, __dir__ = module_attributes(__name__, __all__)

_PACKAGES: Final = ("oras", "oras_adapters", "oras_core")

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

logging.getLogger("oras").addHandler(logging.NullHandler())


class Announcement(str):
    """A message that is also written to the terminal."""

    __slots__ = ()


class Logger:
    """oras-py's logger, over `logging.getLogger("oras.logger")`. Each method takes one string.

    Attributes:
        logger: the underlying logger.
        log_handler: functions that are called with each message as a dictionary. Users may
            append their own.
        stream_handler: the handler that `set_stream_handler` installed.
        quiet: drop INFO messages and progress.
        printshellcmds: log the commands passed to `shellcmd`.
    """

    def __init__(self) -> None:
        """Make a logger that passes messages to `logging` only."""
        self.logger: logging.Logger = logging.getLogger(__name__)
        self.log_handler: list[Callable[[dict[str, Any]], None]] = [self.text_handler]
        self.stream_handler: logging.Handler | None = None
        self.printshellcmds = False
        self.quiet = False
        self.logfile: str | None = None
        self.last_msg_was_job_info = False
        self.logfile_handler: logging.Handler | None = None

    def cleanup(self) -> None:
        """Close the log file, if there is one, and remove added handlers."""
        if self.logfile_handler is not None:
            self.logger.removeHandler(self.logfile_handler)
            self.logfile_handler.close()
            self.logfile_handler = None
        self.log_handler = [self.text_handler]

    def handler(self, msg: dict[str, Any]) -> None:
        """Pass a message, `{"level": …, "msg": …}`, to each function in `log_handler`."""
        for handle in self.log_handler:
            handle(msg)

    def set_stream_handler(self, stream_handler: logging.Handler) -> None:
        """Install `stream_handler` on the three packages' loggers, replacing the last one."""
        for name in _PACKAGES:
            package = logging.getLogger(name)
            if self.stream_handler is not None:
                package.removeHandler(self.stream_handler)
            package.addHandler(stream_handler)
        self.stream_handler = stream_handler

    def set_level(self, level: int) -> None:
        """Set the level of the three packages' loggers."""
        for name in _PACKAGES:
            logging.getLogger(name).setLevel(level)

    def location(self, msg: str) -> None:
        """Log `msg` at DEBUG with the caller's file, function and line."""
        frame = inspect.currentframe()
        caller = frame.f_back if frame else None
        if caller is None:
            self.debug(msg)
            return
        code = caller.f_code
        self.debug(f"{msg}: {code.co_filename}, {code.co_name}, {caller.f_lineno}")

    def info(self, msg: str) -> None:
        """Log at INFO, unless `quiet`."""
        self.handler({"level": "info", "msg": msg})

    def warning(self, msg: str) -> None:
        """Log at WARNING."""
        self.handler({"level": "warning", "msg": msg})

    def debug(self, msg: str) -> None:
        """Log at DEBUG."""
        self.handler({"level": "debug", "msg": msg})

    def error(self, msg: str) -> None:
        """Log at ERROR."""
        self.handler({"level": "error", "msg": msg})

    def exit(self, msg: str, return_code: int = 1) -> NoReturn:
        """Log at ERROR and exit the program. The library itself never calls this method.

        Raises:
            SystemExit: always.
        """
        self.error(msg)
        sys.exit(return_code)

    def progress(self, done: int, total: int) -> None:
        """Log at INFO that `done` of `total` steps are complete, unless `quiet`."""
        self.handler({"level": "progress", "done": done, "total": total})

    def shellcmd(self, msg: str | None) -> None:
        """Log a command at WARNING if `printshellcmds` is set."""
        if msg is not None:
            self.handler({"level": "shellcmd", "msg": msg})

    def text_handler(self, msg: dict[str, Any]) -> None:
        """Log a message. Also print an announcement if logging is not configured."""
        level = msg["level"]
        if level == "progress":
            if not self.quiet:
                self.logger.info(_progress_text(msg["done"], msg["total"]))
        elif level == "shellcmd":
            if self.printshellcmds:
                self.logger.warning(msg["msg"])
        elif level != "info" or not self.quiet:
            self.logger.log(_LEVELS.get(level, logging.INFO), msg["msg"])
            if isinstance(msg["msg"], Announcement) and not self._is_configured():
                _write_to_stdout(msg["msg"])

    def _is_configured(self) -> bool:
        # Handlers of the root logger do not count: they say nothing about this library.
        package = logging.getLogger("oras")
        return any(
            one.level != logging.NOTSET
            or one.disabled
            or not one.propagate
            or any(not isinstance(handler, logging.NullHandler) for handler in one.handlers)
            for one in (self.logger, package)
        )


def _progress_text(done: int, total: int) -> str:
    part = done / total if total else 1.0
    percent = f"{part:.2%}" if part < 0.01 else f"{part:.0%}"
    return f"{done} of {total} steps ({percent}) done"


def _write_to_stdout(message: str) -> None:
    from oras.logger.terminal import ColorizingStreamHandler  # noqa: PLC0415 - as below

    record = logging.makeLogRecord({"msg": str(message), "levelname": "INFO"})
    ColorizingStreamHandler(nocolor=True, stream=sys.stdout).handle(record)


logger: Logger = Logger()


def announce(message: str) -> None:
    """Log `message` at INFO, and print it if the program has not configured logging.

    Logging is configured if the logger `oras` or `oras.logger` has a handler, a level or
    `propagate = False`, or if `setup_logger` was called.
    """
    logger.info(Announcement(message))


def setup_logger(
    quiet: bool = False,
    printshellcmds: bool = False,
    nocolor: bool = False,
    stdout: bool = False,
    debug: bool = False,
    use_threads: bool = False,
) -> None:
    """Show log messages of `oras`, `oras_adapters` and `oras_core` on the terminal.

    Programs call this function; libraries should not. A second call replaces the first.

    Args:
        quiet: drop INFO messages and progress.
        printshellcmds: log the commands passed to `Logger.shellcmd`.
        nocolor: disable colours.
        stdout: write to standard output instead of standard error.
        debug: log at DEBUG instead of INFO.
        use_threads: ignored; kept for oras-py's callers.
    """
    from oras.logger.terminal import ColorizingStreamHandler  # noqa: PLC0415 - not all call this

    stream = sys.stdout if stdout else sys.stderr
    logger.set_stream_handler(ColorizingStreamHandler(nocolor, stream, use_threads))
    logger.set_level(logging.DEBUG if debug else logging.INFO)
    logger.quiet = quiet
    logger.printshellcmds = printshellcmds
