from __future__ import annotations

import pytest

from oras_adapters.compression import zstd_compression
from oras_adapters.compression.compressions import find_compression
from oras_adapters.compression.zstd_compression import Zstd
from oras_core.archives.gzip_streams import GZIP
from oras_core.testing.contracts.compression import CompressionContract
from support.modules import require_module


class TestZlib(CompressionContract):
    @pytest.fixture
    def compression(self):
        return GZIP


class TestZlibNg(CompressionContract):
    @pytest.fixture(params=[1, 5, 9])
    def compression(self, request):
        require_module("zlib_ng.zlib_ng")
        return find_compression("gzip", "zlib-ng", request.param)


class TestIsal(CompressionContract):
    @pytest.fixture(params=[1, 5, 9])
    def compression(self, request):
        require_module("isal.isal_zlib")
        return find_compression("gzip", "isal", request.param)


class TestZstd(CompressionContract):
    @pytest.fixture(params=[1, 3, 19])
    def compression(self, request):
        require_module(zstd_compression.MODULE)
        return Zstd(request.param)
