from __future__ import annotations

import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest

import oras.logger
from oras.logger import ColorizingStreamHandler, Logger, announce, setup_logger

NAMES = ("oras", "oras.logger", "oras_adapters", "oras_core")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Give each test its own global logger, and leave `logging` as it was."""
    before = {
        name: (log.level, log.propagate, list(log.handlers))
        for name, log in ((name, logging.getLogger(name)) for name in NAMES)
    }
    monkeypatch.setattr(oras.logger, "logger", Logger())
    yield
    for name, (level, propagate, handlers) in before.items():
        log = logging.getLogger(name)
        log.level, log.propagate, log.handlers = level, propagate, handlers
        log.manager._clear_cache()


def test_import_configures_no_logging_and_prints_nothing():
    root = Path(oras.__file__).parents[1]
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "import logging\nfrom oras.logger import logger\n"
        "logger.warning('w'); logger.error('e'); logger.info('i')\n"
        "root = logging.getLogger()\nassert root.handlers == [] and root.level == logging.WARNING"
    )
    result = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_debug_message_of_the_specification_appears(capsys):
    setup_logger(quiet=False, debug=True)
    oras.logger.logger.debug("This is my debug message!")
    logging.getLogger("oras_core.registry").debug("from the core")
    logging.getLogger("oras_adapters.http.tls").debug("from an adapter")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "This is my debug message!",
        "from the core",
        "from an adapter",
    ]


def test_second_setup_replaces_the_handler(capsys):
    setup_logger()
    setup_logger(stdout=True)
    oras.logger.logger.info("once")
    oras.logger.logger.debug("hidden")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("once\n", "")


def test_quiet_drops_info_messages_only(capsys):
    setup_logger(quiet=True, printshellcmds=False)
    log = oras.logger.logger
    log.info("i")
    log.progress(1, 2)
    log.shellcmd("ls")
    log.warning("w")
    log.error("e")
    assert capsys.readouterr().err.splitlines() == ["w", "e"]


def test_progress_and_shell_commands_are_logged(capsys):
    setup_logger(printshellcmds=True)
    log = oras.logger.logger
    log.progress(1, 2)
    log.progress(1, 1000)
    log.progress(0, 0)
    log.shellcmd("ls")
    log.shellcmd(None)
    assert capsys.readouterr().err.splitlines() == [
        "1 of 2 steps (50%) done",
        "1 of 1000 steps (0.10%) done",
        "0 of 0 steps (100%) done",
        "ls",
    ]


def test_percent_sign_is_not_interpreted(caplog):
    caplog.set_level(logging.DEBUG, "oras")
    log = oras.logger.logger
    log.info("100% of %s")
    log.location("here")
    assert caplog.messages[0] == "100% of %s"
    assert caplog.messages[1].startswith("here: ")
    assert "test_percent_sign_is_not_interpreted" in caplog.messages[1]


def test_exit_raises_system_exit(caplog):
    with pytest.raises(SystemExit) as caught:
        oras.logger.logger.exit("no such file", return_code=3)
    assert caught.value.code == 3
    assert "no such file" in caplog.text


def test_added_handlers_see_every_message():
    seen = []
    log = oras.logger.logger
    log.log_handler.append(seen.append)
    log.info("i")
    log.progress(1, 2)
    log.cleanup()
    log.info("unseen")
    assert seen == [{"level": "info", "msg": "i"}, {"level": "progress", "done": 1, "total": 2}]


# --- announcements ------------------------------------------------------------------------


def test_announcement_is_printed_without_logging_configuration(capsys, caplog):
    caplog.set_level(logging.INFO)
    announce("Successfully pushed h.io/a:v1")
    assert capsys.readouterr().out == "Successfully pushed h.io/a:v1\n"
    assert caplog.record_tuples == [("oras.logger", logging.INFO, "Successfully pushed h.io/a:v1")]


def test_info_message_is_not_printed_without_logging_configuration(capsys):
    oras.logger.logger.info("Retrying")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.parametrize("name", ["oras", "oras.logger"])
@pytest.mark.parametrize(
    "configure",
    [
        lambda log: log.addHandler(logging.StreamHandler(io.StringIO())),
        lambda log: log.setLevel(logging.WARNING),
        lambda log: setattr(log, "propagate", False),
    ],
    ids=["handler", "level", "propagate"],
)
def test_announcement_is_not_printed_with_logging_configured(capsys, name, configure):
    configure(logging.getLogger(name))
    announce("Successfully pushed h.io/a:v1")
    assert capsys.readouterr().out == ""


def test_announcement_goes_to_the_handler_after_setup(capsys):
    setup_logger()
    announce("done")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "done\n")


def test_announcement_is_dropped_by_a_quiet_logger(capsys):
    oras.logger.logger.quiet = True
    announce("done")
    assert capsys.readouterr().out == ""


def test_announcement_is_logged_with_info(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(oras.logger.logger, "info", seen.append)
    announce("done")
    assert seen == ["done"]
    assert capsys.readouterr().out == ""


# --- the handler --------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def emit(handler, message, level=logging.WARNING):
    handler.handle(
        logging.makeLogRecord({"msg": message, "levelno": level, "levelname": "WARNING"})
    )
    return handler.stream.getvalue()


def test_terminal_output_has_colours(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert emit(ColorizingStreamHandler(stream=Terminal()), "w") == "\033[33mw\033[0m\n"


def test_files_dumb_terminals_and_no_color_have_no_colours(monkeypatch):
    assert emit(ColorizingStreamHandler(stream=io.StringIO()), "w") == "w\n"
    assert emit(ColorizingStreamHandler(nocolor=True, stream=Terminal()), "w") == "w\n"
    monkeypatch.setenv("TERM", "dumb")
    assert emit(ColorizingStreamHandler(stream=Terminal()), "w") == "w\n"


def test_control_characters_are_escaped():
    text = emit(ColorizingStreamHandler(stream=io.StringIO()), "a\x1b[2J\x9bb\nc\td\r")
    assert text == "a\\x1b[2J\\x9bb\nc\td\\x0d\n"


def test_formatter_is_used():
    handler = ColorizingStreamHandler(stream=io.StringIO())
    handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    assert emit(handler, "w") == "[WARNING] w\n"


def test_current_standard_error_is_the_default(capsys):
    ColorizingStreamHandler().handle(logging.makeLogRecord({"msg": "w"}))
    assert capsys.readouterr().err == "w\n"


def test_broken_pipe_is_raised_and_other_errors_are_handled_by_logging(monkeypatch):
    class Broken(io.StringIO):
        def write(self, text):
            raise error

    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler = ColorizingStreamHandler(stream=Broken())
    error = BrokenPipeError()
    with pytest.raises(BrokenPipeError):
        emit(handler, "w")
    error = OSError("disk full")
    emit(handler, "w")
