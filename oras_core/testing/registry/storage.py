"""The storage of an embedded registry: files in a `FileTree`.

    blobs/ALGORITHM/HEX                              the bytes of blobs and manifests
    repositories/NAME/_blobs/ALGORITHM/HEX           empty: the repository has the blob
    repositories/NAME/_manifests/ALGORITHM/HEX       the manifest's media type
    repositories/NAME/_referrers/ALGORITHM-HEX/...   empty: a manifest with that subject
    repositories/NAME/_tags/TAG                      the digest that the tag names

No part of a repository name begins with `_`, so names and entries never collide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oras_core.errors import DigestMismatchError, NotFoundError
from oras_core.model.digest import Digest
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.content import ByteStream
from oras_core.ports.files import FileTree

__all__ = ["EmbeddedStorage"]


def _content_path(digest: Digest) -> SafePath:
    return sanitize_path(f"blobs/{digest.algorithm}/{digest.encoded}")


def _entry_path(repository: str, *rest: str) -> SafePath:
    return sanitize_path("/".join(("repositories", repository, *rest)))


def _digest_path(repository: str, folder: str, digest: Digest) -> SafePath:
    return _entry_path(repository, folder, digest.algorithm, digest.encoded)


class EmbeddedStorage:
    """The content of a registry. Thread-safe if the `FileTree` is; it has no state of its own."""

    def __init__(self, files: FileTree) -> None:
        """Store everything in `files`, and serve what it contains."""
        self.files = files

    # --- Blobs ----------------------------------------------------------------------------

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        """Return the size of a blob; None if the repository lacks it."""
        if self.files.entry(_digest_path(repository, "_blobs", digest)) is None:
            return None
        entry = self.files.entry(_content_path(digest))
        return None if entry is None else entry.size

    def open_blob(self, digest: Digest) -> ByteStream:
        """Return a stream of a blob's bytes.

        Raises:
            NotFoundError: if there is no such content.
        """
        return self.files.open(_content_path(digest))

    def add_blob(self, repository: str, digest: Digest, chunks: Iterable[bytes]) -> None:
        """Store a blob if its bytes match `digest`.

        Raises:
            DigestMismatchError: if they do not match; nothing is stored.
        """
        self._write_content(digest, chunks)
        self.link_blob(repository, digest)

    def link_blob(self, repository: str, digest: Digest) -> None:
        """Add a stored blob to a repository."""
        self._write(_digest_path(repository, "_blobs", digest), b"")

    def unlink_blob(self, repository: str, digest: Digest) -> None:
        """Remove a blob from a repository. The bytes stay, since others may have the blob."""
        self.files.remove(_digest_path(repository, "_blobs", digest))

    # --- Manifests ------------------------------------------------------------------------

    def add_manifest(
        self, repository: str, digest: Digest, media_type: str, content: bytes
    ) -> None:
        """Store a manifest; the caller has computed its digest."""
        self._write_content(digest, [content])
        self._write(_digest_path(repository, "_manifests", digest), media_type.encode())

    def manifest(self, repository: str, digest: Digest) -> tuple[str, bytes] | None:
        """Return media type and bytes of a manifest; None if the repository lacks it."""
        media_type = self._read(_digest_path(repository, "_manifests", digest))
        content = self._read(_content_path(digest))
        if media_type is None or content is None:
            return None
        return media_type.decode(), content

    def has_manifest(self, repository: str, digest: Digest) -> bool:
        """Tell whether the repository has a manifest."""
        return self.files.entry(_digest_path(repository, "_manifests", digest)) is not None

    def remove_manifest(self, repository: str, digest: Digest) -> None:
        """Remove a manifest from a repository."""
        self.files.remove(_digest_path(repository, "_manifests", digest))

    def add_referrer(self, repository: str, subject: Digest, referrer: Digest) -> None:
        """Record that the manifest `referrer` has the subject `subject`."""
        self._write(_referrer_path(repository, subject, referrer), b"")

    def remove_referrer(self, repository: str, subject: Digest, referrer: Digest) -> None:
        """Remove a record of `add_referrer`."""
        self.files.remove(_referrer_path(repository, subject, referrer))

    def referrers(self, repository: str, subject: Digest) -> list[Digest]:
        """Return the manifests with the subject `subject`, sorted."""
        folder = _entry_path(repository, "_referrers", _flat(subject))
        return [Digest(*name.split("-")) for name in self._names(folder)]

    # --- Names ----------------------------------------------------------------------------

    def tag(self, repository: str, tag: str) -> Digest | None:
        """Return the digest of a tag; None if the tag does not exist."""
        text = self._read(_entry_path(repository, "_tags", tag))
        return None if text is None else Digest.parse(text.decode())

    def set_tag(self, repository: str, tag: str, digest: Digest) -> None:
        """Set a tag to a manifest."""
        self._write(_entry_path(repository, "_tags", tag), str(digest).encode())

    def remove_tag(self, repository: str, tag: str) -> None:
        """Remove a tag."""
        self.files.remove(_entry_path(repository, "_tags", tag))

    def tags(self, repository: str) -> list[str]:
        """Return the tags, sorted."""
        return self._names(_entry_path(repository, "_tags"))

    def has_repository(self, repository: str) -> bool:
        """Tell whether the repository has ever received a push."""
        return any(
            self.files.entry(_entry_path(repository, folder)) is not None
            for folder in ("_blobs", "_manifests")
        )

    def repositories(self) -> list[str]:
        """Return the names of all repositories that have ever had a manifest, sorted."""
        return sorted(self._repositories_below(sanitize_path("repositories")))

    def _repositories_below(self, folder: SafePath) -> Iterator[str]:
        for name in self._names(folder):
            if name == "_manifests":
                yield "/".join(folder.parts[1:])
            elif not name.startswith("_"):
                yield from self._repositories_below(folder / sanitize_path(name))

    # --- Files ----------------------------------------------------------------------------

    def _names(self, folder: SafePath) -> list[str]:
        try:
            return [entry.path.name for entry in self.files.entries(folder)]
        except NotFoundError:
            return []

    def _read(self, path: SafePath) -> bytes | None:
        try:
            stream = self.files.open(path)
        except NotFoundError:
            return None
        try:
            return stream.read()
        finally:
            stream.close()

    def _write(self, path: SafePath, content: bytes) -> None:
        with self.files.create(path) as file:
            file.write(content)
            file.commit()

    def _write_content(self, digest: Digest, chunks: Iterable[bytes]) -> None:
        hasher = digest.hasher()
        with self.files.create(_content_path(digest)) as file:
            for chunk in chunks:
                hasher.update(chunk)
                file.write(chunk)
            actual = Digest(digest.algorithm, hasher.hexdigest())
            if actual != digest:
                raise DigestMismatchError(str(digest), str(actual), what="the upload")
            file.commit()


def _flat(digest: Digest) -> str:
    return f"{digest.algorithm}-{digest.encoded}"


def _referrer_path(repository: str, subject: Digest, referrer: Digest) -> SafePath:
    return _entry_path(repository, "_referrers", _flat(subject), _flat(referrer))
