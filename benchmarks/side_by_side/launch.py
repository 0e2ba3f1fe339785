"""Run one program and write down its exit status, wall and CPU seconds, and peak bytes.

    python -I -S launch.py OUTCOME PROGRAM [ARGUMENT...]

A process begins its life with the peak memory of the one that started it, so this one imports next
to nothing: what it reports is never less than the 9 MiB of Python itself.
"""

from __future__ import annotations

import os
import sys
import time


def main(outcome: str, *command: str) -> None:
    """Run `command`, and write to the file `outcome`."""
    begin = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - begin
    with open(outcome, "w", encoding="ascii") as file:
        cpu = usage.ru_utime + usage.ru_stime
        file.write(f"{os.waitstatus_to_exitcode(status)} {wall} {cpu} {usage.ru_maxrss * 1024}")


if __name__ == "__main__":
    main(*sys.argv[1:])
