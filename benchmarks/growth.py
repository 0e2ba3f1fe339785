"""Measure the CPU time of work with more and more entries: layouts, archives, referrers.

    python benchmarks/growth.py [--sizes 100,1000,10000] [--tasks REGEX] [--write DOCS]

Layouts and archives are on the disk, the registry is in memory. With --write the rows go into the
table of DOCS/performance.md, between its two markers. tests/unit/stores/test_linear_growth.py
counts the operations of the same tasks.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[1]
# Installed packages precede the checkout, which is for a run without an installation.
sys.path.append(str(ROOT))

from oras_adapters.files.local_files import LocalFileTree  # noqa: E402 - found by the line above
from oras_core.copying.extended import extended_copy  # noqa: E402
from oras_core.copying.options import CopyOptions  # noqa: E402
from oras_core.model import codec  # noqa: E402
from oras_core.model.paths import sanitize_path  # noqa: E402
from oras_core.ports.content import Target  # noqa: E402
from oras_core.ports.files import FileTree  # noqa: E402
from oras_core.registry.registry import RemoteRegistry  # noqa: E402
from oras_core.stores.layout.archive import pack_layout, unpack_layout  # noqa: E402
from oras_core.stores.layout.store import OciLayoutStore  # noqa: E402
from oras_core.stores.memory import MemoryStore  # noqa: E402
from oras_core.testing.contracts.content_access import push_artifact, push_document  # noqa: E402
from oras_core.testing.registry.registry import EmbeddedRegistry  # noqa: E402
from oras_core.verbs.mirror import mirror  # noqa: E402

BEGIN = "<!-- `python benchmarks/growth.py --write docs` writes the text from here -->"
END = "<!-- to here: growth. -->"

ARCHIVE = sanitize_path("layout.tar")

T = TypeVar("T", bound=Target)

Action = Callable[[], object]
Trees = Callable[[], FileTree]


class World:
    """Where a task has its folders and its registry.

    Attributes:
        tree: makes an empty folder.
        options: the options of every copy.
        servers: the registries that were used.
    """

    def __init__(self, tree: Trees, options: CopyOptions | None = None) -> None:
        """Use the folders of `tree`."""
        self.tree = tree
        self.options = options or CopyOptions()
        self.servers: list[EmbeddedRegistry] = []

    def registry(self) -> Target:
        """Return a repository in a new registry without the referrers API."""
        self.servers.append(EmbeddedRegistry(referrers=False))
        registry = RemoteRegistry("localhost:5001", self.servers[-1], plain_http=True)
        return registry.repository("app")


def delete_index(count: int, world: World) -> Action:
    """Delete an index of many manifests from a layout."""
    store = OciLayoutStore(world.tree())
    with store.receiving() as receiver:
        parts = [push_artifact(receiver, b"%d" % n).descriptor for n in range(count)]
        index = push_document(receiver, codec.encode_index(manifests=parts))
    return lambda: store.delete(index)


def collect_listed(count: int, world: World) -> Action:
    """Collect the garbage of a layout with a chain of referrers."""
    store = _chain(count, world)
    return lambda: store.collect_garbage(keep="listed")


def collect_tagged(count: int, world: World) -> Action:
    """Do the same, and keep only tagged manifests."""
    store = _chain(count, world)
    return lambda: store.collect_garbage(keep="tagged")


def copy_referrers(count: int, world: World) -> Action:
    """Copy an artifact with many referrers into a layout."""
    source, store = _referrers(count), OciLayoutStore(world.tree())
    return lambda: extended_copy(source, "v1", store, options=world.options)


def mirror_tags(count: int, world: World) -> Action:
    """Mirror many tags into a layout."""
    source, store = _tags(count, MemoryStore()), OciLayoutStore(world.tree())
    return lambda: mirror(source, store, options=world.options)


def copy_to_registry(count: int, world: World) -> Action:
    """Copy an artifact with many referrers to a registry without the referrers API."""
    source, destination = _referrers(count), world.registry()
    return lambda: extended_copy(source, "v1", destination, options=world.options)


def write_archive(count: int, world: World) -> Action:
    """Write a layout with many tags as a tar archive."""
    tree = world.tree()
    with OciLayoutStore(tree).receiving() as receiver:
        _tags(count, receiver)
    return lambda: _pack(tree, world.tree())


def read_archive(count: int, world: World) -> Action:
    """Unpack such an archive."""
    packed = world.tree()
    layout = world.tree()
    with OciLayoutStore(layout).receiving() as receiver:
        _tags(count, receiver)
    _pack(layout, packed)

    def unpack() -> None:
        with closing(packed.open(ARCHIVE)) as stream:
            unpack_layout(stream, world.tree())

    return unpack


TASKS: Mapping[str, Callable[[int, World], Action]] = {
    "delete an index from a layout": delete_index,
    "collect a layout, a chain of referrers": collect_listed,
    "collect a layout, keep what is tagged": collect_tagged,
    "copy referrers into a layout": copy_referrers,
    "mirror tags into a layout": mirror_tags,
    "copy referrers to a registry without the referrers API": copy_to_registry,
    "write an archive": write_archive,
    "read an archive": read_archive,
}
"""Each task prepares an action, and returns the action to measure."""


def _chain(count: int, world: World) -> OciLayoutStore:
    store = OciLayoutStore(world.tree())
    with store.receiving() as receiver:
        subject = push_artifact(receiver, b"subject")
        receiver.tag(subject.descriptor, "v1")
        for _ in range(count):
            subject = push_artifact(receiver, b"layer", subject=subject.descriptor)
    return store


def _referrers(count: int) -> MemoryStore:
    source = MemoryStore()
    subject = push_artifact(source, b"subject")
    source.tag(subject.descriptor, "v1")
    for number in range(count):
        push_artifact(source, b"%d" % number, subject=subject.descriptor)
    return source


def _tags(count: int, target: T) -> T:
    for number in range(count):
        target.tag(push_artifact(target, b"%d" % number).descriptor, f"v{number}")
    return target


def _pack(layout: FileTree, folder: FileTree) -> None:
    with folder.create(ARCHIVE) as file:
        pack_layout(layout, file.write)
        file.commit()


@contextmanager
def _world_on_disk() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="growth-") as name:
        yield World(lambda: LocalFileTree(tempfile.mkdtemp(dir=name)))


def seconds(task: Callable[[int, World], Action], count: int) -> float:
    """Return the CPU seconds of a task with so many entries; waiting is not among them."""
    with _world_on_disk() as world:
        action = task(count, world)
        begin = time.process_time()
        action()
        return time.process_time() - begin


def row(name: str, sizes: Sequence[int]) -> str:
    """Measure a task, and return its row in Markdown, with the load of the machine."""
    cells = [f"{seconds(TASKS[name], size):.3g}" for size in sizes]
    line = f"| {' | '.join([name, *cells, f'{os.getloadavg()[0]:.0f}'])} |"
    sys.stderr.write(line + "\n")
    return line


def table(sizes: Sequence[int], rows: Mapping[str, str]) -> str:
    """Return the table with the rows of tasks."""
    heads = ["CPU seconds for", *(f"{size:,} entries" for size in sizes), "load average"]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    lines += [rows[name] for name in TASKS if name in rows]
    where = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    return f"{where}; each measured once.\n\n" + "\n".join(lines)


def replace_growth(page: str, sizes: Sequence[int], measured: Mapping[str, str]) -> str:
    """Return the page with other rows in the table between its markers."""
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    rows = {line[2:].partition(" |")[0]: line for line in old.splitlines() if line[:2] == "| "}
    return f"{before}{BEGIN}\n\n{table(sizes, {**rows, **measured})}\n\n{END}{after}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="100,1000,10000", help="numbers of entries")
    parser.add_argument("--tasks", default="", metavar="REGEX", help="measure only these tasks")
    parser.add_argument("--write", type=Path, metavar="DOCS", help="the folder of performance.md")
    options = parser.parse_args(arguments)
    sizes = [int(size) for size in options.sizes.split(",")]
    measured = {name: row(name, sizes) for name in TASKS if re.search(options.tasks, name)}
    if options.write is None:
        sys.stdout.write(table(sizes, measured) + "\n")
        return
    page = options.write / "performance.md"
    page.write_text(replace_growth(page.read_text("utf-8"), sizes, measured), encoding="utf-8")


if __name__ == "__main__":
    main()
