"""The words with which `push` ends: on the terminal, as the guide shows, and in the log."""

from __future__ import annotations

import logging

import pytest

import oras.client

MESSAGE = "Successfully pushed {}/dinosaur/message:v1"


@pytest.fixture
def push(open_registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "artifact.txt").write_text("hello dinosaur\n")
    target = f"{open_registry}/dinosaur/message:v1"

    def call(**arguments):
        client = oras.client.OrasClient(insecure=True)
        client.push(files=["artifact.txt"], target=target, **arguments)
        return MESSAGE.format(open_registry)

    return call


@pytest.fixture
def listener():
    """A handler of the application's own on the logger `oras`."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("oras")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield records
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def test_push_message_is_written_to_standard_output(push, capsys):
    message = push()
    assert capsys.readouterr() == (f"{message}\n", "")


def test_quiet_push_prints_nothing(push, capsys):
    push(quiet=True)
    assert capsys.readouterr() == ("", "")


def test_push_message_goes_only_to_a_configured_logger(push, capsys, listener):
    message = push()
    assert [(one.name, one.levelname, one.getMessage()) for one in listener] == [
        ("oras.logger", "INFO", message)
    ]
    assert capsys.readouterr() == ("", "")


def test_quiet_push_logs_nothing(push, listener):
    push(quiet=True)
    assert listener == []
