"""Zstandard (RFC 8878): the standard library (PEP 784), or its backport before Python 3.14."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from importlib import import_module
from typing import Any, Final

from attrs import frozen

from oras_core.content.read_ahead import read_ahead
from oras_core.errors import UnsupportedError
from oras_core.ports.compression import DamagedStreamError, Decompressor

__all__ = ["DEFAULT_LEVEL", "MAX_LEVEL", "MAX_WINDOW_LOG", "Zstd"]

DEFAULT_LEVEL: Final = 3
"""The default of zstd."""

MAX_LEVEL: Final = 19
"""Higher levels use windows that few readers accept."""

MAX_WINDOW_LOG: Final = 25
"""Window of 32 MiB, kept in memory while reading: the maximum of the Go encoders in container
tools. RFC 8878, 3.1.1.1.2, requires readers to support 8 MiB, which levels up to 19 need."""

MODULE: Final = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"


@frozen
class Zstd:
    """Zstandard. The library is imported on first use.

    Attributes:
        level: compression level, from 1 (fast) to 19 (small).
    """

    level: int = DEFAULT_LEVEL

    name = "zstd"
    suffix = "zstd"
    magic = b"\x28\xb5\x2f\xfd"
    padding = b""

    def compress(self, pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
        """Compress pieces into one frame with a checksum; a thread reads pieces ahead.

        One thread compresses: the output of several threads differs, and not all builds of
        the library support them.

        Raises:
            UnsupportedError: if the library is not installed.
        """
        zstd = self._library("compress by zstd")
        parameter = zstd.CompressionParameter
        options = {parameter.compression_level: self.level, parameter.checksum_flag: 1}
        compressor = zstd.ZstdCompressor(options=options)
        chunks = read_ahead(iter(pieces))
        try:
            for chunk in chunks:
                if compressed := compressor.compress(chunk):
                    yield compressed
            yield compressor.flush()
        finally:
            chunks.close()

    def decompressor(self) -> Decompressor:
        """Return a decompressor for one frame with a window of at most 32 MiB.

        Raises:
            UnsupportedError: if the library is not installed.
        """
        return _Decompressor(self._library("decompress zstd"))

    def _library(self, operation: str) -> Any:  # noqa: ANN401 - one of two modules
        try:
            return import_module(MODULE)
        except ImportError as error:
            reason = f"{MODULE} is not installed: pip install 'oras-sdk[zstd]'"
            raise UnsupportedError(operation, reason) from error


class _Decompressor:
    def __init__(self, zstd: Any) -> None:  # noqa: ANN401 - as above
        options = {zstd.DecompressionParameter.window_log_max: MAX_WINDOW_LOG}
        self._frame = zstd.ZstdDecompressor(options=options)
        self._error = zstd.ZstdError

    @property
    def eof(self) -> bool:
        return bool(self._frame.eof)

    @property
    def needs_input(self) -> bool:
        return bool(self._frame.needs_input)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._frame.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        try:
            return bytes(self._frame.decompress(data, max_length))
        except self._error as error:
            reason = f"{error}; windows larger than {2**MAX_WINDOW_LOG} bytes are refused"
            raise DamagedStreamError(reason) from error
