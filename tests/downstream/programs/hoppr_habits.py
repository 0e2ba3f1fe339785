"""hoppr: a client that sets its own attributes and session, and artifacts pulled to disk."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from unittest import mock

from hoppr import oci_artifacts
from hoppr.core_plugins.oras_registry import Registry

from oras.client import OrasClient
from oras.container import Container

address = sys.argv[1]
target = f"{address}/downstream/hoppr:1.0.0"
logger = mock.Mock(spec=logging.Logger, flush=lambda: None)

registry = Registry(hostname=address, insecure=True, auth_backend="basic", logger=logger)
registry.auth.set_basic_auth("myuser", "mypass")
Path("bundle").mkdir()
Path("bundle/sbom.json").write_text('{"components": []}')
container = Container(name="downstream/hoppr:1.0.0", registry=address)
archives = [
    {
        "path": "bundle/sbom.json",
        "title": "sbom.json",
        "media_type": "application/vnd.cyclonedx",
        "annotations": {"creationTime": "now"},
    }
]
# hoppr drops the port of the registry when it puts the manifest: only that is done otherwise.
with mock.patch.object(Registry, "upload_manifest", OrasClient.upload_manifest):
    assert registry.push_container(container, archives, logger).status_code == 201

assert oci_artifacts.pull_artifact(target) == {"components": []}
Path("out").mkdir()
path = oci_artifacts.pull_artifact_to_disk(target, "out")
assert path.read_text() == '{"components": []}', path
