"""What the disk may refuse, and what others do to it while a pull writes."""

from __future__ import annotations

import itertools
import json
import os
import random
import stat
import threading
from contextlib import suppress

import pytest

import oras.client
from support.hostile_registry import HostileRegistry, Shelf
from support.tar_archives import directory, member, tgz
from support.threat_cases import Artifact, Layer
from support.victims import start, tidy_tree

SMALL = b"new and small\n"
LARGE = random.Random(7).randbytes(300_000)
OLD = b"the old and good one\n"

BUNDLE = tgz(
    directory("bundle"),
    member("bundle/run.sh", b"#!/bin/sh\n", mode=0o755),
    member("bundle/large.bin", LARGE),
)


@pytest.fixture
def registry():
    shelf = Shelf()
    layers = [Layer("small.txt", SMALL), Layer("large.bin", LARGE)]
    Artifact([*layers, Layer("bundle", BUNDLE, folder=True)]).put_on(shelf)
    with HostileRegistry(shelf=shelf) as server:
        yield server


@pytest.fixture
def folders(tmp_path):
    """`out`, which holds older files, and a home."""
    out, home = tmp_path / "out", tmp_path / "home"
    (out / "bundle").mkdir(parents=True)
    home.mkdir()
    for name in ("large.bin", "bundle/large.bin"):
        (out / name).write_bytes(OLD)
    return out, home


def ended(process):
    _, said = process.communicate(timeout=30)
    return process.returncode, said


def test_full_disk_keeps_the_older_files(registry, folders):
    out, home = folders
    process = start(out, home, "pull", f"{registry.address}/app:v1", file_limit=100_000)
    status, said = ended(process)
    assert status == 1
    assert "FileAccessError: cannot write" in said
    assert "File too large" in said
    found = tidy_tree(out)
    assert found.pop("small.txt", SMALL) == SMALL
    assert found == {"large.bin": OLD, "bundle/large.bin": OLD}
    assert not list(out.rglob("*.oras-partial"))


def test_full_disk_keeps_no_partial_file(folders):
    """Which would only keep it full."""
    out, home = folders
    shelf = Shelf()
    Artifact([Layer("large.bin", LARGE * 5)]).put_on(shelf)
    with HostileRegistry(shelf=shelf) as server:
        status, said = ended(
            start(out, home, "pull", f"{server.address}/app:v1", file_limit=1_000_000)
        )
    assert status == 1
    assert "FileAccessError: cannot write" in said
    assert tidy_tree(out) == {"large.bin": OLD, "bundle/large.bin": OLD}
    assert not list(out.rglob("*.oras-partial"))


def test_full_disk_keeps_the_older_configuration(folders):
    out, home = folders
    (home / ".docker").mkdir()
    config = home / ".docker" / "config.json"
    config.write_text(json.dumps({"auths": {"other.example": {"auth": "eDp5"}}, "x": "y" * 5000}))
    before = config.read_bytes()
    with HostileRegistry() as server:
        status, said = ended(start(out, home, "login", server.address, file_limit=2000))
    assert status == 1
    assert "CredentialError" in said
    assert config.read_bytes() == before
    assert {path.name for path in config.parent.iterdir()} <= {"config.json", "config.json.lock"}


@pytest.mark.parametrize("mode", [0o555, 0o500])
def test_read_only_folder_is_not_changed(registry, folders, mode):
    out, home = folders
    for path in (out / "bundle", out):
        path.chmod(mode | 0o005)
    try:
        process = start(out, home, "pull", f"{registry.address}/app:v1", unprivileged=True)
        status, said = ended(process)
    finally:
        for path in (out, out / "bundle"):
            path.chmod(0o755)
    assert status == 1
    assert "FileAccessError" in said
    assert "Permission denied" in said
    assert tidy_tree(out) == {"large.bin": OLD, "bundle/large.bin": OLD}


@pytest.mark.parametrize(
    ("mask", "file", "program", "folder"),
    [(0o022, 0o644, 0o755, 0o755), (0o077, 0o600, 0o700, 0o700), (0o027, 0o640, 0o750, 0o750)],
)
def test_pulled_files_follow_the_umask(
    registry, tmp_path, monkeypatch, mask, file, program, folder
):
    monkeypatch.setenv("HOME", str(tmp_path))
    out = tmp_path / "new"
    before = os.umask(mask)
    try:
        client = oras.client.OrasClient(insecure=True)
        client.pull(f"{registry.address}/app:v1", outdir=str(out))
        client.connections.close()
    finally:
        os.umask(before)

    def mode(name):
        return stat.S_IMODE((out / name).stat().st_mode)

    assert mode("small.txt") == mode("bundle/large.bin") == file
    assert mode("bundle/run.sh") == program
    assert mode("bundle") == folder


def test_pull_writes_nothing_outside_a_folder_that_is_swapped_repeatedly(tmp_path, monkeypatch):
    """Nothing is written outside, for every result of the race (CWE-367)."""
    monkeypatch.setenv("HOME", str(tmp_path))
    out, outside, aside = tmp_path / "out", tmp_path / "outside", tmp_path / "aside"
    for folder in (out, outside, aside):
        folder.mkdir()
    shelf = Shelf()
    Artifact([Layer(f"sub/{n}.txt", b"%d\n" % n) for n in range(12)]).put_on(shelf)
    done = threading.Event()

    def swap():
        for number in itertools.count():
            with suppress(OSError):  # the pull has made it, or has not
                (out / "sub").rename(aside / str(number))
            with suppress(FileExistsError):
                (out / "sub").symlink_to(outside)
                done.wait(0.0005)
                (out / "sub").unlink()
            if done.is_set():
                return

    refused = 0
    with HostileRegistry(shelf=shelf) as registry:
        swapper = threading.Thread(target=swap)
        client = oras.client.OrasClient(insecure=True)
        swapper.start()
        try:
            for _ in range(25):
                try:
                    client.pull(f"{registry.address}/app:v1", outdir=str(out))
                except (OSError, ValueError):
                    refused += 1
        finally:
            done.set()
            swapper.join()
            client.connections.close()
    assert refused, "the folder was never met as a link"
    assert list(outside.iterdir()) == []
