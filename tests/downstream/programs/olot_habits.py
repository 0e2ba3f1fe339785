"""olot: an image pulled into a layout, changed there, and pushed from it."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from olot.backend.oras_py import is_oras_py, oras_py_pull, oras_py_push
from olot.basics import oci_layers_on_top

import oras.client

address = sys.argv[1]
assert is_oras_py()
Path("base.txt").write_text("base")
client = oras.client.OrasClient(insecure=True)
diff_id = f"sha256:{hashlib.sha256(b'base').hexdigest()}"
config = {
    "architecture": "amd64",
    "os": "linux",
    "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    "history": [{"created_by": "nobody"}],
}
Path("config.json").write_text(json.dumps(config))
client.push(
    f"{address}/downstream/base:v1",
    files=["base.txt"],
    manifest_config="config.json:application/vnd.oci.image.config.v1+json",
    quiet=True,
)
oras_py_pull(f"{address}/downstream/base:v1", "layout", insecure=True)
Path("model.bin").write_bytes(b"model")
oci_layers_on_top(Path("layout"), [Path("model.bin")])
oras_py_push("layout", f"{address}/downstream/olot:v1", insecure=True)
layers = client.get_manifest(f"{address}/downstream/olot:v1")["layers"]
assert len(layers) == 2, layers
