"""File systems in a file, mounted for the time of a test."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.programs import require_program

SIZE = 320 * 1024 * 1024
"""Bytes of a file system: XFS needs 300 MiB. The file is sparse."""

COMMANDS = {"btrfs": ["mkfs.btrfs", "--quiet"], "xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"]}


@contextmanager
def mounted(kind: str, folder: Path) -> Iterator[Path]:
    """Mount a new file system of a kind below `folder`, and remove it afterwards.

    The test is skipped, with CI=true too, if this process may not mount: most build machines
    allow no mounts.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux mounts file systems")
    require_program(COMMANDS[kind][0])
    image, place = folder / f"{kind}.img", folder / kind
    place.mkdir()
    try:
        with image.open("wb") as file:
            file.truncate(SIZE)
        _run_or_skip(*COMMANDS[kind], str(image))
        _run_or_skip("mount", "-o", "loop", str(image), str(place))
        try:
            yield place
        finally:
            _unmount(place)
    finally:
        image.unlink(missing_ok=True)
        place.rmdir()


def free_bytes(place: Path) -> int:
    """Write everything to the file system of a folder, and return its free bytes."""
    subprocess.run(["sync", "--file-system", str(place)], check=True, timeout=60)
    state = os.statvfs(place)
    return state.f_bfree * state.f_frsize


def _run_or_skip(*command: str) -> None:
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if run.returncode:
        pytest.skip(f"{command[0]} fails: {run.stderr.strip()}")


def _unmount(place: Path) -> None:
    gc.collect()  # closes the folders of file trees
    plain = subprocess.run(["umount", str(place)], capture_output=True, timeout=60, check=False)
    if plain.returncode:  # in use by another process: the system unmounts it with its last file
        subprocess.run(["umount", "--lazy", str(place)], check=True, timeout=60)
