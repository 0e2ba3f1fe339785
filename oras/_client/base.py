"""`BaseClient`: the attributes of a client, its connections, and raw requests."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urljoin

from oras._client.connections import Connections
from oras._client.response import Response
from oras._client.session import Session
from oras.auth import get_auth_backend
from oras.container import Container
from oras.logger import logger
from oras.types import container_type
from oras.version import __version__
from oras_core.forks import ConnectionHolder

__all__ = ["BaseClient"]


class BaseClient(ConnectionHolder):
    """The base of `oras.provider.Registry`, without its methods for blobs, manifests and tags.

    Attributes:
        hostname: the registry of names that have none. None means Docker Hub.
        headers: header fields sent with every request to a registry.
        prefix: `http` if `insecure`, otherwise `https`. Registries on the loopback interface
            use plain HTTP with either value, unless `tls_verify` asks for TLS.
        tls_verify: True, False to verify no certificate, or the path of a CA bundle.
        timeout: seconds for connecting and for each read and write, or both one after the other;
            None to follow the settings. It has no effect after the first request.
        auth: the authentication backend.
        connections: gives access to the core's registry objects.
    """

    _in_a_worker = "Make one in the worker, where the same settings and credentials apply."

    _own_methods: ClassVar[Mapping[str, object]]

    def __init__(
        self,
        hostname: str | None = None,
        insecure: bool = False,
        tls_verify: bool | str = True,
        auth_backend: str = "token",
        timeout: float | tuple[float, float] | None = None,
    ) -> None:
        """Create a client.

        Args:
            hostname: see the class.
            insecure: use plain HTTP.
            tls_verify: see the class.
            auth_backend: `token`, `basic`, `ecr`, or a name added to `oras.auth.auth_backends`.
            timeout: see the class.

        Raises:
            ValueError: if the backend is unknown.
        """
        self.hostname = hostname
        self.headers: dict[str, str] = {}
        self.prefix = "http" if insecure else "https"
        self.tls_verify = tls_verify
        self.timeout = timeout
        self.own_session: Any = None
        self._default_session = Session(self)
        self.connections = Connections(self)
        self.auth = get_auth_backend(
            auth_backend,
            session=self.session,
            insecure=insecure,
            tls_verify=tls_verify,
            hostname=hostname,
        )

    def __repr__(self) -> str:
        """Return oras-py's text."""
        return "[oras-client]"

    __str__ = __repr__

    @property
    def _tls_verify(self) -> bool | str:
        return self.tls_verify

    @property
    def session(self) -> Any:
        """The object that sends requests.

        Assign a `requests.Session`, or a compatible object, to send all requests through it.
        Credentials and retries still apply.
        """
        return self._default_session if self.own_session is None else self.own_session

    @session.setter
    def session(self, session: Any) -> None:
        self.own_session = None if session is self._default_session else session

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
            'localhost:5000/dinosaur/artifact:v1'
        """
        return name if isinstance(name, Container) else Container(name, registry=self.hostname)

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
        base = f"{self.prefix}://{container.api_host}/"
        return urljoin(base, location) if location else ""
