"""The client, and the modules of the user guide, built on `oras_core` and `oras_adapters`.

`Client` and `AsyncClient` are for new programs. The submodules have the names of oras-py.
All are imported on first access, so `import oras` is cheap.
"""

from __future__ import annotations

import importlib
import os
import sys

# ruff: noqa: PLR0402 - `from oras import …` in oras itself is a cycle that mypy does not resolve

# Type checkers recognise the name; importing `typing` would double the cost of this module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import oras.auth as auth
    import oras.client as client
    import oras.container as container
    import oras.decorator as decorator
    import oras.defaults as defaults
    import oras.layout as layout
    import oras.logger as logger
    import oras.main as main
    import oras.oci as oci
    import oras.provider as provider
    import oras.schemas as schemas
    import oras.types as types
    import oras.utils as utils
    import oras.version as version
    from oras_adapters.client.async_client import AsyncClient
    from oras_adapters.client.client import Client

    __version__: str

__all__ = [
    "AsyncClient",
    "Client",
    "__version__",
    "auth",
    "client",
    "container",
    "decorator",
    "defaults",
    "layout",
    "logger",
    "main",
    "oci",
    "provider",
    "schemas",
    "types",
    "utils",
    "version",
]


def _refuse_another_owner(site: str) -> None:
    # oras-py (the distribution "oras") installs into the same folder. If both are in one
    # site directory, each has overwritten files of the other, and uninstalling either one
    # deletes files of both. An oras-py elsewhere on sys.path is harmless. Listing one
    # directory is much faster than importlib.metadata.
    try:
        names = os.listdir(site)
    except OSError:
        return
    for name in names:
        if (
            name.startswith("oras-")
            and name.endswith((".dist-info", ".egg-info"))
            and _has_modules(os.path.join(site, name))
        ):
            raise ImportError(
                f"oras-sdk and oras-py ({name} in {site}) are both installed and share the package "
                "'oras'. To see what was overwritten, run: python -m oras.doctor. "
                "To keep oras-sdk, run: pip uninstall oras oras-sdk && pip install oras-sdk",
                name="oras",
            )


def _has_modules(metadata: str) -> bool:
    # The stand-in for oras-py has the same name, but no files in the package.
    try:
        with open(os.path.join(metadata, "RECORD"), encoding="utf-8") as record:
            return any(line.startswith("oras/") for line in record)
    except OSError:
        return True


# The doctor explains what this check refuses, so it must be able to run.
if "oras.doctor" not in sys.orig_argv:
    _refuse_another_owner(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


if not TYPE_CHECKING:
    # Hidden from type checkers: with it they would accept every misspelt name.

    _MODULE_OF = {
        "AsyncClient": "oras_adapters.client.async_client",
        "Client": "oras_adapters.client.client",
        "__version__": "oras.version",
    }

    def __getattr__(name: str) -> object:
        """Import a submodule, a client or the version on first access (PEP 562)."""
        if name in _MODULE_OF:
            return getattr(importlib.import_module(_MODULE_OF[name]), name)
        if name in __all__:
            return importlib.import_module(f"oras.{name}")
        raise AttributeError(f"module 'oras' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the lazy names as well."""
    return sorted({*globals(), *__all__})
