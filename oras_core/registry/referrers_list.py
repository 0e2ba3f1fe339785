"""The list of referrers under a tag: an image index that is changed without loss (R30)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import frozen

from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.wire import to_wire

__all__ = ["ReferrersList", "is_referrers_list", "referrers_tag"]

MAX_ALGORITHM: Final = 32
MAX_ENCODED: Final = 64
"""Characters of the two parts of the tag; a tag has at most 128."""


def referrers_tag(subject: Digest) -> str:
    """Return the tag that lists the referrers of `subject` (distribution spec, R29)."""
    return f"{subject.algorithm[:MAX_ALGORITHM]}-{subject.encoded[:MAX_ENCODED]}"


def is_referrers_list(tag: str, found: Descriptor) -> bool:
    """Tell whether the artifact `found` under a tag is a list of referrers."""
    return found.is_index and re.fullmatch(r"sha(256|512)-[0-9a-f]{64}", tag) is not None


@frozen
class ReferrersList:
    """A list of referrers.

    It keeps the parsed JSON: members of the index and of its entries that this library does
    not know belong to other clients, and survive a change.

    Attributes:
        entries: the descriptors of the referrers.
    """

    entries: tuple[Descriptor, ...]
    _members: Mapping[str, Any]

    @classmethod
    def empty(cls) -> ReferrersList:
        """Return a list without entries."""
        return cls.parse(codec.encode_index(manifests=()).content, media_types.OCI_INDEX)

    @classmethod
    def parse(
        cls, content: bytes, media_type: str, *, limit: int = MAX_MANIFEST_SIZE
    ) -> ReferrersList:
        """Parse an image index.

        Raises:
            InvalidManifestError: if it is malformed.
            SizeLimitError: if it is larger than `limit` bytes.
        """
        index = codec.decode_index(content, media_type, limit=limit)
        return cls(index.manifests, json.loads(content))

    def with_entries(self, referrers: Iterable[Descriptor]) -> ReferrersList:
        """Return a list that has these referrers too, each once.

        Of an entry that is present, the members of the descriptor are replaced, and others
        stay.
        """
        entries = self._by_digest()
        for referrer in referrers:
            present = entries.get(str(referrer.digest), {})
            entries[str(referrer.digest)] = {**present, **to_wire(referrer)}
        return self._with(entries)

    def with_entries_of(self, other: ReferrersList) -> ReferrersList:
        """Return a list that also has the entries of `other` that this one lacks."""
        entries, others = self._by_digest(), other._by_digest()
        if others.keys() <= entries.keys():
            return self
        return self._with({**entries, **{key: others[key] for key in others if key not in entries}})

    def entries_absent_from(self, other: ReferrersList) -> list[Descriptor]:
        """Return the entries that `other` lacks."""
        present = {entry.digest for entry in other.entries}
        return [entry for entry in self.entries if entry.digest not in present]

    def without(self, *digests: Digest) -> ReferrersList:
        """Return a list without the entries of `digests`."""
        entries = self._by_digest()
        for digest in digests:
            entries.pop(str(digest), None)
        return self._with(entries)

    def encode(self) -> bytes:
        """Return the index as JSON, in the order of its members."""
        return json.dumps(self._members, ensure_ascii=False, separators=(",", ":")).encode()

    def _by_digest(self) -> dict[str, dict[str, Any]]:
        # Other clients may have listed a referrer twice: the first entry stays.
        entries: dict[str, dict[str, Any]] = {}
        for entry in self._members["manifests"] or ():
            entries.setdefault(entry["digest"], entry)
        return entries

    def _with(self, entries: Mapping[str, Mapping[str, Any]]) -> ReferrersList:
        content = json.dumps({**self._members, "manifests": list(entries.values())}).encode()
        return self.parse(content, media_types.OCI_INDEX, limit=len(content))
