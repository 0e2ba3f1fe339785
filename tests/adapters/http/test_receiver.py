from __future__ import annotations

from types import SimpleNamespace

import pytest

from oras_adapters.http import receiver
from oras_adapters.http.receiver import FILLED, LARGE, PLAIN, Receiver

PATIENCE = 1.0


class Steps:
    """A socket that receives given pieces, each after some seconds, or raises an error once."""

    def __init__(self, *steps):
        self.steps = list(steps)
        self.now = 0.0

    def recv(self, size):
        if not self.steps:
            return b""
        step = self.steps.pop(0)
        if isinstance(step, OSError):
            raise step
        piece, seconds = step
        self.now += seconds
        if len(piece) > size:
            self.steps.insert(0, (piece[size:], 0.0))
        return piece[:size]

    def recv_into(self, view):
        piece = self.recv(len(view))
        view[: len(piece)] = piece
        return len(piece)


@pytest.fixture
def receiving(monkeypatch):
    def receiving(*steps):
        sock = Steps(*steps)
        monkeypatch.setattr(receiver, "time", SimpleNamespace(monotonic=lambda: sock.now))
        return Receiver(sock, PATIENCE, PLAIN)

    return receiving


def test_large_read_waits_for_more_than_the_first_piece(receiving):
    feed = receiving((b"a" * 100, 0.0), (b"b" * FILLED, 0.0))
    assert feed.read1(2 * FILLED) == b"a" * 100 + b"b" * FILLED


@pytest.mark.parametrize(
    "read",
    [
        lambda feed: feed.read1(1),
        lambda feed: feed.read1(LARGE),
        lambda feed: feed.readline(10),
        lambda feed: feed.head(),
    ],
    ids=["small read", "large read", "line", "head"],
)
@pytest.mark.parametrize("error", [ConnectionResetError("reset"), TimeoutError("timed out")])
def test_error_within_a_large_read_is_raised_by_the_next_read(receiving, read, error):
    """A system reports a reset once: the next call would report the end of the connection."""
    feed = receiving((b"a" * 100, 0.0), error)
    assert feed.read1(LARGE) == b"a" * 100
    with pytest.raises(type(error)):
        read(feed)


def test_large_read_from_a_slow_server_is_a_timeout(receiving):
    feed = receiving((b"a" * 100, 0.0), (b"b" * 100, 2 * PATIENCE), (b"c" * 5000, 0.0))
    with pytest.raises(TimeoutError, match="only 200 bytes came within 1 seconds"):
        feed.read1(LARGE)
