"""Build layers, configs, annotations and manifests as plain dictionaries."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from oras import defaults
from oras._names import module_attributes
from oras_core.errors import InvalidDescriptorError
from oras_core.model.annotations import MAX_ANNOTATION_FILE, AnnotationSet
from oras_core.model.media_types import EMPTY_CONFIG

__all__ = [
    "Annotations",
    "EmptyManifest",
    "Layer",
    "ManifestConfig",
    "NewLayer",
    "NewManifest",
    "ReceivedManifest",
    "Subject",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)

EmptyManifest: Final[dict[str, Any]] = {
    "schemaVersion": 2,
    "mediaType": defaults.default_manifest_media_type,
    "config": {},
    "layers": [],
    "annotations": {},
}
"""The template of `NewManifest`. `Subject.from_manifest` depends on the order of its keys."""


def NewManifest() -> dict[str, Any]:
    """Return a manifest without layers and config."""
    return copy.deepcopy(EmptyManifest)


class ReceivedManifest(dict[str, Any]):
    """A manifest or index from a registry: a dictionary that keeps its original bytes.

    The digest is computed from those bytes. They cannot be rebuilt from the dictionary,
    because tools format JSON differently.

    Attributes:
        content: the bytes as received.
    """

    def __init__(self, content: bytes) -> None:
        """Parse `content`, a JSON object.

        Raises:
            ValueError: if `content` is not a JSON object.
        """
        super().__init__(json.loads(content))
        self.content = content

    @property
    def is_unchanged(self) -> bool:
        """Whether the dictionary still equals the parsed bytes."""
        return bool(self == json.loads(self.content))


class Annotations:
    """The annotations of an artifact by section: `$manifest`, `$config`, or a file's path.

    Attributes:
        lookup: the annotations of each section.

    Args:
        filename: a JSON file `{"$manifest": {…}, "$config": {…}, "PATH": {…}}`, a mapping
            of that form, or None.

    Raises:
        FileNotFoundError: if the file does not exist.
        InvalidAnnotationError: also a ValueError; if the file has another form.
    """

    def __init__(
        self,
        filename: str | os.PathLike[str] | Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.lookup: dict[str, dict[str, str]] = {}
        if isinstance(filename, Mapping):
            self._take(AnnotationSet(filename))
        else:
            self.load(filename)

    def load(self, filename: str | os.PathLike[str] | None) -> None:
        """Replace all sections with those of an annotation file. None changes nothing.

        Raises:
            FileNotFoundError: if the file does not exist.
            InvalidAnnotationError: also a ValueError; if the file has another form.
        """
        if not filename:
            return
        if not os.path.exists(filename):
            raise FileNotFoundError(f"Annotation file {os.fspath(filename)} does not exist.")
        with open(filename, "rb") as file:
            self._take(AnnotationSet.parse(file.read(MAX_ANNOTATION_FILE + 1)))

    def _take(self, sections: AnnotationSet) -> None:
        self.lookup = {name: dict(items) for name, items in sections.sections().items()}

    def add(self, section: str, key: str, value: str) -> None:
        """Add one annotation to a section. Create the section if it is missing."""
        self.lookup.setdefault(section, {})[key] = value

    def get_annotations(self, section: str) -> dict[str, str]:
        """Return a copy of a section, or an empty dictionary if there is none.

        A path such as `a.txt` also matches a section named `./a.txt`, or its absolute path.
        """
        for name in _spellings(section) if self.lookup else ():
            if name in self.lookup:
                return dict(self.lookup[name])
        return {}

    def unused_sections(self, paths: Iterable[str]) -> list[str]:
        """Return the names of sections that match none of `paths`, except `$` sections."""
        used = {name for path in paths for name in _spellings(path)} if self.lookup else set()
        return [name for name in self.lookup if name not in used and not name.startswith("$")]


def _spellings(path: str) -> tuple[str, ...]:
    normal = os.path.normpath(path)
    return path, normal, os.path.join(".", normal), os.path.abspath(path)


class Layer:
    """A file that is described as a layer.

    Attributes:
        blob_path: the file.
        media_type: its media type. The default is tar for a file and tar+gzip for a packed
            directory.
    """

    def __init__(self, blob_path: str, media_type: str | None = None, is_dir: bool = False) -> None:
        """Set the attributes. The file is not read."""
        self.blob_path = blob_path
        self.set_media_type(media_type, is_dir)

    def set_media_type(self, media_type: str | None = None, is_dir: bool = False) -> None:
        """Set the media type. None means the default for a file or a packed directory."""
        default = (
            defaults.default_blob_dir_media_type if is_dir else defaults.default_blob_media_type
        )
        self.media_type: str = media_type or default

    def to_dict(self) -> dict[str, Any]:
        """Read the file and return its descriptor: `mediaType`, `size`, `digest`.

        Any string is accepted as the media type, even without a `/`.

        Raises:
            FileNotFoundError: if the file does not exist.
            InvalidDescriptorError: also a ValueError; if the media type is not a string.
        """
        return _describe(self.blob_path, self.media_type)


def NewLayer(blob_path: str, media_type: str | None = None, is_dir: bool = False) -> dict[str, Any]:
    """Return the descriptor of a file as a dictionary; see `Layer`."""
    return Layer(blob_path, media_type, is_dir).to_dict()


def ManifestConfig(
    path: str | None = None, media_type: str | None = None
) -> tuple[dict[str, Any], str | None]:
    """Return the descriptor of a config and the path of its file.

    Without arguments the config is empty: its size is 0 and the file is the null device. Some
    registries reject empty blobs (R22). For those, pass a file that contains `{}`.

    With a media type alone the config is `{}`, because clients may parse a config whose media
    type they know; the file is None. `upload_blob` accepts None, the null device or a file
    that contains `{}` for both.

    Args:
        path: the config file.
        media_type: the media type. The default is `application/vnd.unknown.config.v1+json`.

    Raises:
        FileNotFoundError: if `path` is given and does not exist. oras-py silently pushed an
            empty config in this case.
    """
    if path and not os.path.exists(path):
        raise FileNotFoundError(f"{path} does not exist.")
    if not path and media_type not in (None, defaults.unknown_config_media_type):
        descriptor = {"size": len(EMPTY_CONFIG), "digest": defaults.blank_config_hash}
        return {"mediaType": _checked(media_type), **descriptor}, None
    file = path or os.devnull
    return _describe(file, media_type or defaults.unknown_config_media_type), file


def _checked(media_type: object) -> str:
    if not isinstance(media_type, str):
        raise InvalidDescriptorError(media_type, "mediaType is not a string")
    return media_type


def _describe(path: str, media_type: str) -> dict[str, Any]:
    _checked(media_type)
    # One pass computes size and digest, so they agree even if the file changes.
    size, hasher = 0, hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(defaults.default_blocksize):
            size += len(chunk)
            hasher.update(chunk)
    return {"mediaType": media_type, "size": size, "digest": f"sha256:{hasher.hexdigest()}"}


@dataclass
class Subject:
    """The manifest to which an artifact is attached; see `push(subject=…)`."""

    mediaType: str
    digest: str
    size: int

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Subject:
        """Return the descriptor of a manifest.

        An unchanged manifest from `get_manifest` is described by its original bytes. Any
        other dictionary is described by the JSON text that `upload_manifest` sends.
        """
        if isinstance(manifest, ReceivedManifest) and manifest.is_unchanged:
            content = manifest.content
        else:
            content = json.dumps(manifest).encode()
        media_type = manifest.get("mediaType") or defaults.default_manifest_media_type
        return cls(media_type, f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))
