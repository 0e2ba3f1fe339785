"""What a client does with tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from oras._client.base import BaseClient
from oras._client.failures import reporting
from oras._client.response import Response
from oras.decorator import ensure_container
from oras.logger import logger
from oras.types import container_type
from oras_core.errors import NotFoundError
from oras_core.ports.http import Headers
from oras_core.registry.pagination import next_link

__all__ = ["TagMethods"]


class TagMethods(BaseClient):
    """Mixed into `oras.provider.Registry`."""

    @ensure_container
    def get_tags(self, container: container_type, N: int | None = None) -> list[str]:
        """Return the tags of a repository, in the registry's order.

        Args:
            container: the repository; a tag in it plays no part.
            N: how many at most; all if None.

        Returns:
            The tags.

        Raises:
            ValueError: if there is no such repository.
            OrasError: whatever else goes wrong.

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

    @ensure_container
    def delete_tag(self, container: container_type, tag: str) -> bool:
        """Delete what a tag names: the manifest, and with it every tag that it has.

        Args:
            container: the repository; a tag in it plays no part.
            tag: the tag.

        Returns:
            Whether there was such a tag.

        Raises:
            UnsupportedError: if the registry deletes nothing.
            OrasError: whatever else goes wrong.

        Example:
            >>> client.delete_tag("dinosaur/artifact", "v1")
            True
        """
        target = self.get_container(container)
        self.auth.load_configs(target)
        repository = self.connections.repository(target)
        with reporting():
            try:
                repository.delete(repository.resolve(tag))
            except NotFoundError:
                logger.error(f"Cannot find tag {target}:{tag}")
                return False
        return True

    def delete_tags(self, name: str, tags: str | Iterable[str] = ()) -> list[str]:
        """Delete what each of `tags`, one or several, names; see `delete_tag`.

        Args:
            name: the repository.
            tags: one tag, or several.

        Returns:
            Those that there were.

        Raises:
            UnsupportedError: if the registry deletes nothing.
            OrasError: whatever else goes wrong.

        Example:
            >>> client.delete_tags("dinosaur/artifact", ["v1", "absent"])
            ['v1']
        """
        wanted = [tags] if isinstance(tags, str) else list(tags)
        return [tag for tag in wanted if self.delete_tag(name, tag)]

    def _do_paginated_request(self, url: str, callable: Callable[[Response], bool]) -> None:
        """Get a page, hand it to `callable`, and go on with the next while that says True."""
        following: str | None = url
        while following is not None:
            response = self.do_request(following)
            self._check_200_response(response)
            if not callable(response):
                return
            following = next_link(Headers(response.headers), following)
