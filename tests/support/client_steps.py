"""What a user's program does in a row, by the names that oras-py and this library share.

Imported by the tests, and run as a program of its own (`python -c`) under oras-py, so that it
needs nothing but the standard library and `oras`.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import pickle
import resource
import sys
import time
import traceback


def perform(steps: list[dict], client_arguments: dict) -> dict:
    """Do the steps with one client, up to the first that fails; tell how it went."""
    import oras.client

    records = io.StringIO()
    handler = logging.StreamHandler(records)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    report: dict = {"outcome": "returned", "kinds": [], "text": "", "returned": []}
    client = None
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            client = oras.client.OrasClient(**client_arguments)
            for step in steps:
                arguments = dict(step)
                result = getattr(client, arguments.pop("do"))(**arguments)
                report["returned"].append(_plain(result))
    except Exception as error:  # noqa: BLE001 - reported to the judge
        report["outcome"] = "raised"
        report["kinds"] = [kind.__name__ for kind in type(error).__mro__]
        report["text"] = _all_that_shows(error)
        report["message"] = str(error)
    finally:
        report["seconds"] = time.monotonic() - start
        report["memory"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        root.removeHandler(handler)
        root.setLevel(level)
        connections = getattr(client, "connections", None)
        if connections is not None:
            connections.close()
    report["text"] += records.getvalue() + printed.getvalue() + repr(client)
    return report


def _plain(result: object) -> object:
    if isinstance(result, (str, int, bool, type(None), dict)):
        return result
    if isinstance(result, (list, tuple)):
        return [_plain(item) for item in result]
    return repr(result)


def _all_that_shows(error: BaseException) -> str:
    shown = [repr(error), *traceback.format_exception(error)]
    with contextlib.suppress(Exception):
        shown.append(pickle.dumps(error, protocol=0).decode("latin-1"))
    return "\n".join(shown)


if __name__ == "__main__":
    _given = json.loads(sys.argv[1])
    sys.stdout.write("\n" + json.dumps(perform(_given["steps"], _given["client"])))
