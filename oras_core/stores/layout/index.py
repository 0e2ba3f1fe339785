"""`index.json` of an OCI image layout: its entries and their names (image-layout.md).

Members that this library does not know stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Any, Final, TypeVar

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

K = TypeVar("K")

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
        return cls(bare, None, to_wire(bare))

    def named(self, name: str | None) -> LayoutEntry:
        """Return the entry with another name, or without one."""
        annotations = _without_name(self.members.get("annotations") or {})
        if name is not None:
            annotations[_NAME] = name
        members = {key: value for key, value in self.members.items() if key != "annotations"}
        if annotations:
            members["annotations"] = annotations
        return LayoutEntry(self.descriptor, name, members)


class LayoutIndex:
    """The entries of `index.json` in their order, and its other members.

    A change takes the same time however many entries there are. Not thread-safe.
    """

    def __init__(
        self, entries: Iterable[LayoutEntry] = (), others: Mapping[str, Any] | None = None
    ) -> None:
        """List `entries`, and keep the `others` among the members of the file."""
        self._others = dict(others or {})
        self._entries: dict[int, LayoutEntry] = {}
        # The JSON of the first entries, as many as were written before: a change of a large
        # index encodes the changed entries only.
        self._texts: dict[int, str] = {}
        self._by_digest: dict[Digest, dict[int, None]] = {}
        self._by_name: dict[str, dict[int, None]] = {}
        for entry in entries:
            self._put(entry)

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
        return cls((LayoutEntry.read(*pair) for pair in pairs), others)

    def encode(self) -> bytes:
        """Return the bytes of the file; the same entries give the same bytes.

        Raises:
            InvalidManifestError: if the file would exceed `MAX_INDEX_SIZE`, or if a member
                of another tool is not Unicode.
        """
        head = _json(
            {
                "schemaVersion": codec.SCHEMA_VERSION,
                "mediaType": media_types.OCI_INDEX,
                **self._others,
            }
        )
        new = list(takewhile(lambda number: number not in self._texts, reversed(self._entries)))
        self._texts.update((n, _json(self._entries[n].members)) for n in reversed(new))
        try:
            content = f'{head[:-1]},"manifests":[{",".join(self._texts.values())}]}}'.encode()
        except UnicodeEncodeError as error:
            raise InvalidManifestError("index.json holds text that is not Unicode") from error
        if len(content) > MAX_INDEX_SIZE:
            raise InvalidManifestError(f"index.json would have more than {MAX_INDEX_SIZE} bytes")
        return content

    # --- Lookups --------------------------------------------------------------------------

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)

    def __iter__(self) -> Iterator[LayoutEntry]:
        """Iterate over the entries, in their order."""
        return iter(self._entries.values())

    def find(self, name: str) -> Descriptor | None:
        """Return the descriptor with `name`; the first of several that another tool wrote."""
        return next((self._entries[n].descriptor for n in self._by_name.get(name, ())), None)

    def listed(self, digest: Digest) -> Descriptor | None:
        """Return the descriptor listed for a digest, under any name."""
        return next((self._entries[n].descriptor for n in self._by_digest.get(digest, ())), None)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._by_name))

    @property
    def descriptors(self) -> tuple[Descriptor, ...]:
        """The listed descriptors, each digest once."""
        return tuple({entry.descriptor.digest: entry.descriptor for entry in self}.values())

    # --- Changes; each returns whether it made a difference --------------------------------

    def add(self, descriptor: Descriptor, parts: Iterable[Digest] = ()) -> bool:
        """List `descriptor`, without a name if it is new.

        Entries of `parts` without a name are removed: they are found through `descriptor`.
        """
        found = dict.fromkeys(n for part in parts for n in self._by_digest.get(part, ()))
        unnamed = [n for n in found if not self._entries[n].name]
        for number in unnamed:
            self._drop(number)
        is_new = descriptor.digest not in self._by_digest
        if is_new:
            self._put(LayoutEntry.new(descriptor))
        return is_new or bool(unnamed)

    def tag(self, descriptor: Descriptor, name: str) -> bool:
        """Let `name` name `descriptor`; an older entry loses the name, and stays listed."""
        present = self.find(name)
        if present is not None and present.digest == descriptor.digest:
            return False
        self.untag(name)
        own = self._by_digest.get(descriptor.digest, ())
        bare = next((n for n in own if self._entries[n].name is None), None)
        entry = LayoutEntry.new(descriptor) if bare is None else self._entries[bare]
        if bare is not None:
            self._drop(bare)
        self._put(entry.named(name))
        return True

    def untag(self, name: str) -> bool:
        """Remove a name; its manifest stays listed."""
        numbers = tuple(self._by_name.get(name, ()))
        for number in numbers:
            entry = self._entries[number]
            if len(self._by_digest[entry.descriptor.digest]) > 1:
                self._drop(number)
            else:
                self._entries[number] = entry.named(None)
                if number in self._texts:
                    self._texts[number] = _json(self._entries[number].members)
                _discard(self._by_name, name, number)
        return bool(numbers)

    def remove(self, digest: Digest) -> bool:
        """Remove every entry for `digest`."""
        numbers = tuple(self._by_digest.get(digest, ()))
        for number in numbers:
            self._drop(number)
        return bool(numbers)

    def _put(self, entry: LayoutEntry) -> None:
        number = next(reversed(self._entries), -1) + 1
        self._entries[number] = entry
        self._by_digest.setdefault(entry.descriptor.digest, {})[number] = None
        if entry.name is not None:
            self._by_name.setdefault(entry.name, {})[number] = None

    def _drop(self, number: int) -> None:
        entry = self._entries.pop(number)
        self._texts.pop(number, None)
        _discard(self._by_digest, entry.descriptor.digest, number)
        if entry.name is not None:
            _discard(self._by_name, entry.name, number)


def _json(members: Mapping[str, Any]) -> str:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def _discard(numbers: dict[K, dict[int, None]], key: K, number: int) -> None:
    del numbers[key][number]
    if not numbers[key]:
        del numbers[key]
