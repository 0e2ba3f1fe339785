from __future__ import annotations

import gzip
import io
import subprocess
import sys
from types import SimpleNamespace

import pytest

from oras_adapters.compression import compressions, zstd_compression
from oras_adapters.compression.compressions import (
    GZIP_LIBRARIES,
    all_compressions,
    find_compression,
)
from oras_adapters.compression.zstd_compression import MAX_WINDOW_LOG, Zstd
from oras_adapters.factory import Composition
from oras_adapters.settings.settings import ArchiveSettings, Settings, load_settings
from oras_core.archives import gzip_streams
from oras_core.archives.archive import pack_directory, unpack
from oras_core.archives.gzip_streams import GZIP
from oras_core.errors import (
    DigestMismatchError,
    InvalidConfigurationError,
    UnsafeArchiveError,
    UnsupportedError,
)
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.testing.contracts.tree_access import read, write
from oras_core.testing.memory_files import MemoryFileTree
from support.modules import require_module
from support.processes import run_python
from support.programs import require_program
from support.tar_archives import member, tar

TEXT = b"".join(b"line %d of a text\n" % (number % 7_001) for number in range(90_000))

NAMES = [("gzip", "zlib"), ("gzip", "zlib-ng"), ("gzip", "isal"), ("zstd", "zstd")]
MODULES = {
    "zlib": "zlib",
    "zlib-ng": "zlib_ng.zlib_ng",
    "isal": "isal.isal_zlib",
    "zstd": zstd_compression.MODULE,
}


@pytest.fixture(params=NAMES, ids=[name for _, name in NAMES])
def compression(request):
    require_module(MODULES[request.param[1]])
    return find_compression(*request.param, None)


@pytest.fixture
def tree():
    tree = MemoryFileTree()
    write(tree, "log", TEXT)
    write(tree, "b/run", b"#!/bin/sh\n", executable=True)
    return tree


def packed(tree, compression):
    out = io.BytesIO()
    result = pack_directory(tree, out.write, prefix="data", compression=compression)
    return out.getvalue(), result


def without(monkeypatch, *modules):
    for module in modules:
        for name in (module, module.partition(".")[0]):
            if name != "zlib":
                monkeypatch.setitem(sys.modules, name, None)


# --- Every implementation -----------------------------------------------------------------


def test_folder_round_trips(tree, compression):
    content, result = packed(tree, compression)
    copy = MemoryFileTree()
    unpack(
        io.BytesIO(content),
        copy,
        limits=Limits(),
        tar_digest=result.tar_digest,
        compressions=all_compressions(),
    )
    assert read(copy, "data/log") == TEXT
    assert result.digest == Digest.of(content)
    assert result.size == len(content)


def test_tar_is_independent_of_the_compression(tree, compression):
    assert packed(tree, compression)[1].tar_digest == packed(tree, GZIP)[1].tar_digest


def test_tar_digest_is_verified(tree, compression):
    content, _ = packed(tree, compression)
    with pytest.raises(DigestMismatchError, match="the uncompressed archive"):
        unpack(
            io.BytesIO(content),
            MemoryFileTree(),
            limits=Limits(),
            tar_digest=Digest.of(b"another"),
            compressions=[compression],
        )


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_output_is_independent_of_the_number_of_threads(monkeypatch, tree, compression, threads):
    wanted = packed(tree, compression)
    monkeypatch.setattr(gzip_streams, "THREADS", threads)
    assert packed(tree, compression) == wanted


def test_command_line_tools_read_the_output(tree, compression, tmp_path):
    content, _ = packed(tree, compression)
    archive = tmp_path / "archive"
    archive.write_bytes(content)
    tool = require_program({"gzip": "gzip", "zstd": "zstd"}[compression.suffix])
    subprocess.run([tool, "-t"], input=content, check=True, capture_output=True)
    subprocess.run(
        ["tar", f"--{compression.suffix}", "-xf", archive, "-C", tmp_path],
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "data/log").read_bytes() == TEXT
    assert (tmp_path / "data/b/run").stat().st_mode & 0o100


@pytest.mark.parametrize("program", ["gzip", "zstd"])
def test_output_of_command_line_tools_is_read(program):
    if program == "zstd":
        require_module(zstd_compression.MODULE)
    archive = tar(member("f", TEXT))
    tool = require_program(program)
    content = subprocess.run([tool, "-c"], input=archive, check=True, capture_output=True).stdout
    copy = MemoryFileTree()
    unpack(io.BytesIO(content), copy, limits=Limits(), compressions=all_compressions())
    assert read(copy, "f") == TEXT


# --- zstd ---------------------------------------------------------------------------------


@pytest.fixture
def zstd():
    return require_module(zstd_compression.MODULE)


def windowed(zstd, log, content=None):
    """A frame that asks for a window of 2 ** `log` bytes."""
    options = {zstd.CompressionParameter.window_log: log}
    compressor = zstd.ZstdCompressor(options=options)
    return compressor.compress(content or tar(member("f", b"x"))) + compressor.flush()


def unzstd(content):
    copy = MemoryFileTree()
    unpack(io.BytesIO(content), copy, limits=Limits(), compressions=[Zstd()])
    return copy


def test_windows_up_to_the_limit_are_accepted(zstd):
    assert read(unzstd(windowed(zstd, MAX_WINDOW_LOG)), "f") == b"x"


def test_larger_windows_are_refused(zstd):
    with pytest.raises(UnsafeArchiveError, match="windows larger than 33554432 bytes"):
        unzstd(windowed(zstd, MAX_WINDOW_LOG + 1))


def test_written_windows_are_within_the_limit_of_every_reader(zstd):
    """RFC 8878, 3.1.1.1.2: 8 MiB, which the highest level needs for much content."""
    content = b"".join(Zstd(level=19).compress(iter([bytes(2**20)] * 12)))
    exponent = content[5] >> 3  # of the window's descriptor, 3.1.1.1.2
    assert content[4] & 0x20 == 0  # no single segment, so that there is one
    assert 2 ** (10 + exponent) <= 8 * 2**20


def test_several_frames_are_read_as_one_stream(zstd):
    archive = tar(member("f", TEXT))
    skipped = b"\x53\x2a\x4d\x18\x05\0\0\0hello"
    frames = zstd.compress(archive[:700]) + skipped + zstd.compress(archive[700:]) + skipped
    assert read(unzstd(frames), "f") == TEXT


def test_zeros_after_zstd_are_refused(zstd):
    with pytest.raises(UnsafeArchiveError, match="compression is damaged"):
        unzstd(zstd.compress(tar(member("f"))) + bytes(100))


def test_truncated_frame_is_refused(zstd):
    with pytest.raises(UnsafeArchiveError, match="is truncated"):
        unzstd(zstd.compress(tar(member("f")))[:-5])


def test_missing_zstd_error_names_the_extra(monkeypatch, tree):
    without(monkeypatch, zstd_compression.MODULE)
    with pytest.raises(UnsupportedError, match=r"pip install 'oras-sdk\[zstd\]'"):
        packed(tree, Zstd())
    with pytest.raises(UnsupportedError, match=r"pip install 'oras-sdk\[zstd\]'"):
        unzstd(b"\x28\xb5\x2f\xfd" + bytes(600))


def test_core_without_adapters_names_the_unsupported_compression():
    with pytest.raises(UnsafeArchiveError):
        unpack(io.BytesIO(b"\x28\xb5\x2f\xfd" + bytes(600)), MemoryFileTree(), limits=Limits())


# --- Choosing -----------------------------------------------------------------------------


def test_levels_are_mapped_to_those_of_each_library(monkeypatch):
    require_module("isal.isal_zlib")
    levels = [find_compression("gzip", "isal", level).level for level in range(1, 10)]
    assert levels == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert [find_compression("gzip", "zlib", level).level for level in range(1, 10)] == [
        *range(1, 10)
    ]
    assert find_compression("gzip", "zlib", None) == GZIP
    assert find_compression("zstd", "auto", 19).level == 19


@pytest.mark.parametrize("installed", ["2.2.5", "2.3.3", "3.0.0"])
def test_auto_selects_a_zlib_ng_with_reproducible_output(monkeypatch, installed):
    module = SimpleNamespace(ZLIBNG_VERSION=installed)
    monkeypatch.setattr(compressions, "_load", {"zlib-ng": module, "zlib": gzip.zlib}.get)
    assert find_compression("gzip", "auto", None).name == "zlib-ng"


@pytest.mark.parametrize("installed", ["2.1.5", "2.0.7", "1.9.9", "of no number"])
def test_auto_skips_a_zlib_ng_whose_output_depends_on_the_processor(monkeypatch, installed):
    module = SimpleNamespace(ZLIBNG_VERSION=installed)
    monkeypatch.setattr(compressions, "_load", {"zlib-ng": module, "zlib": gzip.zlib}.get)
    assert find_compression("gzip", "auto", None) == GZIP


def test_auto_never_selects_isal(monkeypatch):
    without(monkeypatch, "zlib_ng.zlib_ng")
    assert find_compression("gzip", "auto", None) == GZIP


@pytest.mark.parametrize("name", sorted(set(GZIP_LIBRARIES) - {"zlib"}))
def test_missing_library_error_names_the_extra(monkeypatch, name):
    library = GZIP_LIBRARIES[name]
    without(monkeypatch, library.module)
    with pytest.raises(UnsupportedError) as caught:
        find_compression("gzip", name, None)
    assert f"pip install 'oras-sdk[{library.extra}]'" in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("lzma", "auto", None), "unknown format 'lzma'; known formats: none, gzip, zstd, auto"),
        (("gzip", "zip", None), "known implementations: auto, zlib-ng, zlib, isal"),
        (
            ("zstd", "isal", None),
            "unknown implementation 'isal' of zstd; known implementations",
        ),
        (("gzip", "auto", 0), "0 is not a level of gzip; levels are 1 to 9"),
        (("gzip", "isal", 10), "levels are 1 to 9"),
        (("zstd", "auto", 20), "20 is not a level of zstd; levels are 1 to 19"),
    ],
)
def test_unknown_library_error_lists_the_known_ones(wrong, message):
    with pytest.raises(InvalidConfigurationError) as caught:
        find_compression(*wrong)
    assert message in str(caught.value)


# --- Settings -----------------------------------------------------------------------------


def test_settings_select_the_compression(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[archive]\nformat = "zstd"\nlevel = 7\n')
    settings = load_settings({"ORAS_CONFIG": str(file)})
    assert settings.archive == ArchiveSettings("zstd", "auto", 7)
    assert Composition(settings).compression() == Zstd(7)


def test_environment_overrides_the_settings_file(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[archive]\nformat = "zstd"\nlevel = 7\n')
    environment = {
        "ORAS_CONFIG": str(file),
        "ORAS_ARCHIVE_FORMAT": "gzip",
        "ORAS_ARCHIVE_IMPLEMENTATION": "zlib",
        "ORAS_ARCHIVE_LEVEL": "2",
    }
    assert load_settings(environment).archive == ArchiveSettings("gzip", "zlib", 2)


@pytest.mark.parametrize("text", ["fast", "-1", "1.5", "٣", "9" * 5000])
def test_level_must_be_a_number(text):
    with pytest.raises(InvalidConfigurationError, match="ORAS_ARCHIVE_LEVEL"):
        load_settings({"ORAS_ARCHIVE_LEVEL": text})


def test_compression_library_is_imported_on_first_use():
    program = (
        "import sys, oras.provider; from oras_adapters.factory import Composition;"
        "from oras_adapters.settings.settings import Settings; Composition(Settings());"
        "print(sorted(name for name in sys.modules if name.startswith(('zlib_ng', 'isal',"
        " 'oras_adapters.compression.compressions', 'oras_adapters.zstd'))))"
    )
    assert run_python("-c", program) == "[]\n"


def test_default_is_gzip_with_reproducible_output():
    assert Composition(Settings()).compression().suffix == "gzip"
