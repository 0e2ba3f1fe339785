"""`Registry`, the client, which is also the base class of custom clients."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import oras_core
from oras import _client, defaults, utils
from oras._client.earlier_names import EarlierNames
from oras._client.failures import reporting
from oras._client.graphs import GraphMethods
from oras._client.hooks import replaceable
from oras._client.login import LoginMethods
from oras._names import module_attributes
from oras.logger import announce, logger

if TYPE_CHECKING:
    from oras._client.files import temporary_empty_config
    from oras._client.response import Response
    from oras.oci import Subject

__all__ = ["Registry", "logger", "temporary_empty_config"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)


@replaceable
class Registry(EarlierNames, GraphMethods, LoginMethods):
    """A registry client. Use it directly or subclass it.

    A name without a registry refers to `hostname`. Credentials come from the user's docker
    configuration unless `login` or `auth` provides others. Creating a client opens no
    connection. Connections are opened on the first request and reused.

    `push` and `pull` transfer blobs in parallel and verify every digest. If a subclass
    overrides a method that oras-py's `push` or `pull` calls, that method is called; see
    `oras._client.hooks`.
    """

    def push(
        self,
        target: str,
        config_path: str | None = None,
        disable_path_validation: bool = False,
        files: list[Any] | str | os.PathLike[str] | None = None,
        manifest_config: str | None = None,
        annotation_file: str | None = None,
        manifest_annotations: dict[str, str] | None = None,
        subject: Subject | str | None = None,
        do_chunked: bool = False,
        chunk_size: int = defaults.default_chunksize,
        quiet: bool = False,
        artifact_type: str | None = None,
        tags: Iterable[str] | str = (),
    ) -> Response:
        """Push files and folders as one artifact.

        Args:
            target: the repository and tag to push to.
            config_path: a docker configuration with credentials, in addition to the user's.
            disable_path_validation: accept files outside the working directory.
            files: one path or a list of paths, each with an optional `:` and media type.
            manifest_config: a config file, with an optional `:` and media type.
            annotation_file: a JSON file `{"$manifest": {…}, "$config": {…}, "PATH": {…}}`.
            manifest_annotations: annotations of the manifest. They override those of the file.
            subject: the manifest to attach the artifact to.
            do_chunked: upload blobs in chunks.
            chunk_size: bytes per chunk.
            quiet: do not log or print that the push succeeded.
            artifact_type: the artifact type, a media type.
            tags: additional tags to create, or one tag.

        Returns:
            The response to the manifest. Its header `Docker-Content-Digest` is the digest.

        Raises:
            FileNotFoundError: if a file does not exist.
            ValueError: if a file is outside the working directory, or the registry rejects
                the request.
            OrasError: if anything else fails.

        Example:
            >>> client.push("dinosaur/artifact:v2", files=["artifact.txt:text/plain"], quiet=True)
            <Response [201]>
        """
        container = self.get_container(target)
        self.auth.load_configs(container, configs=[config_path] if config_path else None)
        with reporting():
            request = _client.PushRequest.of(
                files,
                local=self.connections.composition.local_files(),
                is_allowed=None if disable_path_validation else self._validate_path,
                manifest_config=manifest_config,
                annotation_file=annotation_file,
                manifest_annotations=manifest_annotations,
                subject=_client.subject_of(self, container, subject),  # pyright: ignore[reportArgumentType] - it does not read made_once
                chunk_size=chunk_size if do_chunked else None,
                artifact_type=artifact_type,
                further_tags=tags,
            )
            response: Response = _client.push(self, container, request)  # pyright: ignore[reportArgumentType] - it does not read made_once
        self._check_200_response(response)
        if not quiet:
            announce(f"Successfully pushed {container}")
        return response

    def pull(
        self,
        target: str,
        config_path: str | None = None,
        allowed_media_type: list[str] | None = None,
        overwrite: bool = True,
        outdir: str | os.PathLike[str] | None = None,
        platform: str | None = None,
    ) -> list[str]:
        """Pull the files and folders of an artifact.

        Args:
            target: the artifact, by tag or digest.
            config_path: a docker configuration with credentials, in addition to the user's.
            allowed_media_type: the manifest media types to request.
            overwrite: replace existing files. If False, they are skipped with a warning.
            outdir: the folder to write to. The default is a new temporary folder.
            platform: the platform to select from an index, `os/architecture[/variant]`.

        Returns:
            The absolute paths, in the order of the manifest.

        Raises:
            ValueError: if the artifact does not exist, or a file name points outside `outdir`.
            OrasError: if anything else fails.

        Example:
            >>> client.pull("dinosaur/artifact:v1", outdir="copies")
            ['…/copies/artifact.txt']
        """
        container = self.get_container(target)
        self.auth.load_configs(container, configs=[config_path] if config_path else None)
        with reporting():
            return _client.pull(
                self,  # pyright: ignore[reportArgumentType] - it does not read made_once
                container,
                outdir=outdir,
                allowed_media_type=allowed_media_type,
                overwrite=overwrite,
                platform=oras_core.Platform.parse(platform) if platform else None,
            )

    def _parse_manifest_ref(self, ref: str) -> tuple[str, str]:
        """Split the `path[:media/type]` of a config. The default type is the unknown config."""
        part = utils.split_path_and_content(ref)
        return part.path, part.content or defaults.unknown_config_media_type
