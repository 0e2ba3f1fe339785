"""A simulated Windows for the packages under test, on another system.

    ORAS_SIMULATED_SYSTEM=windows PYTHONPATH=tests python -m pytest -p support.other_systems …

Only modules of the packages see it: `os` has none of the POSIX names and `os.name` is `nt`,
`sys.platform` is `win32`, no POSIX module can be imported, and `msvcrt` locks files. Without
`msvcrt` (`ORAS_SIMULATED_SYSTEM=bare`) there are no locks either. The disk, its separators and
the standard library stay those of the real system.
"""

from __future__ import annotations

import builtins
import ctypes  # noqa: F401 - the standard library must see the real system
import os
import struct
import subprocess
import sys
import types
from pathlib import Path

PACKAGES = ("oras", "oras_adapters", "oras_core")
VARIABLE = "ORAS_SIMULATED_SYSTEM"
ROOT = Path(__file__).resolve().parents[2]

POSIX_MODULES = {"fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog", "readline"}
KEPT_FLAGS = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_APPEND", "O_CREAT", "O_EXCL", "O_TRUNC"}
POSIX_PREFIXES = ("O_", "sched_", "posix_", "WIF", "WEX", "RTLD")
POSIX_NAMES = {
    *(name for name in dir(os) if name.startswith(POSIX_PREFIXES)),
    "chown",
    "chroot",
    "fchdir",
    "fchmod",
    "fchown",
    "fork",
    "forkpty",
    "geteuid",
    "getegid",
    "getgid",
    "getgroups",
    "getuid",
    "getpgid",
    "getpgrp",
    "initgroups",
    "killpg",
    "lchown",
    "listxattr",
    "lockf",
    "major",
    "minor",
    "mkfifo",
    "mknod",
    "nice",
    "openpty",
    "pathconf",
    "pread",
    "preadv",
    "pwrite",
    "pwritev",
    "register_at_fork",
    "sendfile",
    "seteuid",
    "setegid",
    "setgid",
    "setgroups",
    "setpgid",
    "setsid",
    "setuid",
    "statvfs",
    "sync",
    "uname",
    "wait",
    "getxattr",
    "setxattr",
    "removexattr",
    "copy_file_range",
    "memfd_create",
    "fdatasync",
} - KEPT_FLAGS


class Msvcrt(types.ModuleType):
    """`msvcrt.locking`, on locks of open files: `fcntl(2)`, F_OFD_SETLK."""

    LK_UNLCK, LK_LOCK, LK_NBLCK, LK_RLCK, LK_NBRLCK = range(5)

    def locking(self, descriptor, mode, length):
        import fcntl

        kind = fcntl.F_UNLCK if mode == self.LK_UNLCK else fcntl.F_WRLCK
        start = os.lseek(descriptor, 0, os.SEEK_CUR)
        fcntl.fcntl(
            descriptor,
            fcntl.F_OFD_SETLK,
            struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0),
        )


def utime(path, *arguments, **options):
    """Set times as on Windows, which takes no descriptor."""
    if isinstance(path, int):
        raise TypeError("utime: path should be string, bytes or os.PathLike, not int")
    os.utime(path, *arguments, **options)


class View(types.ModuleType):
    """A module without some of its names, and with others."""

    def __init__(self, real, removed=(), **changed):
        super().__init__(real.__name__)
        self.__dict__.update(
            {name: value for name, value in vars(real).items() if name not in removed}
        )
        self.__dict__.update(changed)


def _is_ours(caller):
    name = (caller or {}).get("__name__") or ""
    return name.partition(".")[0] in PACKAGES


def install(system):
    """Let the packages, not yet imported, see the simulated system."""
    assert not set(PACKAGES) & {name.partition(".")[0] for name in sys.modules}
    real_import = builtins.__import__
    views = {
        "os": View(
            os,
            POSIX_NAMES,
            name="nt",
            supports_dir_fd=set(),
            supports_follow_symlinks=set(),
            utime=utime,
        ),
        "sys": View(sys, {"getdlopenflags", "setdlopenflags"}, platform="win32"),
    }
    msvcrt = Msvcrt("msvcrt")

    def simulated(name, globals=None, locals=None, fromlist=(), level=0):  # noqa: A002
        if level == 0 and _is_ours(globals):
            if name in POSIX_MODULES or (name == "msvcrt" and system == "bare"):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            if name == "msvcrt":
                return msvcrt
            if name in views:
                return views[name]
        return real_import(name, globals, locals, fromlist, level)

    builtins.__import__ = simulated


def run(*arguments, system="windows", folder=None):
    """Run an interpreter in which the packages see the simulated system."""
    paths = [str(ROOT), str(ROOT / "tests")]
    if extra := os.environ.get("PYTHONPATH"):
        paths.append(extra)
    environment = {**os.environ, VARIABLE: system, "PYTHONPATH": os.pathsep.join(paths)}
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_TESTRUNUID"):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder or ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


ABOUT_POSIX = {
    "test_link_swapped_repeatedly_is_never_followed",
    "test_failed_commit_keeps_the_older_file",
    "test_a_copy_in_another_process_excludes_collection_until_it_ends",
    "test_directory_made_meanwhile_by_another_process_is_merged",
    "test_failed_write_keeps_the_old_file",
    "test_partial_file_of_another_user_is_not_resumed",
    "test_file_system_without_locks_resumes_nothing",
    "test_folder_replaced_by_a_link_during_a_write_is_not_followed",
    "test_folder_replaced_by_a_link_while_a_directory_is_filled_is_not_followed",
    "test_link_created_during_a_merge_is_not_followed",
    "test_failed_merge_removes_its_temporary_files",
    "test_pull_over_an_unreadable_file_is_an_error_for_every_size",
    "test_root_stays_the_same_folder_after_a_rename",
    "test_system_without_locks_is_an_error",
    "test_partial_file_of_a_killed_process_is_resumed",
    "test_lock_ends_although_a_forked_child_has_its_file_open",
    "test_lock_is_exclusive_until_its_process_ends",
    "test_shared_lock_is_shared_with_another_process",
    "test_partial_file_follows_its_renamed_folder",
    "test_symbolic_link_is_refused_as_a_lock_file",
    "test_new_file_is_readable_by_its_owner_only",
    "test_fsync_is_called_only_if_requested",
    "test_podman_s_file_paths",
    "test_settings_work_without_the_pwd_module",
    "test_login_as_root_keeps_owner_and_group",
    "test_files_made_by_root_belong_to_the_owner_of_the_folder",
    "test_extended_attributes_are_kept",
    "test_file_is_overwritten_in_place_if_its_attributes_cannot_be_copied",
    "test_pipe_is_read_once",
    "test_pipe_without_a_writer_is_an_error",
    "test_failed_deletion_of_a_partial_file_is_logged",
    "test_failed_removal_is_logged_and_hides_no_error",
    "test_commit_while_opening_starts_a_new_partial_file",
}
"""Tests that patch POSIX calls, race by directory descriptors, or share a lock with a process
that is not simulated."""


ABOUT_POSIX_ROWS = {
    # Titles with a colon or a backslash.
    "path-backslash-inside",
    "path-digest-title",
    "path-drive-relative",
    "path-empty",
    "path-untitled",
    "push-folder-backslash",
    "tar-name-colon",
    # Descriptors of directories, and a lock by `flock`.
    "disk-swapped-folder",
    "partial-locked",
    "partial-swapped-folder",
}
"""Rows of tests/security whose outcome is another one on Windows."""


def pytest_collection_modifyitems(items):
    """Skip the tests that are about POSIX."""
    import pytest

    for item in items:
        row = item.name.partition("[")[2].rstrip("]").removesuffix("-http").removesuffix("-https")
        if item.originalname in ABOUT_POSIX or row in ABOUT_POSIX_ROWS:
            item.add_marker(pytest.mark.skip(reason="it is about POSIX"))


if system := os.environ.get(VARIABLE):
    install(system)
