"""SIGINT and SIGKILL at any point: files under final names are whole, and another run continues.

The points are random but seeded; `ORAS_SECURITY_POINTS` says how many there are of each kind.
"""

from __future__ import annotations

import os
import random
import signal
import threading

import pytest

import oras.client
from oras_core.model.digest import Digest
from support.hostile_registry import Altered, HostileRegistry, Rule, Shelf
from support.tar_archives import directory, member, tgz
from support.threat_cases import Artifact, Layer
from support.victims import start, tidy_tree

POINTS = int(os.environ.get("ORAS_SECURITY_POINTS", "3"))

NEW = {f"{name}.bin": random.Random(name).randbytes(400_000) for name in "abc"}
LARGE = random.Random("large").randbytes(1_500_000)
NEW["large.bin"] = LARGE
KEPT = f".sha256-{Digest.of(LARGE).encoded}.oras-partial"
"""What the beginning of the large one is named, which is kept."""

INSIDE = {f"bundle/{n}.bin": random.Random(n).randbytes(40_000) for n in range(8)}
OLD = {name: b"old " + name.encode() for name in ("a.bin", "c.bin", "bundle/3.bin", "other.txt")}
WHOLE = {**OLD, **NEW, **INSIDE}

BUNDLE = tgz(directory("bundle"), *(member(name, content) for name, content in INSIDE.items()))
ARTIFACT = Artifact(
    [*(Layer(name, content) for name, content in NEW.items()), Layer("bundle", BUNDLE, folder=True)]
)
SENT = sum(map(len, NEW.values())) + len(BUNDLE)


class Countdown:
    """Serves blobs, and calls when so many bytes of them have been sent."""

    def __init__(self, count, act):
        self._left = count
        self._act = act
        self._lock = threading.Lock()
        self.acted = threading.Event()

    def __call__(self, honest):
        content = bytes(honest.body)
        with self._lock:
            before, self._left = self._left, self._left - len(content)
            due = before >= 0 > self._left
        if not due:
            return honest
        return _Stepwise(content, before, self)

    def act(self):
        self._act()
        self.acted.set()


class _Stepwise:
    """A blob of which a part comes, then the act, then the rest."""

    def __init__(self, content, count, countdown):
        self._content = content
        self._count = count
        self._countdown = countdown

    def play(self, connection, scene):
        length = len(self._content)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
        connection.send(self._content[: self._count])
        self._countdown.act()
        connection.send(self._content[self._count :])
        return True


def points(kind):
    """Return how many bytes have come at each point; the last are after everything has."""
    chance = random.Random(kind)
    return [chance.randrange(SENT) for _ in range(POINTS - 1)] + [SENT - 1]


def interrupted(folder, home, action, target, names, trigger, number):
    """Start a client, and send it the signal when `trigger` is called; return its status."""
    process = None
    ready = threading.Event()

    def act():
        ready.wait(10)
        process.send_signal(number)

    trigger.append(act)
    process = start(folder, home, action, target, *names)
    ready.set()
    process.communicate(timeout=30)
    return process.returncode


@pytest.fixture
def folders(tmp_path):
    out, home = tmp_path / "out", tmp_path / "home"
    home.mkdir()
    for name, content in OLD.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return out, home


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
@pytest.mark.parametrize("point", range(POINTS))
def test_interrupted_pull_leaves_whole_files_and_can_be_repeated(folders, number, point):
    out, home = folders
    shelf, trigger = Shelf(), []
    ARTIFACT.put_on(shelf)

    def interrupt():
        trigger[0]()

    countdown = Countdown(points(f"pull {number}")[point], interrupt)
    with HostileRegistry(Rule("GET /v2/app/blobs/", (Altered(countdown),)), shelf=shelf) as server:
        target = f"{server.address}/app:v1"
        status = interrupted(out, home, "pull", target, [], trigger, number)
        assert countdown.acted.is_set()
        found = tidy_tree(out)
        for name, content in found.items():
            assert content in (OLD.get(name), WHOLE[name]), f"{name} is neither old nor new"
        assert OLD.keys() <= found.keys()
        if number == signal.SIGINT:
            assert {path.name for path in out.rglob("*.oras-partial")} <= {KEPT}
        if (out / KEPT).exists():
            assert LARGE.startswith((out / KEPT).read_bytes())
        assert status != 0 or found == WHOLE

        client = oras.client.OrasClient(insecure=True)
        client.pull(target, outdir=str(out))
        client.connections.close()
    assert tidy_tree(out) == WHOLE
    assert not (out / KEPT).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
@pytest.mark.parametrize("point", range(POINTS))
def test_interrupted_push_can_be_repeated(tmp_path, number, point):
    source, home = tmp_path / "source", tmp_path / "home"
    source.mkdir()
    home.mkdir()
    for name, content in NEW.items():
        (source / name).write_bytes(content)
    trigger = []
    requests = random.Random(f"push {number} {point}").randrange(10)
    seen = threading.Lock()
    counted = []

    def count(honest):
        with seen:
            counted.append(1)
            due = len(counted) == requests + 1
        if due:
            trigger[0]()
        return honest

    with HostileRegistry(Rule("", (Altered(count),))) as server:
        target = f"{server.address}/app:v1"
        status = interrupted(source, home, "push", target, list(NEW), trigger, number)
        lines = [request.line for request in server.received]
        pushed = [line for line in lines if line.startswith("PUT /v2/app/manifests")]
        assert status != 0 or pushed
        assert sorted(path.name for path in source.iterdir()) == sorted(NEW)
        if number == signal.SIGINT:
            assert [path.name for path in home.iterdir()] == ["settings.toml"]

        trigger[0] = lambda: None
        client = oras.client.OrasClient(insecure=True)
        client.push(
            target, files=[str(source / name) for name in NEW], disable_path_validation=True
        )
        pulled = client.pull(target, outdir=str(tmp_path / "out"))
        client.connections.close()
    assert len(pulled) == len(NEW)
    assert tidy_tree(tmp_path / "out") == NEW
