"""The API of the user guide, built on `oras_core` and `oras_adapters`.

Submodules are attributes of this package. They are imported on first access, so
`import oras` is cheap.
"""

from __future__ import annotations

import importlib
import os

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

    __version__: str

__all__ = [
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
        if name.startswith("oras-") and name.endswith((".dist-info", ".egg-info")):
            raise ImportError(
                f"oras-sdk and oras-py ({name} in {site}) are both installed and share the package "
                "'oras'; keep one of them: pip uninstall oras oras-sdk && pip install oras-sdk",
                name="oras",
            )


_refuse_another_owner(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


if not TYPE_CHECKING:
    # Hidden from type checkers: with it they would accept every misspelt name.

    def __getattr__(name: str) -> object:
        """Import a submodule, or read the version, on first access (PEP 562)."""
        if name == "__version__":
            return importlib.import_module("oras.version").__version__
        if name in __all__:
            return importlib.import_module(f"oras.{name}")
        raise AttributeError(f"module 'oras' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the lazy names as well."""
    return sorted({*globals(), *__all__})
