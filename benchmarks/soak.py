"""Push and pull for minutes over a failing network, and check the results.

    python benchmarks/soak.py [--minutes M] [--workers N] [--share S] [--seed N]

Workers push artifacts to a docker-registry and pull them back, through a proxy that makes one in
twenty requests fail. What fails is tried again, as a user would. Content is compared, and folders
are looked through after every pull, whether it failed or not. The status is 1 if content was
wrong, a file was not whole under its final name, a descriptor or temporary file was left, or the
memory grew; also if what is kept of a broken download is no beginning of its content, or is still
there when the content is.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

import oras.client  # noqa: E402 - found by the line above
from oras_core.errors import OrasError  # noqa: E402
from oras_core.stores.resuming import RESUMABLE_SIZE  # noqa: E402
from support import docker_registry  # noqa: E402

SETTINGS = """
[network]
connect_timeout = 5.0
read_timeout = 2.0
attempts = 2
max_pause = 5.0
"""
"""Few attempts, so that some pulls fail and the next ones resume them."""

TRIES = 6
"""How often a worker does the same before it turns to something else."""

STALL = 3.0
"""Seconds that a stalled connection stays open: longer than the client waits."""

POOL = 120
"""Different contents; the registry keeps each once, so that its disk does not fill."""

GROWTH = 48 * 1024 * 1024
"""Bytes by which the memory may differ between the second minute and the last."""


def content(number: int) -> bytes:
    """Return the content of a number: small, middling, and now and then large."""
    chance = random.Random(number)
    size = chance.choice([10, 3_000, 60_000, 400_000, 1_500_000] * 3 + [9_000_000])
    return chance.randbytes(size)


def kept_name(digest: str) -> str:
    """Return the name under which the beginning of content is kept."""
    return f".sha256-{digest}.oras-partial"


def large_contents() -> dict[str, int]:
    """Return the numbers of all content of which a beginning may be kept, by that name."""
    found = {}
    for number in range(POOL):
        data = content(number)
        if len(data) >= RESUMABLE_SIZE:
            found[kept_name(hashlib.sha256(data).hexdigest())] = number
    return found


class Tally:
    """The transfers and failures, counted by all workers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counted: Counter[str] = Counter()
        self.faults: list[str] = []
        self.notes: list[str] = []

    def count(self, what: str, number: int = 1) -> None:
        """Add to a count."""
        with self._lock:
            self.counted[what] += number

    def note(self, what: str) -> None:
        """Keep an example of a failure that is allowed."""
        with self._lock:
            self.notes.append(what)

    def wrong(self, what: str) -> None:
        """Note a failure that is not allowed."""
        with self._lock:
            self.faults.append(what)


class Worker(threading.Thread):
    """Pushes and pulls, over and over."""

    def __init__(
        self, number: int, address: str, folder: Path, tally: Tally, large: Mapping[str, int]
    ) -> None:
        super().__init__(name=f"worker-{number}")
        self._chance = random.Random(number)
        self._number = number
        self._address = address
        self._folder = folder
        self._tally = tally
        self._large = large
        self._end = 0.0
        self._client = oras.client.OrasClient(insecure=True)
        self._pulled: dict[str, str] = {}

    def start_until(self, end: float) -> None:
        """Begin to work; end at a time."""
        self._end = end
        self.start()

    def run(self) -> None:
        """Work until the time is over."""
        out = self._folder / f"out-{self._number}"
        for turn in range(1_000_000):
            if time.monotonic() > self._end:
                break
            files = self._files()
            target = f"{self._address}/soak/w{self._number}-{turn % 50}:v{turn}"
            if self._push(target, files, turn):
                self._pull(target, files, out)
            if turn % 20 == 19:
                shutil.rmtree(out, ignore_errors=True)
                self._pulled.clear()
        self._client.connections.close()

    def _files(self) -> dict[str, bytes]:
        numbers = self._chance.sample(range(POOL), self._chance.randint(1, 5))
        files = {f"f{number % 12}.bin": content(number) for number in numbers}
        if self._chance.random() < 0.3:
            inside = self._chance.sample(range(POOL), 3)
            files.update({f"bundle/{number % 12}.bin": content(number) for number in inside})
        return files

    def _push(self, target: str, files: Mapping[str, bytes], turn: int) -> bool:
        source = self._folder / f"source-{self._number}-{turn}"
        for name, data in files.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        paths = sorted({str(source / name.partition("/")[0]) for name in files})
        try:
            for _ in range(TRIES):
                try:
                    self._client.push(target, files=paths, disable_path_validation=True, quiet=True)
                except Exception as error:  # noqa: BLE001 - counted by type
                    self._failed("push", error)
                else:
                    self._tally.count("pushes")
                    self._tally.count("bytes pushed", sum(map(len, files.values())))
                    return True
        finally:
            shutil.rmtree(source)
        self._tally.count("pushes given up")
        return False

    def _pull(self, target: str, files: Mapping[str, bytes], out: Path) -> None:
        expected = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        wanted = {kept_name(digest) for name, digest in expected.items() if "/" not in name}
        beginnings: set[str] = set()
        for _ in range(TRIES):
            beginnings |= wanted.intersection(self._kept(out))
            try:
                self._client.pull(target, outdir=str(out))
            except Exception as error:  # noqa: BLE001 - counted by type
                self._failed("pull", error)
                self._look_through(out, expected)
            else:
                break
        else:
            self._tally.count("pulls given up")
            return
        self._tally.count("pulls")
        self._tally.count("beginnings kept, and completed by a later pull", len(beginnings))
        self._tally.count("bytes pulled", sum(map(len, files.values())))
        found = dict(_files_below(out))
        for name, digest in expected.items():
            if found.get(name) != digest:
                self._tally.wrong(f"{target}: {name} is wrong after a pull")
        self._pulled.update(expected)
        self._look_through(out, expected)
        for name in wanted.intersection(self._kept(out)):
            self._tally.wrong(f"{target}: {name} was left though its content was pulled")

    def _kept(self, out: Path) -> list[str]:
        return [path.name for path in out.glob(".sha256-*.oras-partial")]

    def _look_through(self, out: Path, expected: Mapping[str, str]) -> None:
        """Make sure that every file is whole: of this artifact, or of one before."""
        for name, digest in _files_below(out):
            if name in self._large:
                self._check_beginning(out / name, self._large[name])
            elif re.search(r"\.oras-partial(/|$)", name):
                self._tally.wrong(f"{name} was left")
            elif digest == expected.get(name):
                self._pulled[name] = digest
            elif digest != self._pulled.get(name):
                self._tally.wrong(f"{name} is neither old nor new")

    def _check_beginning(self, path: Path, number: int) -> None:
        kept = path.read_bytes()
        if not kept or not content(number).startswith(kept):
            self._tally.wrong(f"{path.name} is no beginning of its content")

    def _failed(self, what: str, error: Exception) -> None:
        self._tally.count(f"{what} failed: {type(error).__name__}")
        self._tally.note(f"{what} failed: {error}")
        if not isinstance(error, OrasError):
            self._tally.wrong(f"{what} raised {error!r}")


def _files_below(root: Path) -> Iterator[tuple[str, str]]:
    for path in root.rglob("*"):
        if path.is_file():
            yield path.relative_to(root).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def failing_way(address: str, share: float, seed: int, tally: Tally) -> Iterator[str]:
    """Run the proxy in a process of its own; give its address."""
    arguments = [address, str(share), str(seed), str(STALL)]
    with subprocess.Popen(
        [sys.executable, str(HERE / "failing_proxy.py"), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            said, _ = process.communicate(timeout=30)
            for what, number in json.loads(said).items():
                tally.count(f"proxy: {what}", number)


def memory() -> int:
    """Return the bytes that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> set[str]:
    """Return the open descriptors, as the system names them."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except OSError:
            continue  # the listing itself
    return found


def soak(options: argparse.Namespace, folder: Path, address: str, tally: Tally) -> list[int]:
    """Let the workers work; return how much memory there was, every few seconds."""
    end = time.monotonic() + 60 * options.minutes
    work = folder / "work"
    work.mkdir()
    large = large_contents()
    workers = [Worker(n, address, work, tally, large) for n in range(options.workers)]
    for worker in workers:
        worker.start_until(end)
    samples = []
    while any(worker.is_alive() for worker in workers):
        time.sleep(2)
        samples.append(memory())
    for worker in workers:
        worker.join()
    return samples


def main() -> int:
    """Print the counts, and the failures that are not allowed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--share", type=float, default=0.05, help="of the requests that fail")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="oras-soak-") as name:
        folder = Path(name)
        for each in ("registry", "home", "scratch"):
            (folder / each).mkdir()
        settings = folder / "settings.toml"
        settings.write_text(SETTINGS)
        os.environ |= {"HOME": str(folder / "home"), "ORAS_CONFIG": str(settings)}
        tempfile.tempdir = str(folder / "scratch")
        before = descriptors()
        with docker_registry.open_registry(folder / "registry") as registry:
            own = descriptors() - before
            with failing_way(registry.address, options.share, options.seed, tally) as address:
                samples = soak(options, folder, address, tally)
        gc.collect()
        left = descriptors() - before - own
        if left:
            tally.wrong(f"descriptors are left: {sorted(left)}")
        if scratch := sorted(path.name for path in (folder / "scratch").iterdir()):
            tally.wrong(f"temporary files are left: {scratch[:5]}")
    _judge_memory(samples, tally)
    for what, number in sorted(tally.counted.items()):
        print(f"{what:50}{number:16,}")
    for note in tally.notes[:10]:
        print(f"for example: {note}")
    for fault in tally.faults[:50]:
        print(f"WRONG: {fault}")
    return int(bool(tally.faults))


def _judge_memory(samples: list[int], tally: Tally) -> None:
    fifth = max(len(samples) // 5, 1)
    early, late = (
        sorted(part)[len(part) // 2] for part in (samples[fifth:][:fifth], samples[-fifth:])
    )
    print(f"memory: {early / 2**20:.0f} MiB early, {late / 2**20:.0f} MiB late, "
          f"{max(samples) / 2**20:.0f} MiB at most")  # fmt: skip
    if late - early > GROWTH:
        tally.wrong("the memory grew")


if __name__ == "__main__":
    sys.exit(main())
