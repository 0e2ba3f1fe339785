"""What the two listeners make of a copy."""

from __future__ import annotations

import io
import logging
import re
import sys

import pytest

from oras_adapters.progress.log_progress import LogProgress
from oras_core.content.sources import BytesSource
from oras_core.copying.copy import copy
from oras_core.copying.options import CopyOptions
from oras_core.errors import NotFoundError, TransportError, UnsupportedError
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_blob
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.verbs.push import Directory, File, push
from support.artifacts import tree_of
from support.modules import require_module
from support.targets import store_with


class Breaking(MemoryStore):
    """Fails in the middle of each blob once, and reads it again."""

    def push(self, descriptor, source):
        if not self.exists(descriptor):
            source.open().read(2)
        super().push(descriptor, source)


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "oras_adapters.progress.log_progress")
    return lambda: [record.getMessage() for record in caplog.records]


def test_log_starts_and_ends_with_the_totals(lines):
    source, manifest = store_with(b"one", b"there")
    destination = MemoryStore()
    push_blob(destination, b"there")
    copy(source, "v1", destination, options=CopyOptions(listener=LogProgress()))
    size = 8 + 2 + len(manifest.content)
    assert lines()[0] == f"4 blobs with {size} bytes to transfer"
    assert lines()[-1] == f"4 of 4 blobs done (1 skipped), {size} of {size} bytes"


def test_log_messages_are_rate_limited(lines):
    clock = iter(range(1000))
    listener = LogProgress(interval=3, now=lambda: next(clock))
    source, _ = store_with(*(bytes([number]) for number in range(20)))
    copy(source, "v1", MemoryStore(), options=CopyOptions(listener=listener, concurrency=1))
    assert 3 < len(lines()) < 20


def test_repeated_transfer_is_counted_once(lines):
    source, manifest = store_with(b"one")
    copy(source, "v1", Breaking(), options=CopyOptions(listener=LogProgress(), concurrency=1))
    size = 3 + 2 + len(manifest.content)
    assert sum("restarts" in line for line in lines()) == 3
    assert lines()[-1].endswith(f"{size} of {size} bytes")


def test_failure_is_logged(lines):
    source, manifest = store_with(b"one")
    source.delete(manifest.layers[0])
    with pytest.raises(NotFoundError):
        copy(source, "v1", MemoryStore(), options=CopyOptions(listener=LogProgress()))
    assert any("failed" in line for line in lines())


LARGE = 33 * 1024 * 1024


def test_skipped_blobs_are_counted(lines):
    source, manifest = store_with(b"one")
    destination = MemoryStore()
    copy(source, "v1", destination)
    copy(source, "v1", destination, options=CopyOptions(listener=LogProgress()))
    size = len(manifest.content)
    assert lines()[-1] == f"1 of 1 blobs done (1 skipped), {size} of {size} bytes"


def test_push_of_existing_files_has_the_right_totals(lines):
    destination = MemoryStore()
    contents = [File("a", BytesSource(b"one")), File("b", BytesSource(b"two"))]
    push(destination, "v1", contents)
    push(destination, "v2", contents, options=CopyOptions(listener=LogProgress()))
    assert re.fullmatch(r"1 of 1 blobs done \(1 skipped\), (\d+) of \1 bytes", lines()[-1])


def test_log_shows_the_packing_of_a_directory(lines):
    contents = [Directory("data", tree_of(a=b"x" * 1000, b=b"y" * 2000))]
    listener = LogProgress(interval=0)
    push(MemoryStore(), "v1", contents, scratch=MemoryFileTree(), options=watched(listener))
    assert lines()[:3] == [
        "preparing 'data', 3000 bytes",
        "preparing 'data', 1000 of 3000 bytes",
        "preparing 'data', 3000 of 3000 bytes",
    ]


def test_log_shows_the_hashing_of_a_large_file(lines):
    contents = [File("big", BytesSource(bytes(LARGE)))]
    push(MemoryStore(), "v1", contents, options=watched(LogProgress(interval=0)))
    assert lines()[0] == f"preparing 'big', {LARGE} bytes"
    assert f"preparing 'big', {LARGE} of {LARGE} bytes" in lines()


def watched(listener):
    return CopyOptions(listener=listener)


class TestRich:
    @pytest.fixture
    def terminal(self):
        return io.StringIO()

    @pytest.fixture
    def progress(self, terminal):
        rich = require_module("rich.progress")
        from rich.console import Console

        return rich.Progress(console=Console(file=terminal, force_terminal=True, width=100))

    def test_total_bar_is_complete_at_the_end(self, progress, terminal):
        from oras_adapters.progress.rich_progress import RichProgress

        source, manifest = store_with(b"one", b"there")
        destination = Breaking()
        push_blob(destination, b"there")
        with RichProgress(progress) as listener:
            copy(source, "v1", destination, options=CopyOptions(listener=listener))
        (whole,) = progress.tasks
        assert whole.completed == whole.total == 8 + 2 + len(manifest.content)
        assert "100%" in terminal.getvalue()

    def test_title_is_escaped_for_terminals(self, progress, terminal):
        from oras_adapters.progress.rich_progress import RichProgress

        _, manifest = store_with(b"one")
        layer = manifest.layers[0].with_annotations(
            {"org.opencontainers.image.title": "\x1b]0;evil\x07[red]evil"}
        )
        with RichProgress(progress) as listener:
            listener.planned(1, 3)
            listener.started(layer)
            listener.advanced(layer, 1)
            progress.refresh()
            listener.failed(layer, TransportError("GET", "http://r", "reset"))
        assert not re.search("\x1b\\]0|\x07", terminal.getvalue())
        assert "(red]evil" in terminal.getvalue()

    def test_missing_rich_error_names_the_extra(self, monkeypatch):
        from oras_adapters.progress.rich_progress import RichProgress

        monkeypatch.setitem(sys.modules, "rich.progress", None)
        with pytest.raises(UnsupportedError, match=r"pip install 'oras-sdk\[progress\]'"):
            RichProgress()

    def test_bar_of_a_directory_moves_while_it_is_packed(self, progress):
        from oras_adapters.progress.rich_progress import RichProgress

        bars = []

        class Noting(RichProgress):
            def preparation_advanced(self, title, count):
                super().preparation_advanced(title, count)
                bars.append([(t.description, t.completed, t.total) for t in progress.tasks[1:]])

        contents = [Directory("data", tree_of(a=b"x" * 1000, b=b"y" * 2000))]
        with Noting(progress) as listener:
            push(MemoryStore(), "v1", contents, scratch=MemoryFileTree(), options=watched(listener))
        assert bars == [[("preparing data", 1000, 3000)], [("preparing data", 3000, 3000)]]
        (whole,) = progress.tasks
        assert whole.completed == whole.total
