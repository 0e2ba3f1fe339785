"""The settings in environment variables."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from oras_core.errors import InvalidConfigurationError

__all__ = ["own_variables", "settings_file", "shared_variables"]

_LOGGER = logging.getLogger(__name__)

CONFIG_VARIABLE: Final = "ORAS_CONFIG"
"""The variable with the path of the settings file."""

STORES_VARIABLE: Final = "ORAS_CREDENTIAL_STORES"
"""The variable with the names of the credential stores, separated by commas."""

ARCHIVE_VARIABLES: Final = {
    "format": "ORAS_ARCHIVE_FORMAT",
    "implementation": "ORAS_ARCHIVE_IMPLEMENTATION",
    "level": "ORAS_ARCHIVE_LEVEL",
}
"""The variables of `ArchiveSettings`, by setting."""


CACHE_VARIABLE: Final = "ORAS_CACHE"
"""The variable with the folder of the cache, as for Go's `oras`."""


def settings_file(environment: Mapping[str, str]) -> Path | None:
    """Return the path of the settings file; None if there is none that the user may read.

    Raises:
        InvalidConfigurationError: if there is no such file as the variable names.
    """
    named = environment.get(CONFIG_VARIABLE)
    if named:
        path = Path(named)
        try:
            found = path.is_file()
        except OSError as error:
            raise InvalidConfigurationError(
                CONFIG_VARIABLE, f"{named!r}: {error.strerror}"
            ) from None
        if not found:
            raise InvalidConfigurationError(CONFIG_VARIABLE, f"there is no file {named!r}")
        return path
    base = environment.get("XDG_CONFIG_HOME") or _under_home(environment, ".config")
    usual = Path(base, "oras", "config.toml") if base else None
    try:
        if usual is None or not usual.is_file():
            return None
        usual.open("rb").close()
    except PermissionError as error:
        _LOGGER.warning("the settings file %s is ignored: %s", usual, error.strerror)
        return None
    return usual


def _under_home(environment: Mapping[str, str], *parts: str) -> str:
    home = environment.get("HOME") or environment.get("USERPROFILE")
    return os.path.join(home, *parts) if home else ""


def own_variables(environment: Mapping[str, str]) -> dict[tuple[str, str], Any]:
    """Return the settings in `ORAS_…` variables, by section and name.

    Raises:
        InvalidConfigurationError: if a value is not a number that should be one.
    """
    stores = environment.get(STORES_VARIABLE, "")
    names = tuple(name.strip() for name in stores.split(",") if name.strip())
    own: dict[tuple[str, str], Any] = {("credentials", "stores"): names} if names else {}
    for name, variable in ARCHIVE_VARIABLES.items():
        if text := environment.get(variable):
            own["archive", name] = _number(variable, text) if name == "level" else text
    if directory := environment.get(CACHE_VARIABLE):
        own["cache", "directory"] = directory
    return own


def _number(variable: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidConfigurationError(variable, f"{text!r} is not a number")
    return int(text)


def shared_variables(environment: Mapping[str, str]) -> dict[tuple[str, str], Any]:
    """Return the settings in variables that many programs share, by section and name."""
    docker = environment.get("DOCKER_CONFIG") or _under_home(environment, ".docker")
    caches = environment.get("XDG_CACHE_HOME") or _under_home(environment, ".cache")
    candidates = {
        ("credentials", "docker_config"): os.path.join(docker, "config.json") if docker else "",
        ("credentials", "auth_file"): _auth_file(environment),
        ("credentials", "auth_file_fallbacks"): _auth_file_fallbacks(environment),
        ("tls", "certificate_directories"): _certificate_directories(environment),
        ("tls", "ca_bundle"): _first(
            environment, "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"
        ),
        ("proxy", "http"): _proxy(environment, "http"),
        ("proxy", "https"): _proxy(environment, "https"),
        ("proxy", "no_proxy"): _first(environment, "no_proxy", "NO_PROXY"),
        ("transfer", "cache_directory"): os.path.join(caches, "oras") if caches else "",
    }
    return {place: value for place, value in candidates.items() if value}


def _auth_file(environment: Mapping[str, str]) -> str:
    """Return the path of podman's credentials: containers-auth.json(5)."""
    if named := environment.get("REGISTRY_AUTH_FILE"):
        return named
    if sys.platform != "linux":
        return _under_home(environment, ".config", "containers", "auth.json")
    runtime = environment.get("XDG_RUNTIME_DIR")
    if runtime:
        return os.path.join(runtime, "containers", "auth.json")
    # Without HOME the process belongs to no particular user.
    home = _under_home(environment)
    return f"/run/containers/{os.getuid()}/auth.json" if home and hasattr(os, "getuid") else ""


def _auth_file_fallbacks(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return podman's further files; none if the user names a file."""
    base = environment.get("XDG_CONFIG_HOME") or _under_home(environment, ".config")
    if environment.get("REGISTRY_AUTH_FILE") or not base:
        return ()
    return (os.path.join(base, "containers", "auth.json"),)


def _certificate_directories(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return podman's folders, then docker's: containers-certs.d(5), `dockerd` rootless or not."""
    bases = (environment.get("XDG_CONFIG_HOME") or _under_home(environment, ".config"), "/etc")
    tools = ("containers", "docker")
    return tuple(os.path.join(base, tool, "certs.d") for tool in tools for base in bases if base)


def _proxy(environment: Mapping[str, str], scheme: str) -> str:
    """Return the proxy for a scheme: curl(1), "Environment"; an empty variable counts as unset."""
    own = f"{scheme}_proxy"
    # In a CGI program, a client can set HTTP_PROXY by a `Proxy` header field (httpoxy).
    is_untrusted = scheme == "http" and "REQUEST_METHOD" in environment
    names = (own,) if is_untrusted else (own, own.upper())
    return _first(environment, *names, "all_proxy", "ALL_PROXY")


def _first(environment: Mapping[str, str], *names: str) -> str:
    return next((environment[name] for name in names if environment.get(name)), "")
