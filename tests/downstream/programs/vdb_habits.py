"""vdb: a database pulled from a registry on this machine that speaks TLS."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

from vdb.lib.orasclient import download_image

import oras.client

target = f"{sys.argv[1]}/downstream/vdb:v6"
Path("data.vdb6").write_bytes(b"database")
with tarfile.open("data.vdb6.tar.gz", "w:gz") as archive:
    archive.add("data.vdb6")
client = oras.client.OrasClient()
client.push(target, files=["data.vdb6.tar.gz:application/vnd.oras.config.v1+json"], quiet=True)
assert client.prefix == "https", client.prefix
Path("out").mkdir()
download_image(target, "out")
assert Path("out/data.vdb6").read_bytes() == b"database"
