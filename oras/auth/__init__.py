"""Authentication backends, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oras._names import module_attributes
from oras.auth.base import AuthBackend
from oras.auth.basic import BasicAuth
from oras.auth.ecr import EcrAuth
from oras.auth.errors import AuthenticationException
from oras.auth.token import TokenAuth

__all__ = [
    "AuthBackend",
    "AuthenticationException",
    "BasicAuth",
    "EcrAuth",
    "TokenAuth",
    "auth_backends",
    "get_auth_backend",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)

auth_backends: dict[str, Any] = {"token": TokenAuth, "basic": BasicAuth, "ecr": EcrAuth}
"""Backend classes by name; a program may add its own."""


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
    kind = auth_backends.get(name)
    if kind is None:
        known = ", ".join(sorted(auth_backends))
        raise ValueError(f"Authentication backend {name} is not known. Known are: {known}.")
    backend = kind(**kwargs)
    backend.session = session
    backend.prefix = "http" if insecure else "https"
    backend._tls_verify = tls_verify
    if hostname and isinstance(backend, AuthBackend):
        backend.hostname = hostname
    return backend
