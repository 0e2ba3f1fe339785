"""What every client has: its attributes, its connections, and requests of one's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urljoin

from oras._client.connections import Connections
from oras._client.failures import issue_of
from oras._client.response import Response
from oras._client.session import Session
from oras.auth import get_auth_backend
from oras.container import Container
from oras.logger import logger
from oras.types import container_type
from oras.version import __version__

__all__ = ["BaseClient"]


class BaseClient:
    """The ground of `oras.provider.Registry`, below its methods by subject.

    Attributes:
        hostname: the registry of names that have none; None for Docker Hub.
        headers: fields that go along with every request to a registry.
        prefix: `http` if `insecure`, else `https`. Registries on this machine are spoken
            to by plain HTTP even so, unless `tls_verify` asks for TLS.
        tls_verify: True, False to check no certificate, or the path of a CA bundle.
        auth: the authentication backend.
        connections: the core's registries, for what has no method here.
    """

    _own_methods: ClassVar[Mapping[str, object]]

    def __init__(
        self,
        hostname: str | None = None,
        insecure: bool = False,
        tls_verify: bool | str = True,
        auth_backend: str = "token",
    ) -> None:
        """Make a client.

        Args:
            hostname: see the class.
            insecure: speak plain HTTP.
            tls_verify: see the class.
            auth_backend: `token`, `basic`, `ecr`, or a name added to `oras.auth.auth_backends`.

        Raises:
            ValueError: for an unknown backend.
        """
        self.hostname = hostname
        self.headers: dict[str, str] = {}
        self.prefix = "http" if insecure else "https"
        self.tls_verify = tls_verify
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
        """Show as oras-py does."""
        return "[oras-client]"

    __str__ = __repr__

    @property
    def _tls_verify(self) -> bool | str:
        return self.tls_verify

    @property
    def session(self) -> Any:
        """How requests are sent.

        Set it to a session of one's own, of `requests` or alike, and every request goes
        through that, credentials and retries included.
        """
        return self._default_session if self.own_session is None else self.own_session

    @session.setter
    def session(self, session: Any) -> None:
        self.own_session = None if session is self._default_session else session

    def version(self, return_items: bool = False) -> str | dict[str, str]:
        """Return the versions of this library and of Python, as a text or a dictionary.

        Args:
            return_items: return a dictionary.

        Returns:
            A text of a line each, or a dictionary.

        Example:
            >>> sorted(client.version(return_items=True))
            ['Python version', 'Version']
        """
        items = {"Version": __version__, "Python version": sys.version}
        if return_items:
            return items
        return "\n".join(f"{name}: {value}" for name, value in items.items())

    def set_header(self, name: str, value: str) -> None:
        """Let every request to a registry carry a header field.

        Args:
            name: of the field; in whatever case.
            value: of the field.

        Example:
            >>> client.set_header("X-Team", "dinosaurs")
        """
        self.headers[name] = value

    def get_container(self, name: container_type) -> Container:
        """Return the `Container` that `name` means; one that is already is returned as it is.

        Args:
            name: `[REGISTRY/][NAMESPACE/]REPOSITORY[:TAG][@DIGEST]`, or a `Container`.

        Returns:
            The container; `hostname` is its registry where the name has none.

        Raises:
            ValueError: for a malformed name.

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
        """Send a request: with the credentials that are the registry's, with retries.

        Args:
            url: absolute.
            method: of HTTP.
            data: the body: bytes, text, an open binary file, an iterable of bytes.
            headers: fields; the dictionary stays as it is.
            json: instead of `data`, an object to be sent as JSON.
            stream: read the body when it is asked for, not now.

        Returns:
            The answer, whatever its status.

        Raises:
            TransportError: where there is no answer.

        Example:
            >>> container = client.get_container("dinosaur/artifact:v1")
            >>> client.do_request(f"http://{container.manifest_url()}", "HEAD")
            <Response [200]>
        """
        return self._default_session.request(
            method, url, data=data, headers=headers, json=json, stream=stream
        )

    def _validate_path(self, path: str) -> bool:
        """Tell whether `push` takes a file: whether it lies in the working directory."""
        base = os.getcwd()
        return os.path.commonpath([base, os.path.abspath(path)]) == base

    def _check_200_response(self, response: Any) -> None:
        """Do nothing for status 200, 201 and 202; log what the registry says for others.

        Raises:
            RegistryError: also a ValueError, for other statuses.
        """
        if response.status_code in (200, 201, 202):
            return
        self._parse_response_errors(response)
        if isinstance(response, Response):
            raise issue_of(response)
        raise ValueError(f"Issue with {response.url}: {response.reason}")

    def _parse_response_errors(self, response: Any) -> None:
        """Log the messages of the registry's errors."""
        try:
            errors = response.json().get("errors") or []
            messages = [error["message"] for error in errors if "message" in error]
        except (AttributeError, TypeError, ValueError):
            return
        for message in messages:
            logger.error(str(message))

    def _get_location(self, r: Any, container: Container) -> str:
        """Return where an upload goes on, absolute; empty where the answer does not say."""
        location = r.headers.get("location") or ""
        base = f"{self.prefix}://{container.api_host}/"
        return urljoin(base, location) if location else ""
