"""Attach one referrer from a process of its own: ADDRESS NAME SUBJECT TEXT, when stdin closes."""

from __future__ import annotations

import sys

from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_core.packing.manifest import pack_manifest
from oras_core.registry.registry import RemoteRegistry

if __name__ == "__main__":
    address, name, subject, text = sys.argv[1:]
    with Urllib3Transport() as transport:
        repository = RemoteRegistry(address, transport, plain_http=True).repository(name)
        manifest = pack_manifest(
            [],
            artifact_type="application/vnd.example.note",
            annotations={"text": text},
            subject=repository.resolve(subject).plain(),
        )
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
        repository.push_manifest(manifest.content, manifest.media_type)
        sys.stdout.write(f"{manifest.digest}\n")
