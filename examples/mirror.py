"""Mirror every tag of a repository; what the mirror has already is left alone.

Run it with the address of a registry: `python examples/mirror.py localhost:5000`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import oras.client
import oras.utils


class Mirror(oras.client.OrasClient):
    """Copies artifacts from one repository to another, also to another registry."""

    def mirror(self, source: str, destination: str) -> tuple[list[str], list[str]]:
        """Copy all tags; give those that were copied, and those that were there."""
        copied, skipped = [], []
        for tag in self.get_tags(source):
            manifest = self.get_manifest(f"{source}:{tag}")
            if self.has(manifest, f"{destination}:{tag}"):
                skipped.append(tag)
                continue
            for blob in [manifest["config"], *manifest["layers"]]:
                self.copy_blob(blob, source, destination)
            # A manifest from a registry goes on byte for byte: its digest stays the same.
            response = self.upload_manifest(manifest, self.get_container(f"{destination}:{tag}"))
            self._check_200_response(response)
            copied.append(tag)
        return copied, skipped

    def has(self, manifest: dict[str, Any], target: str) -> bool:
        """Tell whether that very manifest is at `target`."""
        try:
            return self.get_manifest(target) == manifest
        except LookupError:
            return False

    def copy_blob(self, blob: dict[str, Any], source: str, destination: str) -> None:
        """Copy a blob, unless the destination has it: tags often share most of them."""
        container = self.get_container(destination)
        if self.blob_exists(blob, container):
            return
        with tempfile.TemporaryDirectory() as folder:
            path = self.download_blob(source, blob["digest"], os.path.join(folder, "blob"))
            self._check_200_response(self.upload_blob(path, container, blob))


def main(argv: Sequence[str]) -> None:
    """Fill a repository of the registry `argv[0]`, mirror it, and mirror what has changed."""
    source, destination = f"{argv[0]}/examples/original", f"{argv[0]}/examples/mirror"
    client = Mirror(insecure=True)
    with tempfile.TemporaryDirectory() as folder, oras.utils.workdir(folder):
        Path("common.bin").write_bytes(bytes(1_000_000))
        for version in ("v1", "v2", "v3"):
            Path("notes.txt").write_text(f"This is {version}.\n")
            client.push(f"{source}:{version}", files=["common.bin", "notes.txt"], quiet=True)
        for attempt in ("first", "second"):
            copied, skipped = client.mirror(source, destination)
            print(f"{attempt} run: {len(copied)} tags copied, {len(skipped)} skipped")
        Path("notes.txt").write_text("This is v3, corrected.\n")
        client.push(f"{source}:v3", files=["common.bin", "notes.txt"], quiet=True)
        copied, skipped = client.mirror(source, destination)
        print(f"third run: {copied} copied, {len(skipped)} skipped")


if __name__ == "__main__":
    main(sys.argv[1:])
