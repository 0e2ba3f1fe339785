"""Media types name the compression of a layer."""

from __future__ import annotations

import pytest

from oras_core.model.media_types import names_compression


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        ("application/vnd.oci.image.layer.v1.tar+gzip", True),
        ("application/vnd.oci.image.layer.v1.tar+zstd", True),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", True),
        ("application/vnd.oci.image.layer.v1.tar", False),
        ("application/gzip; version=1", False),
        ("", False),
    ],
)
def test_suffix_names_a_compression(media_type, expected):
    assert names_compression(media_type) is expected
