"""Run a step by python-dxf, which names no files: pulled content is numbered.

    python dxf_program.py STEP ADDRESS REPOSITORY TAG [PATH...]

Writes the seconds of the operation itself to the file that the variable REPORT names.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import dxf


def main(step: str, address: str, repository: str, tag: str, *paths: str) -> None:
    """Push, pull or list."""
    begin = time.perf_counter()
    report: dict[str, float] = {}
    with dxf.DXF(address, repository, insecure=True) as client:
        if step == "push":
            client.set_alias(tag, *[client.push_blob(path) for path in paths])
        elif step == "pull":
            for number, digest in enumerate(client.get_alias(tag)):
                with Path(paths[0], str(number)).open("wb") as file:
                    file.writelines(client.pull_blob(digest))
        else:
            report["listed"] = len(client.list_aliases())
    report["seconds"] = time.perf_counter() - begin
    Path(os.environ["REPORT"]).write_text(json.dumps(report), encoding="ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])
