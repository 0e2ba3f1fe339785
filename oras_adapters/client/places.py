"""Open the target at a place: a repository, a layout, an archive, or a target of the caller."""

# ruff: noqa: PLC0415 - most places are in registries: layouts import what they need

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import field, frozen

from oras_adapters.composition import Parts
from oras_core.errors import InvalidReferenceError, NotFoundError, UnsupportedError
from oras_core.model.places import LayoutPlace, parse_place
from oras_core.model.reference import DEFAULT_TAG, Reference
from oras_core.ports.content import ReadOnlyTarget, Target

if TYPE_CHECKING:
    from oras_adapters.files.local_files import LocalFileTree
    from oras_core.model.paths import SafePath
    from oras_core.stores.layout.store import OciLayoutStore

__all__ = ["Destination", "Located", "Places", "Source", "local_file"]

Source = str | Reference | LayoutPlace | ReadOnlyTarget | tuple[ReadOnlyTarget, str]
"""A place to read, by name, or a target, with a tag or digest in it if not `latest`."""

Destination = str | Reference | LayoutPlace | Target | tuple[Target, str]
"""A place to write, by name, or a target, with a tag in it if not `latest`."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@frozen
class Located(Generic[T_co]):
    """An open target, and the tag or digest of an artifact in it.

    Attributes:
        target: holds the artifact.
        where: the name of the target in messages.
        tag: None if the place names none.
        digest: None if the place names none. It takes precedence over the tag.
    """

    target: T_co = field(repr=False)
    where: str
    tag: str | None = None
    digest: str | None = None

    @property
    def reference(self) -> str:
        """The name to resolve: the digest, else the tag, else `latest`."""
        return self.digest or self.tag or DEFAULT_TAG

    def __str__(self) -> str:
        """Return the name of the artifact in messages."""
        return f"{self.where}{'@' if self.digest else ':'}{self.reference}"

    def new_tag(self) -> str | None:
        """Return the tag to create; None if the place names none.

        Raises:
            InvalidReferenceError: if the place names a digest.
        """
        if self.digest is not None:
            reason = "an artifact gets its digest from its content; name a tag, or none"
            raise InvalidReferenceError(str(self), reason)
        return self.tag

    def required_tag(self) -> str:
        """Return the tag.

        Raises:
            InvalidReferenceError: if the place names none, or a digest.
        """
        if self.tag is None or self.digest is not None:
            raise InvalidReferenceError(str(self), f"name a tag, as in '{self.where}:TAG'")
        return self.tag

    def required_name(self) -> str:
        """Return the digest, or else the tag.

        Raises:
            InvalidReferenceError: if the place names neither.
        """
        if self.tag is None and self.digest is None:
            reason = f"name an artifact, as in '{self.where}:TAG' or '{self.where}@DIGEST'"
            raise InvalidReferenceError(self.where, reason)
        return self.reference

    def whole(self) -> T_co:
        """Return the target.

        Raises:
            InvalidReferenceError: if the place names a single artifact in it.
        """
        if self.tag or self.digest:
            reason = f"this concerns all tags; name {self.where!r} without a tag or digest"
            raise InvalidReferenceError(str(self), reason)
        return self.target

    def lacks(self, ability: str) -> UnsupportedError:
        """Return the error that the target cannot do something, such as `list tags`."""
        what = type(self.target).__name__
        return UnsupportedError(f"{ability} in {self.where}", f"{what} has no method for it")


class Places:
    """Opens places. Thread-safe."""

    def __init__(self, parts: Parts) -> None:
        """Open repositories and folders of `parts`."""
        self._parts = parts

    @contextmanager
    def reading(self, source: Source) -> Iterator[Located[ReadOnlyTarget]]:
        """Open a place to read from.

        Raises:
            InvalidReferenceError: if `source` is not a place.
            NotFoundError: if there is no layout or archive at its path.
        """
        place = parse_place(source) if isinstance(source, str) else source
        if isinstance(place, LayoutPlace):
            with self._layout(place) as store:
                yield _of_layout(store, place)
        elif isinstance(place, Reference):
            yield self._repository(place)
        else:
            target, reference = place if isinstance(place, tuple) else (place, None)
            if not isinstance(target, ReadOnlyTarget):
                raise InvalidReferenceError(source, "it is neither a place nor a target")
            yield _of_caller(target, reference)

    @contextmanager
    def writing(self, destination: Destination) -> Iterator[Located[Target]]:
        """Open a place to write to. A missing folder or archive is created.

        Raises:
            InvalidReferenceError: if `destination` is not a place.
        """
        place = parse_place(destination) if isinstance(destination, str) else destination
        if isinstance(place, LayoutPlace):
            with self._changing_layout(place) as store:
                yield _of_layout(store, place)
        elif isinstance(place, Reference):
            yield self._repository(place)
        else:
            target, reference = place if isinstance(place, tuple) else (place, None)
            if not isinstance(target, Target):
                raise InvalidReferenceError(destination, "it is neither a place nor a target")
            yield _of_caller(target, reference)

    def _repository(self, place: Reference) -> Located[Target]:
        digest = str(place.digest) if place.digest else None
        return Located(self._parts.repository(place), place.name, place.tag, digest)

    @contextmanager
    def _layout(self, place: LayoutPlace) -> Iterator[OciLayoutStore]:
        from oras_adapters.files.local_files import LocalFileTree, scratch_directory
        from oras_core.stores.layout.archive import unpack_layout
        from oras_core.stores.layout.store import OciLayoutStore

        limits = self._parts.limits
        if place.kind == "oci":
            store = OciLayoutStore(LocalFileTree(place.path), limits=limits)
            if not store.is_made():
                raise NotFoundError("an OCI image layout", f"folder {place.path!r}")
            yield store
            return
        folder, path = local_file(place.path)
        with scratch_directory() as scratch:
            with closing(folder.open(path)) as stream:
                unpack_layout(stream, scratch, limits=limits)
            yield OciLayoutStore(scratch, limits=limits)

    @contextmanager
    def _changing_layout(self, place: LayoutPlace) -> Iterator[OciLayoutStore]:
        from oras_adapters.files.local_files import scratch_directory
        from oras_core.stores.layout.archive import archived_layout
        from oras_core.stores.layout.store import OciLayoutStore

        limits = self._parts.limits
        if place.kind == "oci":
            yield OciLayoutStore(self._parts.folder(place.path), limits=limits)
            return
        folder, path = local_file(place.path, create=True)
        with (
            scratch_directory() as scratch,
            archived_layout(folder, path, scratch=scratch, limits=limits) as store,
        ):
            yield store


def local_file(
    path: str | os.PathLike[str], *, create: bool = False
) -> tuple[LocalFileTree, SafePath]:
    """Return the folder of a local file, and the file's path in it.

    Args:
        path: of the file.
        create: create the folder if it is missing.
    """
    from oras_adapters.files.local_files import LocalFileTree
    from oras_core.model.paths import sanitize_path

    folder, name = os.path.split(os.path.abspath(path))
    return LocalFileTree(folder, create=create), sanitize_path(name)


def _of_layout(store: OciLayoutStore, place: LayoutPlace) -> Located[OciLayoutStore]:
    digest = str(place.digest) if place.digest else None
    return Located(store, f"{place.kind}:{place.path}", place.tag, digest)


def _of_caller(target: T, reference: str | None) -> Located[T]:
    is_digest = reference is not None and ":" in reference
    return Located(
        target,
        repr(target) if type(target).__repr__ is not object.__repr__ else type(target).__name__,
        None if is_digest else reference,
        reference if is_digest else None,
    )
