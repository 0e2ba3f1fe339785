from __future__ import annotations

import random
import struct

import pytest

from oras_adapters.compression.compressions import find_compression
from oras_adapters.files.local_files import LocalFileTree
from oras_core.archives.gzip_streams import GZIP
from oras_core.archives.plain import PLAIN, SAMPLE_SIZE, SAMPLES, Automatic
from oras_core.errors import InvalidConfigurationError, UnsupportedError
from oras_core.model import codec, media_types
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.tree_access import write
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.verbs.pull import pull
from oras_core.verbs.push import Directory, push
from support.artifacts import all_files, tree_of

RANDOM = random.Random(1).randbytes(4_000_000)
TEXT = b"".join(b"line %d of a log\n" % number for number in range(100_000))
FLOATS = b"".join(struct.pack("<f", random.Random(2).gauss(0, 1)) for _ in range(1000)) * 200


def pushed(tree, compression):
    store = MemoryStore()
    contents = [Directory("data", tree, compression=compression)]
    root = push(store, "v1", contents, scratch=MemoryFileTree())
    (layer,) = codec.decode_manifest(store.fetch(root).read()).layers
    return store, layer


def test_a_plain_tar_is_pushed_and_pulled():
    tree = tree_of(a=b"one", b=TEXT)
    store, layer = pushed(tree, PLAIN)
    assert layer.media_type == "application/vnd.oci.image.layer.v1.tar"
    assert layer.annotations[media_types.ANNOTATION_CONTENT_DIGEST] == str(layer.digest)
    assert layer.size > len(TEXT)
    folder = MemoryFileTree()
    pull(store, "v1", folder)
    assert all_files(folder) == {"data/a": b"one", "data/b": TEXT}


def test_a_media_type_of_another_compression_is_refused():
    contents = [Directory("data", tree_of(a=b"x"), "a/b+gzip", compression=PLAIN)]
    with pytest.raises(UnsupportedError, match="its compression is none"):
        push(MemoryStore(), "v1", contents, scratch=MemoryFileTree())


@pytest.mark.parametrize(
    ("files", "plain"),
    [
        ({"a": RANDOM}, True),
        ({"a": RANDOM, "readme": b"short text" * 1000}, True),
        ({"a": RANDOM[:500], "b": RANDOM[500:1000]}, True),
        ({"a": TEXT}, False),
        ({"a": RANDOM[: len(TEXT)], "b": TEXT}, False),
        ({"a": FLOATS}, False),
        ({"a": bytes(range(256)) * 4000}, False),
        ({"a": RANDOM.hex().encode()}, False),
        ({"a": bytes(1_000_000)}, False),
        ({}, False),
        ({"a": b""}, False),
    ],
)
def test_incompressible_folder_is_stored(files, plain):
    tree = tree_of(**files)
    _, layer = pushed(tree, Automatic())
    suffix = "" if plain else "+gzip"
    assert layer.media_type == media_types.OCI_LAYER_TAR + suffix
    assert pushed(tree, PLAIN if plain else GZIP)[1] == layer


def test_choice_does_not_depend_on_the_stream(tmp_path):
    content = RANDOM[:900_000] + TEXT[:100_000]
    (tmp_path / "a").write_bytes(content)

    class Reads(MemoryFileTree):
        """Streams that cannot seek and read little."""

        def open(self, path):
            stream = super().open(path)

            class Stream:
                def read(self, size=-1):
                    return stream.read(min(size, 1000))

                def close(self):
                    stream.close()

            return Stream()

    memory = Reads()
    write(memory, "a", content)
    layers = [pushed(tree, Automatic())[1] for tree in (memory, LocalFileTree(tmp_path))]
    assert layers[0] == layers[1]


def test_sample_reads_a_limited_number_of_bytes(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(100 * SAMPLES * SAMPLE_SIZE)
    read = []

    class Counting(LocalFileTree):
        def open(self, path):
            stream = super().open(path)
            whole_read = stream.read
            stream.read = lambda size: read.append(size) or whole_read(size)
            return stream

    tree = Counting(tmp_path)
    assert Automatic().choose(tree, list(tree.entries())) is GZIP
    assert sum(read) <= SAMPLES * SAMPLE_SIZE


def test_compressions_are_found_by_name():
    assert find_compression("none", "auto", None) is PLAIN
    chooser = find_compression("auto", "zlib", 1)
    assert (chooser.compression.name, chooser.compression.level) == ("zlib", 1)
    with pytest.raises(InvalidConfigurationError, match="the format none has no levels"):
        find_compression("none", "auto", 5)
    with pytest.raises(InvalidConfigurationError, match="unknown implementation 'zlib' of none"):
        find_compression("none", "zlib", None)
