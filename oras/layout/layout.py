"""`Layout`: a folder in the OCI image layout that can be pushed to and pulled from a registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from oras import defaults
from oras._client.failures import reporting
from oras._client.pushing import InChunks
from oras._client.response import Response
from oras._names import module_attributes
from oras.layout.contents import leaves_first, parts_of
from oras.layout.validation import validate_layout
from oras_adapters.files.local_files import LocalFileTree
from oras_core.content.roots import read_root
from oras_core.copying.copy import copy_graph
from oras_core.errors import (
    DigestMismatchError,
    InvalidDigestError,
    InvalidReferenceError,
    NotFoundError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.reference import is_tag
from oras_core.stores.layout.store import OciLayoutStore, blob_path

if TYPE_CHECKING:
    from oras._client.protocol import RegistryClient

__all__ = ["Layout", "NewLayout", "NewLayoutFromRegistry"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)


def NewLayout(path: str, validate: bool = True) -> Layout:
    """Return the layout in the folder `path`. Arguments and errors are those of `Layout`."""
    return Layout(path, validate)


def NewLayoutFromRegistry(
    path: str, provider: RegistryClient, target: str, tag: str = "latest"
) -> Layout:
    """Pull an artifact from a registry into a new layout.

    Args:
        path: a folder that does not exist or is empty.
        provider: the client.
        target: the artifact, by tag or digest.
        tag: the tag to create in the layout.

    Raises:
        FileExistsError: if the folder is not empty.
        ValueError: if `path` is not a folder; also as `Layout.pull_from_registry`.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"Path exists and is not a directory: {path}")
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"Directory is not empty: {path}")
    layout = Layout(path, validate=False)
    layout.pull_from_registry(provider, target, tag)
    return layout


class Layout:
    """A folder in the OCI image layout. It is based on the core's `OciLayoutStore`."""

    def __init__(self, path: str, validate: bool = True) -> None:
        """Use the folder `path`.

        Args:
            path: the folder.
            validate: check that the folder is a layout.

        Raises: as `validate`.
        """
        self._oci_layout_path = path
        if validate:
            self.validate()

    def validate(self) -> str:
        """Check that the folder is a layout. Blobs are verified when they are read.

        Returns:
            The absolute path of the folder.

        Raises:
            FileNotFoundError: if the folder or a required file does not exist.
            ValueError: if `path` is not a folder, or a required file is malformed.
        """
        return str(validate_layout(self._oci_layout_path))

    @staticmethod
    def is_oci_layout(path: str) -> bool:
        """Return whether the folder `path` is a layout."""
        try:
            Layout(path)
        except (OSError, ValueError):
            return False
        return True

    # --- Blobs ----------------------------------------------------------------------------

    def digest_to_blob_path(self, digest: str) -> Path:
        """Return the path of the blob `digest`. The blob need not exist.

        Raises:
            InvalidDigestError: also a ValueError; if `digest` is malformed.
        """
        return Path(self._oci_layout_path, *blob_path(Digest.parse(digest)).parts)

    def blob_exists(self, digest: str) -> bool:
        """Return whether the blob exists."""
        try:
            return self.digest_to_blob_path(digest).exists()
        except InvalidDigestError:
            return False

    def get_ordered_blobs(self, tag: str = "latest") -> list[str]:
        """Return the digests of an artifact's blobs and manifests, each after its parts.

        The layers of a manifest precede its config.

        Args:
            tag: the tag in the layout.

        Raises:
            ValueError: if the tag does not exist, or a manifest is malformed.
            FileNotFoundError: if a manifest is missing.
        """
        store = self._store()
        return [str(digest) for digest in self._ordered(store, self._resolve(store, tag))]

    def _ordered(self, store: OciLayoutStore, root: Descriptor) -> list[Digest]:
        def parts(descriptor: Descriptor) -> Sequence[Descriptor]:
            try:
                return parts_of(store, descriptor)
            except NotFoundError as error:
                raise self._missing(descriptor.digest) from error

        return leaves_first(root, parts)

    def _missing(self, digest: Digest) -> FileNotFoundError:
        return FileNotFoundError(f"Blob not found: {self.digest_to_blob_path(str(digest))}")

    def _store(self) -> OciLayoutStore:
        try:
            return OciLayoutStore(LocalFileTree(self._oci_layout_path))
        except NotFoundError as error:
            raise FileNotFoundError(f"Path does not exist: {self._oci_layout_path}") from error

    def _resolve(self, store: OciLayoutStore, tag: str) -> Descriptor:
        try:
            return store.resolve(tag)
        except NotFoundError as error:
            if tag in store.tags():
                folder = self._oci_layout_path
                message = f"Blob not found: the manifest of tag '{tag}' in {folder}"
                raise FileNotFoundError(message) from error
            raise ValueError(f"Tag '{tag}' not found in index") from error

    # --- From and to a registry -----------------------------------------------------------

    def push_to_registry(
        self,
        provider: RegistryClient,
        target: str,
        tag: str = "latest",
        do_chunked: bool = False,
        chunk_size: int = defaults.default_chunksize,
    ) -> Response:
        """Push an artifact of the layout to a registry.

        Args:
            provider: the client.
            target: the repository and tag to push to.
            tag: the tag in the layout.
            do_chunked: upload blobs in chunks.
            chunk_size: bytes per chunk.

        Returns:
            The response to the last manifest. Its header `Docker-Content-Digest` is the digest.

        Raises:
            ValueError: if `target` has no tag, the layout has no such tag, or the registry
                rejects the request.
            FileNotFoundError: if the layout lacks a blob.
            OrasError: if anything else fails.
        """
        if ":" not in target or target.endswith(":"):
            raise ValueError(
                f"Target must include a tag in format 'registry/repository:tag', got: {target}"
            )
        container = provider.get_container(target)
        store = self._store()
        root = self._resolve(store, tag)
        for digest in self._ordered(store, root):
            if not self.blob_exists(str(digest)):
                raise self._missing(digest)
        if container.digest and container.digest != str(root.digest):
            raise DigestMismatchError(container.digest, str(root.digest), what=f"tag {tag}")
        provider.auth.load_configs(container)
        repository = provider.connections.repository(container)
        with reporting():
            copy_graph(
                store,
                root,
                InChunks(repository, chunk_size) if do_chunked else repository,
                reference=None if container.digest else container.tag,
                options=evolve(provider.connections.copy_options, find_successors=parts_of),
            )
        return Response.stored(repository.endpoints.manifest(root.digest), root.digest)

    def pull_from_registry(
        self, provider: RegistryClient, target: str, tag: str = "latest"
    ) -> None:
        """Pull an artifact into the layout. The folder is created if necessary.

        Other artifacts in the layout are kept.

        Args:
            provider: the client.
            target: the artifact, by tag or digest.
            tag: the tag to create in the layout.

        Raises:
            ValueError: if `target` or `tag` is malformed, or the artifact does not exist.
            OrasError: if anything else fails.
        """
        container = provider.get_container(target)
        if not is_tag(tag):
            raise InvalidReferenceError(tag, "it is not a valid tag")
        provider.auth.load_configs(container)
        repository = provider.connections.repository(container)
        with reporting():
            root = read_root(repository, container.digest or container.tag)
            store = OciLayoutStore(LocalFileTree(self._oci_layout_path, create=True))
            options = evolve(provider.connections.copy_options, find_successors=parts_of)
            copy_graph(repository, root, store, reference=tag, options=options)
