"""`Registry`, the client and the base class of custom clients."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from oras import defaults
from oras._client.earlier_names import EarlierNames
from oras._client.failures import reporting
from oras._client.files import temporary_empty_config
from oras._client.graphs import GraphMethods
from oras._client.hooks import replaceable
from oras._client.login import LoginMethods
from oras._client.pulling import pull
from oras._client.pushing import PushRequest, push, subject_of
from oras._client.response import Response
from oras._client.tags import TagMethods
from oras.logger import announce, logger
from oras.oci import Subject
from oras.utils import split_path_and_content
from oras_core.model.platform import Platform

__all__ = ["Registry", "logger", "temporary_empty_config"]


@replaceable
class Registry(EarlierNames, TagMethods, GraphMethods, LoginMethods):
    """A client of registries, to be used as it is or as the base of a custom client.

    Names without a registry mean `hostname`. Credentials come from the user's docker
    configuration unless `login` or `auth` has given others. Making a client does nothing:
    connections are made when something is asked for, and kept.

    `push` and `pull` run in parallel and verify everything. A subclass that replaces one
    of the methods that oras-py's call is called instead; see `oras._client.hooks`.
    """

    def push(
        self,
        target: str,
        config_path: str | None = None,
        disable_path_validation: bool = False,
        files: list[Any] | None = None,
        manifest_config: str | None = None,
        annotation_file: str | None = None,
        manifest_annotations: dict[str, str] | None = None,
        subject: Subject | str | None = None,
        do_chunked: bool = False,
        chunk_size: int = defaults.default_chunksize,
        quiet: bool = False,
        artifact_type: str | None = None,
        tags: Iterable[str] = (),
    ) -> Response:
        """Push files and folders as one artifact.

        Args:
            target: where to, with the tag.
            config_path: a docker configuration with credentials, besides the user's own.
            disable_path_validation: take files from outside the working directory too.
            files: paths, each maybe followed by `:` and a media type.
            manifest_config: a config file, maybe followed by `:` and a media type.
            annotation_file: a JSON file `{"$manifest": {…}, "$config": {…}, "PATH": {…}}`.
            manifest_annotations: go before those of the file.
            subject: the manifest that this artifact is attached to.
            do_chunked: send blobs in chunks.
            chunk_size: bytes of a chunk.
            quiet: do not say that it succeeded.
            artifact_type: what it is, a media type.
            tags: further tags that shall name it.

        Returns:
            The answer to the manifest; its header `Docker-Content-Digest` has the digest.

        Raises:
            FileNotFoundError: if a file does not exist.
            ValueError: if a file lies outside the working directory, or the registry refuses.
            OrasError: whatever else goes wrong.

        Example:
            >>> client.push("dinosaur/artifact:v2", files=["artifact.txt:text/plain"], quiet=True)
            <Response [201]>
        """
        container = self.get_container(target)
        self.auth.load_configs(container, configs=[config_path] if config_path else None)
        with reporting():
            request = PushRequest.of(
                files,
                is_allowed=None if disable_path_validation else self._validate_path,
                manifest_config=manifest_config,
                annotation_file=annotation_file,
                manifest_annotations=manifest_annotations,
                subject=subject_of(self, container, subject),
                chunk_size=chunk_size if do_chunked else None,
                artifact_type=artifact_type,
                further_tags=tags,
            )
            response: Response = push(self, container, request)
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
            target: what, by tag or digest.
            config_path: a docker configuration with credentials, besides the user's own.
            allowed_media_type: the types of manifest to ask for.
            overwrite: replace files that are there; else they are left out, with a warning.
            outdir: the folder to write to; a new temporary one if None.
            platform: which manifest of an index is meant, `os/architecture[/variant]`.

        Returns:
            The absolute paths, in the manifest's order.

        Raises:
            ValueError: if there is no such artifact, or a file's name leads out of the folder.
            OrasError: whatever else goes wrong.

        Example:
            >>> client.pull("dinosaur/artifact:v1", outdir="copies")
            ['…/copies/artifact.txt']
        """
        container = self.get_container(target)
        self.auth.load_configs(container, configs=[config_path] if config_path else None)
        with reporting():
            return pull(
                self,
                container,
                outdir=outdir,
                allowed_media_type=allowed_media_type,
                overwrite=overwrite,
                platform=Platform.parse(platform) if platform else None,
            )

    def _parse_manifest_ref(self, ref: str) -> tuple[str, str]:
        """Split `path[:media/type]` of a config; without a type the unknown one."""
        part = split_path_and_content(ref)
        return part.path, part.content or defaults.unknown_config_media_type
