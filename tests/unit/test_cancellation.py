"""Tokens, their scopes, and the waits that they cancel."""

from __future__ import annotations

import contextvars
import logging
import signal
import sys
import threading
import time
from concurrent.futures import Future

import pytest

from oras_core.cancellation import (
    Bell,
    CancelToken,
    acquired,
    current_token,
    interrupts_cancelling,
    respite,
    sleep,
    wait_for,
    within,
)
from oras_core.errors import CancelledError

LONG = 60.0
PROMPT = 2.0
"""Seconds within which what is cancelled has ended, on a busy machine."""


@pytest.fixture
def token():
    return CancelToken()


@pytest.fixture
def soon(token):
    """Start a thread that cancels the token when it is told to."""
    go = threading.Event()

    def cancel():
        go.wait(LONG)
        token.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    yield go
    go.set()
    thread.join()


# --- Tokens -------------------------------------------------------------------------------


def test_a_token_is_cancelled_for_good(token):
    token.raise_if_cancelled("try")
    assert (token.cancelled, repr(token)) == (False, "<CancelToken>")
    token.cancel()
    token.cancel()
    assert (token.cancelled, repr(token)) == (True, "<CancelToken, cancelled>")
    with pytest.raises(CancelledError, match="cannot try: it was cancelled") as caught:
        token.raise_if_cancelled("try")
    assert caught.value.operation == "try"


def test_callback_is_called_once(token):
    called = []
    token.on_cancel(lambda: called.append(1))
    token.on_cancel(lambda: called.append(2))
    forget = token.on_cancel(lambda: called.append(3))
    forget()
    forget()
    token.cancel()
    token.cancel()
    assert sorted(called) == [1, 2]


def test_callback_registered_after_cancellation_is_called_at_once(token):
    called = []
    token.cancel()
    forget = token.on_cancel(lambda: called.append(1))
    assert called == [1]
    forget()


def test_failing_callback_does_not_prevent_others(token, caplog):
    def fail():
        raise OSError("closed already")

    called = []
    for callback in (lambda: called.append(1), fail, lambda: called.append(2)):
        token.on_cancel(callback)
    with caplog.at_level(logging.ERROR):
        token.cancel()
    assert sorted(called) == [1, 2]
    assert "closed already" in caplog.text


def test_unregister_waits_for_a_running_callback(token):
    begun, go_on, order = threading.Event(), threading.Event(), []

    def slow():
        begun.set()
        go_on.wait(LONG)
        order.append("called")

    forget = token.on_cancel(slow)
    cancelling = threading.Thread(target=token.cancel)
    cancelling.start()
    assert begun.wait(LONG)

    def take_back():
        forget()
        order.append("forgotten")

    taking = threading.Thread(target=take_back)
    taking.start()
    go_on.set()
    taking.join(LONG)
    cancelling.join(LONG)
    assert order == ["called", "forgotten"]


def test_a_callback_may_cancel_and_register_again(token):
    called = []

    def again():
        token.cancel()
        token.on_cancel(lambda: called.append(1))

    token.on_cancel(again)
    token.cancel()
    assert called == [1]


def test_parent_cancels_its_children_but_not_vice_versa(token):
    one, two = CancelToken(token), CancelToken(token)
    one.cancel()
    assert (token.cancelled, two.cancelled) == (False, False)
    token.cancel()
    assert two.cancelled
    assert CancelToken(token).cancelled


def test_closed_child_is_released(token):
    child = CancelToken(token)
    child.close()
    assert token._callbacks == {}
    token.cancel()
    assert not child.cancelled


def test_signal_handler_can_cancel_at_any_point(token):
    # The handler runs between any two instructions of this thread, those of the token included.
    tokens = [token]
    old = signal.signal(signal.SIGALRM, lambda *_: tokens[-1].cancel())
    called = 0
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.0005)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            seen, current = [], tokens[-1]
            forget = current.on_cancel(lambda seen=seen: seen.append(1))
            current.wait(0)
            cancelled = current.cancelled
            forget()
            if cancelled:
                assert seen == [1]
                called += 1
                tokens.append(CancelToken())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert called


# --- Scopes -------------------------------------------------------------------------------


def test_token_applies_within_its_scope_only(token):
    outside = current_token()
    with token.scope() as given:
        assert given is token
        assert current_token() is token
        with CancelToken().scope() as inner:
            assert current_token() is inner
        assert current_token() is token
    assert current_token() is outside


def test_a_scope_ends_with_an_error_too(token):
    outside = current_token()
    with pytest.raises(OSError, match="x"), token.scope():
        raise OSError("x")
    assert current_token() is outside


def test_threads_get_the_token_from_their_context(token):
    seen = []
    with token.scope():
        context = contextvars.copy_context()
        for target in (context.run, lambda function: function()):
            thread = threading.Thread(target=target, args=(lambda: seen.append(current_token()),))
            thread.start()
            thread.join()
    assert seen[0] is token
    # Without the global interpreter lock, a thread begins with a copy of its parent's context.
    assert (seen[1] is token) == bool(getattr(sys.flags, "thread_inherit_context", False))


def test_default_token_is_never_cancelled():
    nobody = current_token()
    called = []
    nobody.on_cancel(lambda: called.append(1))()
    nobody.cancel()
    assert not nobody.cancelled
    assert not nobody.wait(0.001)
    assert called == []


# --- Waiting ------------------------------------------------------------------------------


def test_a_wait_ends_when_the_token_is_cancelled(token, soon):
    assert token.wait(0.001) is False
    start = time.monotonic()
    soon.set()
    assert token.wait(LONG) is True
    assert token.wait(1e9) is True
    assert time.monotonic() - start < PROMPT
    assert token._callbacks == {}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1e-9, 1e-7, 1e-6, 2e-6, 1e-5])
def test_a_wait_of_microseconds_ends(token, seconds):
    """`SimpleQueue.get` never returns from about one of a thousand such waits."""
    for _ in range(5000):
        assert token.wait(seconds) is False


def test_a_bell_may_ring_before_the_wait_and_more_than_once():
    bell = Bell()
    assert bell.wait(0.0) is False
    bell.ring()
    bell.ring()
    assert bell.wait(LONG) is True
    assert bell.wait(0.0) is False


def test_cancelled_pause_raises(token, soon):
    with token.scope():
        sleep(0.001)
        soon.set()
        start = time.monotonic()
        with pytest.raises(CancelledError):
            sleep(LONG)
    assert time.monotonic() - start < PROMPT


def test_cancellation_ends_waiting_for_another_thread(token, soon):
    done, never = Future(), Future()
    done.set_result(1)
    with token.scope():
        wait_for(done)
        soon.set()
        with pytest.raises(CancelledError):
            wait_for(never)
        wait_for(done)  # what has been done is there
    wait_for(done)


def test_cancellation_ends_waiting_for_a_lock(token, soon):
    lock = threading.Lock()
    with token.scope():
        with acquired(lock):
            assert lock.locked()
        assert not lock.locked()
        with lock:
            soon.set()
            with pytest.raises(CancelledError), acquired(lock):
                pytest.fail("it was not free")
        with acquired(lock):  # cleanup can acquire a free lock
            assert lock.locked()


# --- A little more time -------------------------------------------------------------------


def test_respite_starts_with_the_cancellation(token):
    with token.scope():
        with respite(0.05):
            assert not current_token().wait(0.15)
            token.cancel()
            assert not current_token().cancelled
            assert current_token().wait(LONG)
        assert current_token() is token


def test_respite_of_a_cancelled_token(token):
    token.cancel()
    with token.scope(), respite(LONG):
        assert not current_token().cancelled


def test_respite_left_in_time_cancels_nothing(token):
    with token.scope(), respite(0.02):
        own = current_token()
        token.cancel()
    assert not own.wait(0.1)
    assert token._callbacks == {}


def test_respite_without_a_token():
    nobody = current_token()
    with respite(0.001):
        assert current_token() is nobody


def test_deadline_cancels_unfinished_work(token):
    token.cancel()
    with token.scope(), within(0.05):
        assert current_token().deadline - time.monotonic() <= 0.05
        assert CancelToken(current_token()).deadline == current_token().deadline
        assert not current_token().cancelled
        assert current_token().wait(LONG)


def test_deadline_does_not_cancel_finished_work():
    with within(0.02):
        own = current_token()
    assert not own.wait(0.1)


# --- Interrupts ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_interrupt_cancels_the_token(token, kind):
    with token.scope(), pytest.raises(kind), interrupts_cancelling():
        raise kind
    assert token.cancelled


@pytest.mark.parametrize("kind", [OSError, GeneratorExit])
def test_error_does_not_cancel_the_token(token, kind):
    with token.scope(), pytest.raises(kind), interrupts_cancelling():
        raise kind
    assert not token.cancelled
