"""The contract of `oras_core.ports.digests.DigestMemory`."""

from __future__ import annotations

from attrs import evolve

from oras_core.model.digest import Digest
from oras_core.ports.digests import DigestMemory
from oras_core.ports.files import FileEntry
from oras_core.testing.contracts.tree_access import at

__all__ = ["DigestMemoryContract"]

_FILE = FileEntry(at("file"), "file", size=4, revision="1-2-3-4")
_DIGEST = Digest.of(b"text")


class DigestMemoryContract:
    """The contract of every digest memory; give it a fixture `memory`, which is empty."""

    def test_a_digest_is_recalled(self, memory: DigestMemory) -> None:
        """A digest is recalled after it was remembered, by its algorithm only."""
        assert memory.recall(_FILE, "sha256") is None
        memory.remember(_FILE, _DIGEST)
        assert memory.recall(_FILE, "sha256") == _DIGEST
        assert memory.recall(_FILE, "sha512") is None

    def test_the_path_does_not_matter(self, memory: DigestMemory) -> None:
        """A renamed file keeps its revision, or gets a new one."""
        memory.remember(_FILE, _DIGEST)
        assert memory.recall(evolve(_FILE, path=at("other")), "sha256") == _DIGEST

    def test_another_state_is_unknown(self, memory: DigestMemory) -> None:
        """A file of another revision or another size has no digest."""
        memory.remember(_FILE, _DIGEST)
        assert memory.recall(evolve(_FILE, revision="1-2-3-5"), "sha256") is None
        assert memory.recall(evolve(_FILE, size=5), "sha256") is None

    def test_a_file_without_revision_is_not_remembered(self, memory: DigestMemory) -> None:
        """A file without a revision may have changed, so its digest is not kept."""
        unknown = evolve(_FILE, revision="")
        memory.remember(unknown, _DIGEST)
        assert memory.recall(unknown, "sha256") is None

    def test_the_latest_digest_counts(self, memory: DigestMemory) -> None:
        """A digest replaces the earlier one of the same state and algorithm."""
        memory.remember(_FILE, _DIGEST)
        memory.remember(_FILE, Digest.of(b"next"))
        assert memory.recall(_FILE, "sha256") == Digest.of(b"next")
        memory.remember(_FILE, Digest.of(b"text", "sha512"))
        assert memory.recall(_FILE, "sha256") == Digest.of(b"next")
        assert memory.recall(_FILE, "sha512") == Digest.of(b"text", "sha512")
