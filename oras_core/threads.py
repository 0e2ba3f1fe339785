"""Whether threads can be started: in a browser (Pyodide) they cannot."""

from __future__ import annotations

from threading import Thread

__all__ = ["can_start_threads"]


def can_start_threads() -> bool:
    """Tell whether a thread can be started now; it takes some 50 microseconds.

    Where none can, work that otherwise overlaps is done in the caller's thread.
    """
    try:
        thread = Thread(target=_nothing, name="oras-probe", daemon=True)
        thread.start()
    except RuntimeError:  # also where the system has no room for another thread
        return False
    thread.join()
    return True


def _nothing() -> None:
    return None
