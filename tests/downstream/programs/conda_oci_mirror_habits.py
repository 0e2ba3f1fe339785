"""conda-oci-mirror: names of oras-py 0.1, registries as URLs, a session of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from conda_oci_mirror.oras import Pusher, get_oras_client

address = sys.argv[1]
client = get_oras_client(f"http://{address}/downstream")
assert client.prefix == "http"
Path("package.conda").write_bytes(b"package")
pusher = Pusher(".", timestamp="now", client=client)
pusher.add_layer("package.conda", "application/vnd.conda.package.v2")
target = f"http://{address}/downstream/linux-64/package:1.0"
pusher.push(target)
assert client.get_tags(f"http://{address}/downstream/linux-64/package") == ["1.0"]
(path,) = client.pull_by_media_type(target, "out", "application/vnd.conda.package.v2")
assert Path(path).read_bytes() == b"package"
assert client.get_optional_manifest(f"http://{address}/downstream/linux-64/package:absent") is None
client.push_single_layer(
    f"http://{address}/downstream/linux-64/shards:1", "package.conda", "a/b", "package.conda"
)
(path,) = client.pull(f"http://{address}/downstream/linux-64/shards:1", outdir="shards")
assert Path(path).read_bytes() == b"package"
