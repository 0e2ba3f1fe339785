"""URLs, host names, and the path of docker's configuration."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus, urlencode, urlsplit, urlunsplit

from oras._names import module_attributes
from oras_core.model.hosts import loopback_names

__all__ = ["append_url_params", "find_docker_config", "get_docker_client", "iter_localhosts"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)


def iter_localhosts(name: str) -> Iterator[str]:
    """Yield `name`. If its host is `localhost`, also yield it with `127.0.0.1`, and vice versa."""
    scheme, separator, rest = name.rpartition("://")
    registry, slash, path = rest.partition("/")
    for one in loopback_names(registry):
        yield f"{scheme}{separator}{one}{slash}{path}"


def find_docker_config(exists: bool = True) -> str | None:
    """Return the path of docker's `config.json`, in `DOCKER_CONFIG` or `~/.docker`.

    Args:
        exists: return None if the file does not exist.
    """
    from oras_adapters.settings.settings import load_settings  # noqa: PLC0415 - cattrs, for this alone

    path = load_settings().credentials.docker_config
    return path if not exists or os.path.exists(path) else None


def append_url_params(url: str, params: Mapping[str, Any]) -> str:
    """Add `params` to the query of `url`, replacing parameters of the same name.

    The rest of the query is kept byte for byte: it may be signed, and may contain a name
    several times or without a value (R18).
    """
    parts = urlsplit(url)
    kept = [
        part
        for part in parts.query.split("&")
        if part and unquote_plus(part.partition("=")[0]) not in params
    ]
    query = "&".join([*kept, urlencode(params)] if params else kept)
    return urlunsplit(parts._replace(query=query))


def get_docker_client(tls_verify: bool = True, **kwargs: Any) -> Any:
    """Return a `docker.DockerClient` of the Docker SDK for Python.

    Raises:
        ImportError: if the Docker SDK is not installed.
    """
    return importlib.import_module("docker").DockerClient(tls=tls_verify, **kwargs)
