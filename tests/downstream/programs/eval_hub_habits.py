"""eval-hub-sdk: results persisted as an artifact, by way of a layout."""

from __future__ import annotations

import sys
from pathlib import Path

from evalhub.adapter.models import OCIArtifactSpec
from evalhub.adapter.oci import OCIArtifactContext, OCIArtifactPersister
from evalhub.models.api import OCI_ANNOTATION_JOB_ID, OCICoordinates

import oras.provider

address = sys.argv[1]
Path("results").mkdir()
Path("results/results.json").write_text('{"accuracy": 0.95}')
persister = OCIArtifactPersister(
    context=OCIArtifactContext(job_id="job", benchmark_id="benchmark"), oci_insecure=True
)
coordinates = OCICoordinates(oci_host=address, oci_repository="downstream/eval", oci_tag="v1")
result = persister.persist(OCIArtifactSpec(files_path=Path("results"), coordinates=coordinates))
assert result.reference == f"{address}/downstream/eval:v1@{result.digest}"
registry = oras.provider.Registry(insecure=True)
manifest = registry.get_manifest(
    f"{address}/downstream/eval:v1",
    allowed_media_type=["application/vnd.oci.image.manifest.v1+json"],
)
assert manifest["annotations"][OCI_ANNOTATION_JOB_ID] == "job"
