"""Validation of OCI image layouts (image-layout.md)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from oras import defaults
from oras._names import module_attributes
from oras.utils import read_json

__all__ = ["validate_layout"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)


def validate_layout(path: str) -> Path:
    """Check the required files of a layout. Blobs are not checked.

    Returns:
        The absolute path.

    Raises:
        FileNotFoundError: if the folder or a required file is missing.
        ValueError: if a required file is malformed.
    """
    folder = Path(path).expanduser().resolve()
    if not folder.exists():
        raise FileNotFoundError(f"Path does not exist: {path}")
    if not folder.is_dir():
        raise ValueError(f"Path is not a directory: {path}")
    _validate_blobs_directory(folder)
    _validate_oci_layout_file(folder)
    _validate_index_json(folder)
    return folder


def _validate_blobs_directory(folder: Path) -> None:
    blobs = folder / defaults.oci_blobs_dir
    if not blobs.exists():
        raise FileNotFoundError(f"Required directory '{blobs.name}' not found in {folder}")
    if not blobs.is_dir():
        raise ValueError(f"'{blobs.name}' must be a directory, not a file in {folder}")


def _validate_oci_layout_file(folder: Path) -> None:
    members = _object(folder, defaults.oci_layout_file, "imageLayoutVersion")
    version, expected = members["imageLayoutVersion"], defaults.oci_layout_version_pin
    if version != expected:
        raise ValueError(f"imageLayoutVersion must be the string '{expected}', got: {version!r}")


def _validate_index_json(folder: Path) -> None:
    members = _object(folder, defaults.oci_image_index_file, "schemaVersion")
    version, expected = members["schemaVersion"], defaults.oci_index_schema_version
    if version != expected:
        raise ValueError(f"schemaVersion must be {expected}, got: {version!r}")
    media_type = members.get("mediaType", defaults.default_index_media_type)
    if media_type != defaults.default_index_media_type:
        raise ValueError(
            f"mediaType must be '{defaults.default_index_media_type}', got: {media_type!r}"
        )


def _object(folder: Path, name: str, demanded: str) -> dict[str, Any]:
    file = folder / name
    if not file.exists():
        raise FileNotFoundError(f"Required file '{name}' not found in {folder}")
    try:
        members = read_json(str(file))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"File '{name}' is not valid JSON: {error}") from error
    if not isinstance(members, dict):
        # Not a TypeError: the file is malformed, as below.
        raise ValueError(f"File '{name}' must contain a JSON object")  # noqa: TRY004
    if demanded not in members:
        raise ValueError(f"File '{name}' must contain '{demanded}' property")
    return members
