"""`index.json` of an OCI image layout: its entries and their names (image-layout.md).

An immutable value: every change returns a new one. Members that this library does not know
stay.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from oras_core.errors import InvalidManifestError
from oras_core.model import codec, media_types
from oras_core.model.annotations import Annotations
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.wire import to_wire

__all__ = ["LayoutEntry", "LayoutIndex"]

MAX_INDEX_SIZE: Final = 64 * 1024 * 1024
"""Largest accepted `index.json`, in bytes: it lists every artifact; 200,000 entries fit."""

_NAME: Final = media_types.ANNOTATION_REF_NAME


def _without_name(annotations: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in annotations.items() if key != _NAME}


@frozen
class LayoutEntry:
    """One entry of `index.json`, with or without a name.

    Attributes:
        descriptor: of the manifest or index, without the annotation for the name: a name
            holds in this layout only.
        name: the tag; None for an entry without one.
        members: the JSON object of the entry, as written in the file.
    """

    descriptor: Descriptor
    name: str | None
    members: Mapping[str, Any] = field(repr=False, hash=False)

    @classmethod
    def read(cls, descriptor: Descriptor, members: Mapping[str, Any]) -> LayoutEntry:
        """Make the entry of a parsed descriptor and its JSON object."""
        annotations = descriptor.annotations
        bare = evolve(descriptor, annotations=Annotations(_without_name(annotations)))
        return cls(bare, annotations.get(_NAME) or None, members)

    @classmethod
    def new(cls, descriptor: Descriptor) -> LayoutEntry:
        """Make a new entry without a name."""
        bare = evolve(
            descriptor, annotations=Annotations(_without_name(descriptor.annotations)), data=None
        )
        members = to_wire(bare)
        if not isinstance(members, dict):
            raise TypeError("a descriptor is written as an object")
        return cls(bare, None, members)

    def named(self, name: str | None) -> LayoutEntry:
        """Return the entry with another name, or without one."""
        annotations = _without_name(self.members.get("annotations") or {})
        if name is not None:
            annotations[_NAME] = name
        members = {key: value for key, value in self.members.items() if key != "annotations"}
        if annotations:
            members["annotations"] = annotations
        return LayoutEntry(self.descriptor, name, members)


@frozen
class LayoutIndex:
    """The entries of `index.json`, and its other members."""

    entries: tuple[LayoutEntry, ...] = ()
    others: Mapping[str, Any] = field(factory=dict, repr=False, hash=False)

    @classmethod
    def parse(cls, content: bytes) -> LayoutIndex:
        """Parse the bytes of the file.

        Raises:
            InvalidManifestError: if they are not an image index.
            SizeLimitError: if there are more than `MAX_INDEX_SIZE`.
        """
        index = codec.decode_index(content, media_types.OCI_INDEX, limit=MAX_INDEX_SIZE)
        others = json.loads(content)
        listed = others.pop("manifests") or []
        pairs = zip(index.manifests, listed, strict=True)
        return cls(tuple(LayoutEntry.read(*pair) for pair in pairs), others)

    def encode(self) -> bytes:
        """Return the bytes of the file; the same entries give the same bytes.

        Raises:
            InvalidManifestError: if the file would exceed `MAX_INDEX_SIZE`, or if a member
                of another tool is not Unicode.
        """
        document = {
            "schemaVersion": codec.SCHEMA_VERSION,
            "mediaType": media_types.OCI_INDEX,
            **self.others,
            "manifests": [entry.members for entry in self.entries],
        }
        try:
            content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        except UnicodeEncodeError as error:
            raise InvalidManifestError("index.json holds text that is not Unicode") from error
        if len(content) > MAX_INDEX_SIZE:
            raise InvalidManifestError(f"index.json would have more than {MAX_INDEX_SIZE} bytes")
        return content

    # --- Lookups --------------------------------------------------------------------------

    def find(self, name: str) -> Descriptor | None:
        """Return the descriptor with `name`; the first of several that another tool wrote."""
        return next((entry.descriptor for entry in self.entries if entry.name == name), None)

    def listed(self, digest: Digest) -> Descriptor | None:
        """Return the descriptor listed for a digest, under any name."""
        found = (entry.descriptor for entry in self.entries)
        return next((descriptor for descriptor in found if descriptor.digest == digest), None)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted({entry.name for entry in self.entries if entry.name is not None}))

    @property
    def descriptors(self) -> tuple[Descriptor, ...]:
        """The listed descriptors, each digest once."""
        return tuple({e.descriptor.digest: e.descriptor for e in self.entries}.values())

    # --- Changes --------------------------------------------------------------------------

    def adding(self, descriptor: Descriptor, successors: Collection[Digest] = ()) -> LayoutIndex:
        """Return an index that lists `descriptor`, without a name if it is new.

        Entries of `successors` without a name are removed: they are found through
        `descriptor`.
        """
        kept = [e for e in self.entries if e.name or e.descriptor.digest not in successors]
        if not any(entry.descriptor.digest == descriptor.digest for entry in kept):
            kept.append(LayoutEntry.new(descriptor))
        return self._with(kept)

    def tagging(self, descriptor: Descriptor, name: str) -> LayoutIndex:
        """Return an index where `name` names `descriptor`; an older entry loses its name."""
        present = self.find(name)
        if present is not None and present.digest == descriptor.digest:
            return self
        freed = self._freed(name)
        own = [entry for entry in freed if entry.descriptor.digest == descriptor.digest]
        bare = next((entry for entry in own if entry.name is None), None)
        named = (bare or LayoutEntry.new(descriptor)).named(name)
        return self._with([*(entry for entry in freed if entry is not bare), named])

    def untagging(self, name: str) -> LayoutIndex:
        """Return an index without `name`; its manifest stays listed."""
        return self._with(self._freed(name))

    def removing(self, digest: Digest) -> LayoutIndex:
        """Return an index without any entry for `digest`."""
        return self._with(e for e in self.entries if e.descriptor.digest != digest)

    def tagged(self) -> LayoutIndex:
        """Return an index of the entries with a name."""
        return self._with(entry for entry in self.entries if entry.name)

    def keeping(self, whole: LayoutIndex, digest: Digest) -> LayoutIndex:
        """Return an index with the entries of `whole` for `digest` too."""
        added = [entry for entry in whole.entries if entry.descriptor.digest == digest]
        return self._with([*self.entries, *added])

    def _freed(self, name: str) -> list[LayoutEntry]:
        freed = [entry.named(None) if entry.name == name else entry for entry in self.entries]
        named = {entry.descriptor.digest for entry in freed if entry.name}
        kept: dict[tuple[Digest, str | None], LayoutEntry] = {}
        for entry in freed:
            if entry.name or entry.descriptor.digest not in named:
                kept.setdefault((entry.descriptor.digest, entry.name), entry)
        return list(kept.values())

    def _with(self, entries: Iterable[LayoutEntry]) -> LayoutIndex:
        return evolve(self, entries=tuple(entries))
