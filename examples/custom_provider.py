"""A custom provider: each layer has its own media type, title and annotations.

Run it with the address of a registry: `python examples/custom_provider.py localhost:5001`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import oras.defaults
import oras.oci
import oras.provider
import oras.utils
from oras._client.response import Response
from oras.decorator import ensure_container
from oras.types import container_type


class Recipes(oras.provider.Registry):
    """Pushes recipes: a list of files with their media types and annotations."""

    @ensure_container
    def push_recipe(self, container: container_type, archives: list[dict[str, Any]]) -> Response:
        """Push files and folders; `archives` holds path, media type and annotations of each."""
        manifest = oras.oci.NewManifest()
        for archive in archives:
            path, annotations = archive["path"], archive.get("annotations") or {}
            title = archive.get("title") or os.path.basename(path)

            is_folder = os.path.isdir(path)
            blob = oras.utils.make_targz(path) if is_folder else path
            layer = oras.oci.NewLayer(blob, archive["media_type"], is_dir=is_folder)
            layer["annotations"] = {**annotations, oras.defaults.annotation_title: title}
            if is_folder:
                layer["annotations"][oras.defaults.annotation_unpack] = "true"
            manifest["layers"].append(layer)
            self._check_200_response(self.upload_blob(blob, container, layer))
            if is_folder:
                shutil.rmtree(os.path.dirname(blob))  # its temporary folder

        config, config_file = oras.oci.ManifestConfig()
        self._check_200_response(self.upload_blob(config_file, container, config))
        manifest["config"] = config
        manifest["annotations"] = {"org.example.recipe.cook": "Ada"}

        response = self.upload_manifest(manifest, container)
        self._check_200_response(response)
        return response


def main(argv: Sequence[str]) -> None:
    """Push a recipe with its pictures to the registry `argv[0]`, and pull it back."""
    target = f"{argv[0]}/examples/recipe:v1"
    recipes = Recipes(insecure=True)
    with tempfile.TemporaryDirectory() as folder, oras.utils.workdir(folder):
        Path("bread.md").write_text("# Bread\n\nFlour, water, salt, time.\n")
        Path("pictures").mkdir()
        Path("pictures", "crumb.txt").write_text("Imagine a crumb.\n")
        response = recipes.push_recipe(
            target,
            [
                {
                    "path": "bread.md",
                    "title": "recipe.md",
                    "media_type": "text/markdown",
                    "annotations": {"org.example.recipe.minutes": "240"},
                },
                {"path": "pictures", "media_type": "application/vnd.example.pictures.tar+gzip"},
            ],
        )
        print(f"pushed {target} as {response.headers['Docker-Content-Digest']}")

        for layer in recipes.get_manifest(target)["layers"]:
            print(f"  {layer['mediaType']}: {layer['annotations'][oras.defaults.annotation_title]}")
        for path in recipes.pull(target=target, outdir="copy"):
            print(f"pulled {os.path.relpath(path)}")


if __name__ == "__main__":
    main(sys.argv[1:])
