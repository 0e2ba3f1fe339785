"""Artifacts are files to fsspec and what builds on it, at the cost of few requests and bytes."""

from __future__ import annotations

import configparser
import io
import multiprocessing
import pickle
import random
import threading
import zipfile
from pathlib import Path

import fsspec
import pytest

from oras_adapters import Client, RegistryServer
from oras_adapters.filesystem.file_system import OrasFileSystem
from oras_core import BytesSource, Config, File
from oras_core.errors import AuthenticationError, UnsupportedError
from oras_core.testing import EmbeddedRegistry
from support.modules import require_module

MIB = 1024 * 1024
LONG = 30.0
ROOT = Path(__file__).parents[3]


class Counting:
    """A registry that counts its requests, and the bytes of blobs that it sends."""

    def __init__(self):
        self._registry = EmbeddedRegistry()
        self.requests = []
        self.sent = 0
        self._lock = threading.Lock()

    def send(self, request):
        response = self._registry.send(request)
        with self._lock:
            self.requests.append((request.method, request.url.partition("/v2/")[2]))
            if request.method == "GET" and "/blobs/" in request.url:
                self.sent += int(response.headers.get("Content-Length", "0"))
        return response

    def reset(self):
        self.requests.clear()
        self.sent = 0


@pytest.fixture
def counting():
    return Counting()


@pytest.fixture
def address(counting):
    with RegistryServer(counting) as server:
        yield server.address


@pytest.fixture
def system(address):
    fsspec.register_implementation("oras", OrasFileSystem, clobber=True)
    OrasFileSystem.clear_instance_cache()
    return OrasFileSystem(skip_instance_cache=True)


@pytest.fixture
def data(address, tmp_path, monkeypatch):
    """The place of an artifact with files, nested titles and packed folders."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights" / "deep").mkdir(parents=True)
    (tmp_path / "weights" / "layer0.bin").write_bytes(random.Random(1).randbytes(3 * MIB))
    (tmp_path / "weights" / "deep" / "b.txt").write_text("b")
    (tmp_path / "card.md").write_text("# A model\n")
    place = f"{address}/team/data:v1"
    with Client() as client:
        files = {"card.md": "card.md", "docs/a.txt": "card.md", "docs/more/b.txt": "card.md"}
        client.push(place, {**files, "weights": "weights"}, compression="none")
        client.push(f"{address}/team/data:zipped", ["weights"], compression="gzip")
    return place


def test_protocol_is_registered():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    assert parser["options.entry_points"]["fsspec.specs"].split() == [
        "oras",
        "=",
        "oras_adapters.filesystem.file_system:OrasFileSystem",
    ]


def test_files_and_folders_are_listed(system, data):
    assert system.ls(data, detail=False) == [
        f"{data}/card.md",
        f"{data}/docs",
        f"{data}/weights",
    ]
    assert system.ls(f"oras://{data}/weights", detail=False) == [
        f"{data}/weights/deep",
        f"{data}/weights/layer0.bin",
    ]
    (only,) = system.ls(f"{data}/card.md")
    assert (only["name"], only["size"], only["type"]) == (f"{data}/card.md", 10, "file")
    assert system.isdir(f"{data}/docs/more")
    assert system.isfile(f"{data}/docs/more/b.txt")
    assert not system.exists(f"{data}/absent")
    assert not system.exists(f"{data}/weights/absent")
    assert system.info(f"{data}/weights/layer0.bin")["size"] == 3 * MIB


def test_repositories_and_tags_are_folders(system, data, address):
    repository = f"{address}/team/data"
    assert system.ls(address, detail=False) == [repository]
    assert system.ls(repository, detail=False) == [f"{repository}:v1", f"{repository}:zipped"]
    assert system.isdir(repository)
    assert system.isdir(data)
    with pytest.raises(FileNotFoundError):
        system.ls(f"{address}/team/absent")


def test_files_are_found_by_glob_patterns(system, data):
    assert system.glob(f"{data}/**/*.txt") == [
        f"{data}/docs/a.txt",
        f"{data}/docs/more/b.txt",
        f"{data}/weights/deep/b.txt",
    ]
    assert len(system.find(data)) == 5
    assert [(root, sorted(dirs)) for root, dirs, _ in system.walk(data, maxdepth=1)] == [
        (data, ["docs", "weights"])
    ]


@pytest.mark.parametrize("tag", ["v1", "zipped"])
def test_files_are_read(system, data, tmp_path, tag):
    content = (tmp_path / "weights" / "layer0.bin").read_bytes()
    path = data.replace(":v1", f":{tag}") + "/weights/layer0.bin"
    with system.open(path) as file:
        assert file.read(10) == content[:10]
        file.seek(-10, 2)
        assert file.read() == content[-10:]
    assert system.cat_file(path, 100, 200) == content[100:200]
    assert system.cat_file(path) == content
    with fsspec.open(f"oras://{data}/card.md", "rt") as file:
        assert file.read() == "# A model\n"
    system.get(f"{data}/docs", str(tmp_path / "out"), recursive=True)
    assert (tmp_path / "out" / "more" / "b.txt").read_text() == "# A model\n"


def test_partial_read_of_an_uncompressed_folder_downloads_a_part(system, data, counting):
    counting.reset()
    system.cat_file(f"{data}/weights/layer0.bin", MIB, MIB + 1000)
    assert counting.sent < MIB / 2
    assert len(counting.requests) <= 6


def test_files_of_a_folder_that_are_read_by_turns_take_few_requests(
    system, address, counting, tmp_path
):
    (tmp_path / "shards").mkdir()
    contents = [random.Random(number).randbytes(3 * MIB) for number in range(2)]
    for number, content in enumerate(contents):
        (tmp_path / "shards" / f"{number}.bin").write_bytes(content)
    place = f"{address}/team/shards:v1"
    with Client() as client:
        client.push(place, {"shards": tmp_path / "shards"}, compression="none")
    with (
        system.open(f"{place}/shards/0.bin") as first,
        system.open(f"{place}/shards/1.bin") as second,
    ):
        counting.reset()
        turns = [(first.read(100_000), second.read(100_000)) for _ in range(32)]
    assert [b"".join(pieces) for pieces in zip(*turns, strict=True)] == contents
    assert len(counting.requests) <= 10
    assert counting.sent <= 1.2 * 6 * MIB


def test_compressed_folder_is_fetched_once(system, data, counting, tmp_path):
    content = (tmp_path / "weights" / "layer0.bin").read_bytes()
    path = data.replace(":v1", ":zipped") + "/weights"
    counting.reset()
    assert len(system.find(path)) == 2
    assert system.cat_file(f"{path}/layer0.bin", MIB, MIB + 1000) == content[MIB : MIB + 1000]
    assert system.cat_file(f"{path}/deep/b.txt") == b"b"
    (manifest, blob) = counting.requests
    assert "/manifests/" in manifest[1]
    assert "/blobs/" in blob[1]


def test_adjacent_ranges_are_merged_into_one_request(system, data, counting, tmp_path):
    content = (tmp_path / "weights" / "layer0.bin").read_bytes()
    path = f"{data}/weights/layer0.bin"
    system.info(path)
    counting.reset()
    starts = [MIB, 2 * MIB, MIB + 20_000]
    found = system.cat_ranges([path] * 3, starts, [start + 100 for start in starts])
    assert found == [content[start : start + 100] for start in starts]
    assert len(counting.requests) == 2
    first, second = system.cat_ranges([f"{data}/card.md", f"{data}/absent"], 0, 3)
    assert first == b"# A"
    assert isinstance(second, FileNotFoundError)
    with pytest.raises(FileNotFoundError):
        system.cat_ranges([f"{data}/absent"], 0, 3, on_error="raise")


def test_file_systems_can_be_chained(system, data, address, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("inner.txt", "inside")
    with Client() as client:
        client.push(f"{address}/team/zip:v1", ["all.zip"])
    with fsspec.open(f"zip://inner.txt::oras://{address}/team/zip:v1/all.zip") as file:
        assert file.read() == b"inside"
    cache = {"filecache": {"cache_storage": str(tmp_path / "cache")}}
    with fsspec.open(f"filecache::oras://{data}/card.md", **cache) as file:
        assert file.read() == b"# A model\n"


def test_put_of_a_folder_pushes_it(system, address, tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("a")
    (tmp_path / "in" / "deep" / "b.txt").write_text("b")
    place = f"{address}/team/put:v1"
    system.put(str(tmp_path / "in"), f"oras://{place}", recursive=True, artifact_type="text/x")
    assert system.find(place) == [f"{place}/a.txt", f"{place}/deep/b.txt"]
    with Client() as client:
        assert client.manifest(place).artifact_type == "text/x"


def test_other_writes_are_refused(system, data, tmp_path):
    for mode in ("wb", "xb", "ab", "w"):
        with pytest.raises(UnsupportedError, match="put"):
            system.open(f"{data}/new.txt", mode)
    with pytest.raises(UnsupportedError):
        system.put(str(tmp_path), f"{data}/inner")
    with pytest.raises(UnsupportedError, match="it is a directory"):
        system.open(f"{data}/docs")
    with pytest.raises(NotImplementedError):
        system.rm(f"{data}/card.md")


def test_tag_is_resolved_once(system, data, tmp_path):
    assert system.cat_file(f"{data}/card.md") == b"# A model\n"
    (tmp_path / "card.md").write_text("changed")
    with Client() as client:
        client.push(data, ["card.md"])
    key = system.ukey(f"{data}/card.md")
    assert system.cat_file(f"{data}/card.md") == b"# A model\n"
    copied = pickle.loads(pickle.dumps(system))
    assert copied.cat_file(f"{data}/card.md") == b"# A model\n"
    system.invalidate_cache(data)
    assert system.cat_file(f"{data}/card.md") == b"changed"
    assert system.ukey(f"{data}/card.md") != key


def test_options_are_those_of_the_client():
    registry = EmbeddedRegistry(users={"alice": "secret"})
    with RegistryServer(registry) as server:
        credentials = {server.address: ("alice", "secret")}
        repository = f"{server.address}/team/program"
        with Client(credentials=credentials) as client:
            for architecture in ("amd64", "arm64"):
                client.push(
                    f"{repository}:{architecture}",
                    File("program", BytesSource(architecture.encode())),
                    config=Config(
                        BytesSource(f'{{"os":"linux","architecture":"{architecture}"}}'.encode()),
                        "application/vnd.oci.image.config.v1+json",
                    ),
                )
            client.index(f"{repository}:v1", ["amd64", "arm64"])
        path = f"oras://{repository}:v1/program"
        options = {"credentials": credentials, "skip_instance_cache": True}
        system = OrasFileSystem(platform="linux/arm64", **options)
        assert system.cat_file(path) == b"arm64"
        with pytest.raises(AuthenticationError):
            OrasFileSystem(skip_instance_cache=True).cat_file(path)


def test_threads_read_concurrently(system, data, tmp_path):
    content = (tmp_path / "weights" / "layer0.bin").read_bytes()
    path = data.replace(":v1", ":zipped") + "/weights/layer0.bin"
    failed = []

    def read(number):
        generator = random.Random(number)
        for _ in range(20):
            start = generator.randrange(len(content))
            if system.cat_file(path, start, start + 1000) != content[start : start + 1000]:
                failed.append(start)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert failed == []


def _in_child(system, path, queue):
    queue.put(system.cat_file(path, 5, 10))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_processes_can_use_the_file_system(system, data, tmp_path, method):
    content = (tmp_path / "weights" / "layer0.bin").read_bytes()
    path = data.replace(":v1", ":zipped") + "/weights/layer0.bin"
    system.info(path)
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(system, path, queue))
    child.start()
    child.join(LONG)
    assert child.exitcode == 0
    assert queue.get() == content[5:10]


# --- Libraries that build on it -----------------------------------------------------------


def test_read_of_one_parquet_column_downloads_a_part(system, address, counting, tmp_path):
    pyarrow = require_module("pyarrow")
    parquet = require_module("pyarrow.parquet")
    rows = 400_000
    generator = random.Random(1)
    columns = {
        f"c{number}": pyarrow.py_buffer(generator.randbytes(rows * 8)) for number in range(30)
    }
    table = pyarrow.table(
        {
            name: pyarrow.Array.from_buffers(pyarrow.int64(), rows, [None, buffer])
            for name, buffer in columns.items()
        }
    )
    parquet.write_table(
        table, tmp_path / "part-0.parquet", compression="none", use_dictionary=False
    )
    size = (tmp_path / "part-0.parquet").stat().st_size
    assert size > 90 * MIB
    place = f"{address}/team/parquet:v1"
    with Client() as client:
        client.push(place, {"train/part-0.parquet": tmp_path / "part-0.parquet"})
    counting.reset()
    dataset = require_module("pyarrow.dataset")
    found = dataset.dataset(f"{place}/train/part-0.parquet", filesystem=system, format="parquet")
    assert found.to_table(columns=["c7"]).column("c7").equals(table.column("c7"))
    assert counting.sent < size * 0.05
    assert len(counting.requests) < 20


def test_pandas_reads_a_parquet_file(system, address, tmp_path):
    pandas = require_module("pandas")
    require_module("pyarrow")
    frame = pandas.DataFrame({"a": range(1000), "b": [str(n) for n in range(1000)]})
    frame.to_parquet(tmp_path / "part.parquet")
    with Client() as client:
        client.push(f"{address}/team/frame:v1", {"part.parquet": tmp_path / "part.parquet"})
    found = pandas.read_parquet(f"oras://{address}/team/frame:v1/part.parquet", columns=["a"])
    assert found["a"].tolist() == list(range(1000))


def test_zarr_reads_an_array(system, address, counting, tmp_path):
    zarr = require_module("zarr")
    numpy = require_module("numpy")
    array = zarr.create_array(
        str(tmp_path / "array.zarr"), shape=(100, 100), chunks=(10, 100), dtype="i4"
    )
    array[:] = numpy.arange(10_000).reshape(100, 100)
    place = f"{address}/team/array:v1"
    system.put(str(tmp_path / "array.zarr"), place, recursive=True)
    store = zarr.storage.FsspecStore.from_url(f"oras://{place}", read_only=True)
    counting.reset()
    opened = zarr.open_array(store, mode="r")
    assert opened[20:30].tolist() == numpy.arange(2000, 3000).reshape(10, 100).tolist()
    assert len([one for one in counting.requests if "/blobs/" in one[1]]) <= 4


def test_read_of_one_zip_member_downloads_a_part(system, address, counting, tmp_path):
    content = random.Random(1).randbytes(500_000)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for number in range(20):
            archive.writestr(f"{number}.bin", content)
    place = f"{address}/team/zip:v1"
    with Client() as client:
        client.push(place, {"all.zip": tmp_path / "all.zip"})
    counting.reset()
    with system.open(f"{place}/all.zip") as file, zipfile.ZipFile(file) as archive:
        assert archive.read("7.bin") == content
    assert counting.sent < 3 * MIB


def test_text_is_read_line_by_line(system, data):
    with io.TextIOWrapper(system.open(f"{data}/card.md")) as file:
        assert list(file) == ["# A model\n"]
