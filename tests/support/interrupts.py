"""Ctrl-C for the main thread of this process, by another thread."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONG = 30.0


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt: the parent of this process may have it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def interrupt_main_thread() -> None:
    """Send SIGINT to the main thread.

    Python notices a signal between two instructions, and a system call ends by it. A signal that
    arrives between the last instruction and the system call is noticed after the call only: see
    `wait_until_main_thread_sleeps`.
    """
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def wait_until_main_thread_sleeps() -> None:
    """Wait until the main thread has entered a system call, where the system tells."""
    if sys.platform != "linux":
        return
    status = Path(f"/proc/self/task/{threading.main_thread().native_id}/status")
    limit = time.monotonic() + LONG
    seen = None
    while time.monotonic() < limit:
        fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
        switches = fields["voluntary_ctxt_switches"], fields["nonvoluntary_ctxt_switches"]
        asleep = fields["State"].startswith("S")
        if asleep and switches == seen:
            return
        seen = switches if asleep else None
        time.sleep(0.01)
    raise AssertionError("the main thread does not wait")
