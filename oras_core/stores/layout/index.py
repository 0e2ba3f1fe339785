"""`index.json` of an OCI image layout: what it holds, and by which names (image-layout.md).

A value: every change gives a new one. What other tools have written into it, and this
library does not know, stays.
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
"""Bytes of an `index.json`: it names every artifact of a layout, and 200,000 fit."""

_NAME: Final = media_types.ANNOTATION_REF_NAME


def _without_name(annotations: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in annotations.items() if key != _NAME}


@frozen
class LayoutEntry:
    """One manifest or index that the layout holds, maybe by a name.

    Attributes:
        descriptor: of the content, without the name: that belongs to this layout alone.
        name: the tag; None where there is none.
        members: the entry as it stands in the file.
    """

    descriptor: Descriptor
    name: str | None
    members: Mapping[str, Any] = field(repr=False, hash=False)

    @classmethod
    def read(cls, descriptor: Descriptor, members: Mapping[str, Any]) -> LayoutEntry:
        """Take over an entry of the file, parsed and as it stands."""
        annotations = descriptor.annotations
        bare = evolve(descriptor, annotations=Annotations(_without_name(annotations)))
        return cls(bare, annotations.get(_NAME) or None, members)

    @classmethod
    def new(cls, descriptor: Descriptor) -> LayoutEntry:
        """Make an entry without a name."""
        bare = evolve(
            descriptor, annotations=Annotations(_without_name(descriptor.annotations)), data=None
        )
        members = to_wire(bare)
        if not isinstance(members, dict):
            raise TypeError("a descriptor is written as an object")
        return cls(bare, None, members)

    def named(self, name: str | None) -> LayoutEntry:
        """Return the entry with another name, or none."""
        annotations = _without_name(self.members.get("annotations") or {})
        if name is not None:
            annotations[_NAME] = name
        members = {key: value for key, value in self.members.items() if key != "annotations"}
        if annotations:
            members["annotations"] = annotations
        return LayoutEntry(self.descriptor, name, members)


@frozen
class LayoutIndex:
    """The entries of `index.json`, and whatever else stands in it."""

    entries: tuple[LayoutEntry, ...] = ()
    others: Mapping[str, Any] = field(factory=dict, repr=False, hash=False)

    @classmethod
    def parse(cls, content: bytes) -> LayoutIndex:
        """Read the file.

        Raises:
            InvalidManifestError: if it is no image index.
            SizeLimitError: if it is larger than `MAX_INDEX_SIZE`.
        """
        index = codec.decode_index(content, media_types.OCI_INDEX, limit=MAX_INDEX_SIZE)
        others = json.loads(content)
        listed = others.pop("manifests") or []
        pairs = zip(index.manifests, listed, strict=True)
        return cls(tuple(LayoutEntry.read(*pair) for pair in pairs), others)

    def encode(self) -> bytes:
        """Return the file's bytes; the same entries give the same bytes.

        Raises:
            InvalidManifestError: if it would be too large to be read again, or another tool
                has written what is not Unicode into it.
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

    # --- What is here ---------------------------------------------------------------------

    def find(self, name: str) -> Descriptor | None:
        """Return what `name` names; the first, should another tool have named several."""
        return next((entry.descriptor for entry in self.entries if entry.name == name), None)

    def listed(self, digest: Digest) -> Descriptor | None:
        """Return the descriptor of what is listed under a digest, by whatever name."""
        found = (entry.descriptor for entry in self.entries)
        return next((descriptor for descriptor in found if descriptor.digest == digest), None)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted({entry.name for entry in self.entries if entry.name is not None}))

    @property
    def descriptors(self) -> tuple[Descriptor, ...]:
        """All that is listed, each digest once."""
        return tuple({e.descriptor.digest: e.descriptor for e in self.entries}.values())

    # --- Changes --------------------------------------------------------------------------

    def adding(self, descriptor: Descriptor, successors: Collection[Digest] = ()) -> LayoutIndex:
        """List content without a name.

        Of what it contains itself, `successors`, entries without a name are left out from
        now on: they are found through it.
        """
        kept = [e for e in self.entries if e.name or e.descriptor.digest not in successors]
        if not any(entry.descriptor.digest == descriptor.digest for entry in kept):
            kept.append(LayoutEntry.new(descriptor))
        return self._with(kept)

    def tagging(self, descriptor: Descriptor, name: str) -> LayoutIndex:
        """Let `name` name the content alone; what it named before stays, without it."""
        present = self.find(name)
        if present is not None and present.digest == descriptor.digest:
            return self
        freed = self._freed(name)
        own = [entry for entry in freed if entry.descriptor.digest == descriptor.digest]
        bare = next((entry for entry in own if entry.name is None), None)
        named = (bare or LayoutEntry.new(descriptor)).named(name)
        return self._with([*(entry for entry in freed if entry is not bare), named])

    def untagging(self, name: str) -> LayoutIndex:
        """Take a name away; the content stays listed."""
        return self._with(self._freed(name))

    def removing(self, digest: Digest) -> LayoutIndex:
        """List content no more, by any name."""
        return self._with(e for e in self.entries if e.descriptor.digest != digest)

    def tagged(self) -> LayoutIndex:
        """List only what has a name."""
        return self._with(entry for entry in self.entries if entry.name)

    def keeping(self, whole: LayoutIndex, digest: Digest) -> LayoutIndex:
        """List one content more, as `whole` lists it."""
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
