"""Directories by the formats and libraries that the settings name, against a real registry."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import oras.client
from oras_adapters.compression import zstd_compression
from oras_core.errors import UnsupportedError
from oras_core.model.media_types import ANNOTATION_CONTENT_DIGEST, OCI_IMAGE_CONFIG
from support.modules import require_module
from support.programs import require_program
from support.trees import describe, file_digest, make_folder

LAYER = "application/vnd.oci.image.layer.v1.tar"
MODULES = {
    "zlib": "zlib",
    "zlib-ng": "zlib_ng.zlib_ng",
    "isal": "isal.isal_zlib",
    "zstd": zstd_compression.MODULE,
}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    make_folder(folder)
    return folder


@pytest.fixture
def target(open_registry, repository_name) -> str:
    return f"{open_registry.address}/{repository_name}:v1"


def choose(monkeypatch, format_name, implementation):
    require_module(MODULES[implementation])
    monkeypatch.setenv("ORAS_ARCHIVE_FORMAT", format_name)
    monkeypatch.setenv("ORAS_ARCHIVE_IMPLEMENTATION", implementation)


@pytest.mark.parametrize(
    ("format_name", "implementation"),
    [("gzip", "zlib"), ("gzip", "zlib-ng"), ("gzip", "isal"), ("zstd", "zstd")],
)
def test_directory_round_trips_with_any_settings_of_the_puller(
    monkeypatch, folder, target, tmp_path, format_name, implementation
):
    choose(monkeypatch, format_name, implementation)
    oras.client.OrasClient().push(target, files=["data"])
    monkeypatch.setenv("ORAS_ARCHIVE_FORMAT", "gzip")
    monkeypatch.setenv("ORAS_ARCHIVE_IMPLEMENTATION", "auto")
    client = oras.client.OrasClient()
    assert client.get_manifest(target)["layers"][0]["mediaType"] == f"{LAYER}+{format_name}"
    client.pull(target, outdir=str(tmp_path / "out"))
    assert describe(tmp_path / "out" / "data") == describe(folder)


def test_media_type_of_another_compression_is_refused(monkeypatch, folder, target):
    choose(monkeypatch, "zstd", "zstd")
    with pytest.raises(UnsupportedError, match="its compression is zstd"):
        oras.client.OrasClient().push(target, files=[f"data:{LAYER}+gzip"])


def test_client_with_its_own_upload_gets_gzip(monkeypatch, folder, target, tmp_path):
    """It is handed the file that oras-py would hand it."""
    choose(monkeypatch, "zstd", "zstd")

    class Uploading(oras.client.OrasClient):
        def upload_blob(self, blob, container, layer, **options):
            return super().upload_blob(blob, container, layer, **options)

    client = Uploading()
    client.push(target, files=["data"])
    assert client.get_manifest(target)["layers"][0]["mediaType"] == f"{LAYER}+gzip"
    client.pull(target, outdir=str(tmp_path / "out"))
    assert describe(tmp_path / "out" / "data") == describe(folder)


def test_client_with_its_own_download_reads_zstd(monkeypatch, folder, target, tmp_path):
    choose(monkeypatch, "zstd", "zstd")
    oras.client.OrasClient().push(target, files=["data"])

    class Downloading(oras.client.OrasClient):
        def download_blob(self, container, digest, outfile, **options):
            return super().download_blob(container, digest, outfile, **options)

    Downloading().pull(target, outdir=str(tmp_path / "out"))
    assert describe(tmp_path / "out" / "data") == describe(folder)


def config_of(content_digest: str) -> str:
    """An image's configuration: umoci checks a layer's tar against it."""
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [content_digest]},
            "history": [{"created_by": "test"}],
        }
    )


@pytest.mark.parametrize(
    ("format_name", "implementation"),
    [("gzip", "zlib"), ("gzip", "zlib-ng"), ("gzip", "isal")],  # older ones know no zstd
)
def test_skopeo_copies_and_umoci_unpacks_a_packed_directory(
    monkeypatch, skopeo, folder, target, tmp_path, format_name, implementation
):
    choose(monkeypatch, format_name, implementation)
    umoci = require_program("umoci")
    client = oras.client.OrasClient()
    client.push(target, files=["data"])
    (layer,) = client.get_manifest(target)["layers"]
    Path("config.json").write_text(config_of(layer["annotations"][ANNOTATION_CONTENT_DIGEST]))
    client.push(target, files=["data"], manifest_config=f"config.json:{OCI_IMAGE_CONFIG}")
    skopeo("copy", f"docker://{target}", f"oci:{tmp_path / 'layout'}:v1")
    raw = skopeo("inspect", "--raw", f"oci:{tmp_path / 'layout'}:v1")
    assert json.loads(raw)["layers"][0]["digest"] == layer["digest"]
    image = f"{tmp_path / 'layout'}:v1"
    command = [umoci, "unpack", "--rootless", "--image", image, str(tmp_path / "bundle")]
    subprocess.run(command, check=True, capture_output=True)
    assert describe(tmp_path / "bundle" / "rootfs" / "data") == describe(folder)


def test_skopeo_decompresses_zstd(monkeypatch, skopeo, folder, target, tmp_path):
    choose(monkeypatch, "zstd", "zstd")
    client = oras.client.OrasClient()
    client.push(target, files=["data"])
    (layer,) = client.get_manifest(target)["layers"]
    content_digest = layer["annotations"][ANNOTATION_CONTENT_DIGEST]
    Path("config.json").write_text(config_of(content_digest))
    client.push(target, files=["data"], manifest_config=f"config.json:{OCI_IMAGE_CONFIG}")
    skopeo("copy", "--dest-decompress", f"docker://{target}", f"dir:{tmp_path / 'flat'}")
    assert file_digest(tmp_path / "flat" / content_digest.partition(":")[2]) == content_digest


@pytest.mark.parametrize(
    ("format_name", "text", "suffix"),
    [("none", b"line\n", ""), ("auto", b"", ""), ("auto", b"line\n", "+gzip")],
)
def test_incompressible_directory_is_stored_uncompressed(
    monkeypatch, folder, target, tmp_path, format_name, text, suffix
):
    """Most bytes of the folder are random, unless there is much text."""
    monkeypatch.setenv("ORAS_ARCHIVE_FORMAT", format_name)
    (folder / "text").write_bytes(text * 2_000_000)
    client = oras.client.OrasClient()
    client.push(target, files=["data"])
    (layer,) = client.get_manifest(target)["layers"]
    assert layer["mediaType"] == f"{LAYER}{suffix}"
    client.pull(target, outdir=str(tmp_path / "out"))
    assert describe(tmp_path / "out" / "data") == describe(folder)
