"""Run a step by a Python library that is imported as `oras`: this one, or oras-py.

    python oras_program.py STEP TARGET [PATH...]

Writes the seconds of the operation itself to the file that the variable REPORT names.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import oras.client


def main(step: str, target: str, *paths: str) -> None:
    """Push, pull or list."""
    begin = time.perf_counter()
    report: dict[str, float] = {}
    client = oras.client.OrasClient(insecure="SSL_CERT_FILE" not in os.environ)
    if step == "push":
        client.push(target=target, files=list(paths), disable_path_validation=True)
    elif step == "pull":
        client.pull(target=target, outdir=paths[0])
    else:
        report["listed"] = len(client.get_tags(target))
    report["seconds"] = time.perf_counter() - begin
    Path(os.environ["REPORT"]).write_text(json.dumps(report), encoding="ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])
