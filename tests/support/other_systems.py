"""A simulated Windows for the packages under test, as far as that goes on another system.

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
            os, POSIX_NAMES, name="nt", supports_dir_fd=set(), supports_follow_symlinks=set()
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
    "test_a_commit_that_fails_keeps_the_older_file",
    "test_a_copy_in_another_process_excludes_collection_until_it_ends",
    "test_a_directory_made_by_another_process_meanwhile_is_merged_into",
    "test_a_failed_write_leaves_the_old_file_alone",
    "test_a_file_of_another_user_is_not_trusted",
    "test_a_file_system_without_locks_is_supported",
    "test_a_file_system_without_locks_resumes_nothing",
    "test_a_folder_swapped_for_a_link_in_mid_write",
    "test_a_folder_swapped_for_a_link_while_a_directory_is_filled",
    "test_a_link_set_within_a_merge_is_not_entered",
    "test_a_lock_that_is_never_released_ends_in_an_error",
    "test_a_merge_that_fails_removes_what_it_did_not_move",
    "test_a_pull_over_an_unreadable_file_says_so_whatever_its_size",
    "test_a_root_stays_the_same_folder",
    "test_a_system_without_locks_says_so",
    "test_another_process_is_waited_for_by_nobody_and_a_killed_one_leaves_its_part",
    "test_another_process_keeps_us_out_and_lets_us_in_when_it_ends",
    "test_another_process_may_share_it",
    "test_its_folder_may_come_to_lie_elsewhere",
    "test_no_link_is_followed",
    "test_only_the_owner_can_read",
    "test_the_disk_is_waited_for_only_if_wanted",
    "test_the_paths_of_podmans_files",
    "test_what_cannot_be_forgotten_is_logged",
    "test_what_cannot_be_removed_is_logged_and_hides_no_error",
    "test_who_was_faster_leaves_a_new_beginning",
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
