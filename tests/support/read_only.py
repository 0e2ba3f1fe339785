"""A folder on a file system that is mounted read-only, for the process of a test."""

from __future__ import annotations

import errno
import os

WRITING = os.O_WRONLY | os.O_RDWR | os.O_TRUNC


def mount_read_only(monkeypatch, folder):
    """Let every call of `os` that would change something in the folder fail with EROFS."""
    mount = _Mount(str(folder))
    monkeypatch.setattr(os, "open", mount.opening(os.open))
    for called in ("mkdir", "unlink", "rmdir"):
        monkeypatch.setattr(os, called, mount.refusing(getattr(os, called)))


class _Mount:
    def __init__(self, folder):
        self.folder = folder

    def check(self, name, dir_fd):
        """Refuse a change of an entry in the folder."""
        base = os.readlink(f"/proc/self/fd/{dir_fd}") if dir_fd is not None else os.getcwd()
        path = os.path.realpath(os.path.join(base, os.fsdecode(name)))
        if f"{path}/".startswith(f"{self.folder}/"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    def opening(self, real):
        def call(name, flags, mode=0o777, *, dir_fd=None):
            if flags & WRITING or (flags & os.O_CREAT and not _exists(name, dir_fd)):
                self.check(name, dir_fd)
            return real(name, flags, mode, dir_fd=dir_fd)

        return call

    def refusing(self, real):
        def call(name, *arguments, dir_fd=None, **options):
            self.check(name, dir_fd)
            return real(name, *arguments, dir_fd=dir_fd, **options)

        return call


def _exists(name, dir_fd):
    try:
        os.lstat(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return False
    return True
