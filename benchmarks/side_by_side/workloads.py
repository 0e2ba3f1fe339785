"""The workloads: files, and the steps that a client does with them."""

from __future__ import annotations

from enum import StrEnum

from attrs import field, frozen

MEBIBYTE = 1024 * 1024


class Step(StrEnum):
    """One thing that a client does, in a process of its own."""

    PUSH = "push"
    PUSH_AGAIN = "push again"
    PULL = "pull"
    PULL_AGAIN = "pull again"
    LIST = "list"
    START = "start"

    def of(self, what: str) -> str:
        """Return the step and its files: "pull 500 files again"."""
        verb, _, again = self.partition(" ")
        return f"{verb} {what} {again}".rstrip()


@frozen
class Files:
    """So many files of `size` bytes each, which no compressor makes smaller.

    Attributes:
        count: the number of files.
        size: of each, in bytes.
        delay: the seconds that every byte takes to the registry, and back.
        again: whether both steps are done a second time, when everything is there.
        rate: bytes in a second that one connection passes on to the client; 0 for no limit.
        tls: whether the registry speaks HTTPS.
        remembers: whether clients keep the digests of files from one step to the next.
    """

    count: int
    size: int
    delay: float = 0.0
    again: bool = False
    rate: int = field(default=0, kw_only=True)
    tls: bool = field(default=False, kw_only=True)
    remembers: bool = field(default=False, kw_only=True)

    @property
    def what(self) -> str:
        """The content, in words."""
        files = "a file" if self.count == 1 else f"{self.count:,} files"
        line = f" over a line of {self.delay * 1000:g} ms" if self.delay else ""
        rate = f" at {self.rate / 1e6:g} MB/s a connection" if self.rate else ""
        kind = (", over HTTPS" if self.tls else "") + (", digests kept" if self.remembers else "")
        return f"{files} of {_size(self.size)}{line}{rate}{kind}"


@frozen
class Folder:
    """A folder of so many text files, which travels as one archive."""

    count: int

    @property
    def what(self) -> str:
        """The content, in words."""
        return f"a folder of {self.count:,} text files"


@frozen
class Tags:
    """A repository with so many tags."""

    count: int

    @property
    def what(self) -> str:
        """The content, in words."""
        return f"{self.count:,} tags"


@frozen
class Start:
    """No work at all: a process that starts, imports its client and ends."""

    @property
    def what(self) -> str:
        """The content, in words."""
        return "and import, nothing else"


Workload = Files | Folder | Tags | Start


@frozen
class Sizes:
    """The sizes of all workloads, which show differences of clients within minutes."""

    big: int = 512 * MEBIBYTE
    files: int = 500
    small: int = 16 * 1024
    folder: int = 2000
    tags: int = 5000
    delay: float = 0.02
    delayed_files: int = 30
    limited: int = 96 * MEBIBYTE
    rate: int = 25_000_000
    many: int = 10_000
    listed: tuple[int, ...] = (10, 100, 1000, 10_000, 100_000)
    repetitions: int = 3


FULL = Sizes()
QUICK = Sizes(
    big=MEBIBYTE,
    files=10,
    folder=10,
    tags=20,
    delay=0.002,
    delayed_files=3,
    limited=MEBIBYTE,
    many=10,
    listed=(10,),
    repetitions=1,
)
"""Enough to see that everything works, and too little to learn anything."""


@frozen
class Curve:
    """How cost grows along one axis: the same steps with the same kind of thing, at `points`."""

    name: str
    axis: str
    points: tuple[tuple[float, Workload], ...]
    steps: tuple[Step, ...] = field(default=(Step.PUSH, Step.PULL), kw_only=True)
    logarithmic: bool = field(default=True, kw_only=True)


def table_of(sizes: Sizes) -> dict[str, Workload]:
    """Return the workloads of the table, by the names that choose them."""
    return {
        "file": Files(1, sizes.big, again=True),
        "files": Files(sizes.files, sizes.small, again=True),
        "folder": Folder(sizes.folder),
        "line": Files(sizes.delayed_files, sizes.small, sizes.delay),
        "limited": Files(1, sizes.limited, sizes.delay, rate=sizes.rate),
        "tls-file": Files(1, sizes.big, tls=True),
        "tls-files": Files(sizes.files, sizes.small, tls=True),
        "kept": Files(1, sizes.big, again=True, remembers=True),
        "tags": Tags(sizes.tags),
        "start": Start(),
    }


def curves_of(sizes: Sizes) -> dict[str, Curve]:
    """Return the curves by the workload of the table that is a point of each."""
    lengths = [sizes.big // part for part in (512, 64, 8)]
    counts = [sizes.files // part for part in (500, 50, 5) if sizes.files >= part]
    delays = [sizes.delay * part for part in (0.0, 0.25, 0.5)]
    last = {name: w for name, w in table_of(sizes).items() if isinstance(w, Files)}
    by_size = [*(Files(1, length) for length in lengths), last["file"]]
    by_count = [*(Files(count, sizes.small) for count in counts), last["files"]]
    many = [Files(sizes.many, sizes.small)] if sizes.many > sizes.files else []
    by_delay = [
        *(Files(sizes.delayed_files, sizes.small, delay) for delay in delays),
        last["line"],
    ]
    several = f"{sizes.delayed_files} files of {_size(sizes.small)}"
    return {
        "file": Curve(
            "size", "size of one file, MiB", tuple((w.size / MEBIBYTE, w) for w in by_size)
        ),
        "files": Curve(
            "count",
            f"number of files of {_size(sizes.small)}",
            tuple((w.count, w) for w in [*by_count, *many]),
        ),
        "line": Curve(
            "latency",
            f"delay each way, ms ({several})",
            tuple((w.delay * 1000, w) for w in by_delay),
            logarithmic=False,
        ),
        "tags": Curve(
            "tags",
            "number of tags",
            tuple((count, Tags(count)) for count in sorted((*sizes.listed, sizes.tags))),
            steps=(Step.LIST,),
        ),
    }


def _size(count: int) -> str:
    if count < MEBIBYTE:
        return f"{count / 1024:g} KiB"
    return f"{count / MEBIBYTE:g} MiB"
