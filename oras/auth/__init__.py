"""Authentication backends, by name. All names but `get_auth_backend` are imported on first use."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from oras._names import module_attributes
from oras_core.lazy import resolve

if TYPE_CHECKING:
    from oras.auth.base import AuthBackend
    from oras.auth.basic import BasicAuth
    from oras.auth.ecr import EcrAuth
    from oras.auth.errors import AuthenticationException
    from oras.auth.token import TokenAuth

    auth_backends: dict[str, Any]
    """Backend classes by name; a program may add its own."""

__all__ = [
    "AuthBackend",
    "AuthenticationException",
    "BasicAuth",
    "EcrAuth",
    "TokenAuth",
    "auth_backends",
    "get_auth_backend",
]

_MODULE_OF: Final = {
    "AuthBackend": "base",
    "AuthenticationException": "errors",
    "BasicAuth": "basic",
    "EcrAuth": "ecr",
    "TokenAuth": "token",
}

_BACKENDS: Final = {"token": "TokenAuth", "basic": "BasicAuth", "ecr": "EcrAuth"}

_SUBMODULES: Final = frozenset({"base", "basic", "ecr", "token", "utils"})
"""Modules of oras-py that `import oras.auth` has always loaded."""

if not TYPE_CHECKING:
    _names_of_oras_py, __dir__ = module_attributes(__name__, __all__)

    def __getattr__(name: str) -> object:
        """Import a name, or make the table of backends, on first use (PEP 562)."""
        if name == "auth_backends":
            return globals().setdefault(name, {key: _built_in(key) for key in _BACKENDS})
        if name in _MODULE_OF:
            return resolve(__name__, _MODULE_OF, name)
        if name in _SUBMODULES:
            return import_module(f"{__name__}.{name}")
        return _names_of_oras_py(name)


def _built_in(name: str) -> Any:
    return resolve(__name__, _MODULE_OF, _BACKENDS[name])


def _backend_class(name: str) -> Any:
    """Return the class of a backend; None if there is none.

    A program that has never read the table has not changed it, and needs one class only.
    """
    if "auth_backends" not in globals() and name in _BACKENDS:
        return _built_in(name)
    return _table().get(name)


def _table() -> dict[str, Any]:
    table: dict[str, Any] = sys.modules[__name__].auth_backends
    return table


def get_auth_backend(
    name: str = "token",
    session: Any = None,
    insecure: bool = False,
    tls_verify: bool | str = True,
    hostname: str | None = None,
    **kwargs: Any,
) -> Any:
    """Return a new backend.

    Args:
        name: the backend's name in `auth_backends`.
        session: a `requests.Session` or similar, for the backend's own requests; None for the
            default transport.
        insecure: whether to use plain HTTP.
        tls_verify: True, False to skip certificate verification, or the path of a CA bundle.
        hostname: the registry of credentials that are given without one.
        **kwargs: arguments of the backend's class.

    Raises:
        ValueError: if there is no backend with this name.
    """
    from oras.auth.base import AuthBackend  # noqa: PLC0415 - see the top of this module

    kind = _backend_class(name)
    if kind is None:
        known = ", ".join(sorted(_table()))
        raise ValueError(f"Authentication backend {name} is not known. Known are: {known}.")
    backend = kind(**kwargs)
    backend.session = session
    backend.prefix = "http" if insecure else "https"
    backend._tls_verify = tls_verify
    if hostname and isinstance(backend, AuthBackend):
        backend.hostname = hostname
    return backend
