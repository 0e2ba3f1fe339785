"""The client's methods for tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

from oras._client.base import BaseClient
from oras._client.failures import reporting
from oras.decorator import parsing_target
from oras.logger import logger
from oras.types import container_type
from oras_core.errors import NotFoundError
from oras_core.ports.http import Headers
from oras_core.registry.pagination import next_link

if TYPE_CHECKING:
    from oras._client.response import Response

__all__ = ["TagMethods"]


class TagMethods(BaseClient):
    """Mixed into `oras.provider.Registry`."""

    @parsing_target
    def get_tags(self, container: container_type, N: int | None = None) -> list[str]:
        """List the tags of a repository, in the registry's order.

        Args:
            container: the repository. A tag in the name is ignored.
            N: the maximum number of tags. None means all tags.

        Returns:
            The tags.

        Raises:
            ValueError: if the repository does not exist.
            OrasError: if anything else fails.

        Example:
            >>> client.get_tags("dinosaur/artifact")
            ['v1']
        """
        target = self.get_container(container)
        self.auth.load_configs(target)
        if N is not None and N <= 0:
            return []
        with reporting():
            return list(islice(self.connections.repository(target).tags(page_size=N), N))

    @parsing_target
    def delete_tag(self, container: container_type, tag: str) -> bool:
        """Delete a tag. Its manifest and the other tags of the manifest stay.

        Args:
            container: the repository. A tag in the name is ignored.
            tag: the tag.

        Returns:
            Whether the tag existed.

        Raises:
            UnsupportedError: if the registry cannot delete the tag alone; the message names
                the other tags of the manifest.
            OrasError: if anything else fails.

        Example:
            >>> client.delete_tag("dinosaur/artifact", "v1")
            True
        """
        target = self.get_container(container)
        self.auth.load_configs(target)
        repository = self.connections.repository(target)
        with reporting():
            try:
                repository.untag(tag)
            except NotFoundError:
                logger.error(f"Cannot find tag {target}:{tag}")
                return False
        return True

    def delete_tags(self, name: str, tags: str | Iterable[str] = ()) -> list[str]:
        """Delete several tags; see `delete_tag`.

        Args:
            name: the repository.
            tags: one tag, or several.

        Returns:
            The tags that existed.

        Raises:
            UnsupportedError: if the registry does not support deletion.
            OrasError: if anything else fails.

        Example:
            >>> client.delete_tags("dinosaur/artifact", ["v1", "absent"])
            ['v1']
        """
        wanted = [tags] if isinstance(tags, str) else list(tags)
        return [tag for tag in wanted if self.delete_tag(name, tag)]

    def _do_paginated_request(self, url: str, callable: Callable[[Response], bool]) -> None:
        """Request page after page and pass each to `callable`, until it returns False."""
        following: str | None = url
        while following is not None:
            response = self.do_request(following)
            self._check_200_response(response)
            if not callable(response):
                return
            following = next_link(Headers(response.headers), following)
