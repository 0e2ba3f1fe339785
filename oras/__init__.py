"""The names of the user guide, over the core and its adapters.

Only `__version__` is here. Every submodule is also an attribute and is imported when it
is first asked for, so that `import oras` costs next to nothing.
"""

from __future__ import annotations

import importlib
import os

# ruff: noqa: PLR0402 - `from oras import …` in oras itself is a cycle that mypy does not resolve

# Type checkers know the name; importing `typing` for it would be most of this module's cost.
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
    # oras-py (the distribution "oras") installs into this same folder. Where both are
    # in one site directory, each has overwritten files of the other, and uninstalling
    # either deletes them: a mixture that fails late and strangely. Elsewhere on
    # sys.path it does no harm. One listing costs a fraction of importlib.metadata.
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
    # Hidden from type checkers, for which it would make every misspelt name an attribute.

    def __getattr__(name: str) -> object:
        """Import a submodule, or read the version, at its first use (PEP 562)."""
        if name == "__version__":
            return importlib.import_module("oras.version").__version__
        if name in __all__:
            return importlib.import_module(f"oras.{name}")
        raise AttributeError(f"module 'oras' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the lazy names too."""
    return sorted({*globals(), *__all__})
