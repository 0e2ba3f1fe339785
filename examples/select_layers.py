"""Download only those layers of an artifact that have a certain media type.

Run it with the address of a registry: `python examples/select_layers.py localhost:5000`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import oras.defaults
import oras.provider
import oras.utils
from oras.decorator import ensure_container
from oras.types import container_type

PRICES = "application/vnd.example.prices"


class PriceRegistry(oras.provider.Registry):
    """Finds prices in artifacts that hold much else."""

    @ensure_container
    def download_layers(self, package: container_type, folder: str, media_type: str) -> list[str]:
        """Download the layers of one media type into a folder; give their paths."""
        paths = []
        for layer in self.get_manifest(package)["layers"]:
            if layer["mediaType"] == media_type:
                title = layer["annotations"][oras.defaults.annotation_title]
                # An error, if the name of a stranger leads out of the folder.
                path = oras.utils.sanitize_path(folder, os.path.join(folder, title))
                paths.append(self.download_blob(package, layer["digest"], path))
        return paths


def main(argv: Sequence[str]) -> None:
    """Push prices and more to the registry `argv[0]`, and download the prices alone."""
    package = f"{argv[0]}/examples/prices:v1"
    registry = PriceRegistry(insecure=True)
    with tempfile.TemporaryDirectory() as folder, oras.utils.workdir(folder):
        Path("north.json").write_text('{"tomato": 3}\n')
        Path("south.json").write_text('{"tomato": 2}\n')
        Path("video.bin").write_bytes(bytes(1_000_000))
        registry.push(
            target=package, files=[f"north.json:{PRICES}", f"south.json:{PRICES}", "video.bin"]
        )
        for path in registry.download_layers(package, "prices", PRICES):
            print(f"{os.path.relpath(path)}: {Path(path).read_text().strip()}")


if __name__ == "__main__":
    main(sys.argv[1:])
