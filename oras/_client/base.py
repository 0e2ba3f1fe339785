"""`BaseClient`: the attributes of a client, its connections, and raw requests."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from oras._client.attributes import ClientAttributes
from oras.auth import get_auth_backend
from oras.container import Container
from oras.logger import logger
from oras.types import container_type
from oras_core.version import __version__

if TYPE_CHECKING:
    from oras._client.response import Response

__all__ = ["BaseClient"]


class BaseClient(ClientAttributes):
    """The base of `oras.provider.Registry`, without its methods for blobs, manifests and tags."""

    def __init__(
        self,
        hostname: str | None = None,
        insecure: bool | None = None,
        tls_verify: bool | str = True,
        auth_backend: str = "token",
        timeout: float | tuple[float, float] | None = None,
    ) -> None:
        """Create a client.

        Args:
            hostname: see the class.
            insecure: use plain HTTP. False means TLS; on the loopback interface plain HTTP is
                used if the registry does not speak TLS. The default is TLS, but plain HTTP
                first on the loopback interface.
            tls_verify: see the class.
            auth_backend: `token`, `basic`, `ecr`, or a name added to `oras.auth.auth_backends`.
            timeout: see the class.

        Raises:
            ValueError: if the backend is unknown.
        """
        self.hostname = hostname
        if insecure is not None:
            self.chosen_prefix: str | None = "http" if insecure else "https"
        self.tls_verify = tls_verify
        self.timeout = timeout
        self.session = self._default_session  # a subclass may override the property
        self.auth = get_auth_backend(
            auth_backend,
            session=self.session,
            insecure=bool(insecure),
            tls_verify=tls_verify,
            hostname=hostname,
        )

    def __repr__(self) -> str:
        """Return oras-py's text."""
        return "[oras-client]"

    __str__ = __repr__

    def version(self, return_items: bool = False) -> str | dict[str, str]:
        """Return the versions of this library and of Python.

        Args:
            return_items: return a dictionary instead of text.

        Returns:
            Text with one version a line, or a dictionary.

        Example:
            >>> sorted(client.version(return_items=True))
            ['Python version', 'Version']
        """
        items = {"Version": __version__, "Python version": sys.version}
        if return_items:
            return items
        return "\n".join(f"{name}: {value}" for name, value in items.items())

    def set_header(self, name: str, value: str) -> None:
        """Send a header field with every request to a registry.

        Args:
            name: the name of the field, in any case.
            value: the value of the field.

        Example:
            >>> client.set_header("X-Team", "dinosaurs")
        """
        self.headers[name] = value

    def get_container(self, name: container_type) -> Container:
        """Parse a name into a `Container`. A `Container` is returned unchanged.

        Args:
            name: `[REGISTRY/][NAMESPACE/]REPOSITORY[:TAG][@DIGEST]`, or a `Container`.

        Returns:
            The container. If the name has no registry, its registry is `hostname`.

        Raises:
            ValueError: if the name is malformed.

        Example:
            >>> client.get_container("dinosaur/artifact:v1").uri
            'localhost:5001/dinosaur/artifact:v1'
        """
        parsed = name if isinstance(name, Container) else Container(name, registry=self.hostname)
        self.connections.use(parsed)
        return parsed

    def do_request(
        self,
        url: str,
        method: str = "GET",
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        stream: bool = False,
    ) -> Response:
        """Send an HTTP request with the registry's credentials and with retries.

        Args:
            url: the absolute URL.
            method: the HTTP method.
            data: the body: bytes, text, an open binary file, or an iterable of bytes.
            headers: header fields. The dictionary is not modified.
            json: an object to send as JSON instead of `data`.
            stream: do not read the body until it is accessed.

        Returns:
            The response, whatever its status.

        Raises:
            TransportError: if there is no response.

        Example:
            >>> container = client.get_container("dinosaur/artifact:v1")
            >>> client.do_request(f"http://{container.manifest_url()}", "HEAD")
            <Response [200]>
        """
        return self._default_session.request(
            method, url, data=data, headers=headers, json=json, stream=stream
        )

    def _validate_path(self, path: str) -> bool:
        """Return whether `push` accepts the file: whether it is in the working directory."""
        base = os.getcwd()
        return os.path.commonpath([base, os.path.abspath(path)]) == base

    def _check_200_response(self, response: Any) -> None:
        """Accept status 200, 201 and 202. Log the registry's messages for any other status.

        Raises:
            RegistryError: also a ValueError; for any other status.
        """
        if response.status_code in (200, 201, 202):
            return
        from oras._client.response import Response  # noqa: PLC0415 - only errors need it

        self._parse_response_errors(response)
        if isinstance(response, Response):
            raise response.error()
        raise ValueError(f"Issue with {response.url}: {response.reason}")

    def _parse_response_errors(self, response: Any) -> None:
        """Log the error messages in the response."""
        try:
            errors = response.json().get("errors") or []
            messages = [error["message"] for error in errors if "message" in error]
        except (AttributeError, TypeError, ValueError):
            return
        for message in messages:
            logger.error(str(message))

    def _get_location(self, r: Any, container: Container) -> str:
        """Return the absolute URL that continues an upload, or an empty string."""
        location = r.headers.get("location") or ""
        base = f"{self.connections.scheme(container.registry)}://{container.api_host}/"
        return urljoin(base, location) if location else ""
