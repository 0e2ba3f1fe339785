"""The constants of oras-py. Values that the core defines are taken from the core."""

from __future__ import annotations

from typing import Final

from oras_core.model import hosts, media_types

default_tag: Final = "latest"


class registry:  # noqa: D101 - oras-py's name for four constants of Docker Hub
    index_hostname: Final = hosts.DOCKER_HUB_INDEX
    index_server: Final = f"https://{hosts.DOCKER_HUB_INDEX}/v1/"
    index_name: Final = hosts.DOCKER_HUB
    default_v2_registry: Final = {"scheme": "https", "host": hosts.DOCKER_HUB_API}


default_blob_dir_media_type: Final = media_types.OCI_LAYER_TAR_GZIP
default_blob_media_type: Final = media_types.OCI_LAYER_TAR
unknown_config_media_type: Final = media_types.UNKNOWN_CONFIG
default_manifest_media_type: Final = media_types.OCI_MANIFEST
default_index_media_type: Final = media_types.OCI_INDEX
docker_manifest_media_type: Final = media_types.DOCKER_MANIFEST
docker_manifest_list_media_type: Final = media_types.DOCKER_MANIFEST_LIST

default_manifest_accepted_media_types: Final = [
    default_manifest_media_type,
    default_index_media_type,
    docker_manifest_media_type,
    docker_manifest_list_media_type,
]
"""The media types requested when a manifest is fetched (R25)."""

annotation_digest: Final = media_types.ANNOTATION_CONTENT_DIGEST
annotation_title: Final = media_types.ANNOTATION_TITLE
annotation_unpack: Final = media_types.ANNOTATION_UNPACK

oci_image_index_file: Final = "index.json"
oci_blobs_dir: Final = "blobs"
oci_layout_file: Final = "oci-layout"
oci_layout_version_pin: Final = "1.0.0"
oci_index_schema_version: Final = 2
oci_ref_name_annotation: Final = media_types.ANNOTATION_REF_NAME

default_blocksize: Final = 32 * 1024
"""Bytes per read."""
default_chunksize: Final = 16 * 1024 * 1024
"""Bytes per chunk of a chunked upload."""

blank_hash: Final = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The digest of an empty blob."""
blank_config_hash: Final = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
"""The digest of `{}`, the config that every registry accepts (R22)."""
