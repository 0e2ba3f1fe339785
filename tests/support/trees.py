"""Trees of files: to make them, and to compare what came of them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def describe(root: Path) -> dict[str, tuple[str, str]]:
    """Return what lies below `root` by relative path: kind, and content or target.

    Of a file's mode the owner's right to execute counts: the rest is the umask's.
    """
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_dir():
            found[name] = ("directory", "")
        else:
            kind = "program" if path.stat().st_mode & 0o100 else "file"
            found[name] = (kind, file_digest(path))
    return found


def file_digest(path: Path) -> str:
    """Return the sha256 digest of a file."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def make_folder(root: Path) -> None:
    """Make a folder with all that a folder may hold."""
    (root / "sub" / "deeper").mkdir(parents=True)
    (root / "nothing here").mkdir()
    (root / "plain.txt").write_text("plain\n")
    (root / "empty").write_bytes(b"")
    (root / "sub" / "data.bin").write_bytes(os.urandom(70_000))
    (root / "sub" / "deeper" / "Größe 大小.txt").write_text("non-ASCII\n", "utf-8")
    (root / "sub" / "with space.txt").write_text("space\n")
    program = root / "run.sh"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    (root / "sub" / "link").symlink_to("../plain.txt")


def make_big_file(path: Path, size: int) -> None:
    """Make a file of random bytes, without holding it in memory."""
    block = os.urandom(1024 * 1024)
    with path.open("wb") as file:
        for number in range(size // len(block)):
            file.write(number.to_bytes(8, "big") + block[8:])
