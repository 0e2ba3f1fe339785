"""Names that modules import on first access, so that they cost no import.

Most are names that modules of oras-py contain by accident, such as the modules that they
import; some programs use them. `dir()` lists only the names that a module is made for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

__all__ = ["module_attributes"]

_NAMES = {
    "oras.auth": "requests",
    "oras.auth.base": "Optional auth_utils container_type decorator json oras requests subprocess",
    "oras.auth.basic": "os requests",
    "oras.auth.ecr": "Optional container_type re requests",
    "oras.auth.token": "requests",
    "oras.auth.utils": "List Optional base64 oras os re",
    "oras.container": "Optional oras re",
    "oras.decorator": "oras requests time wraps",
    "oras.layout": "layout validation",
    "oras.layout.layout": (
        "_validate_blobs_directory _validate_index_json _validate_oci_layout_file json jsonschema "
        "logger oras pathlib read_json requests write_json"
    ),
    "oras.layout.validation": "json oras pathlib read_json",
    "oras.logger": ("Optional Path Text TextIO Union _logging inspect os platform sys threading"),
    "oras.main.login": "Optional auth_utils oras os",
    "oras.oci": "Dict Optional Tuple copy dataclass hashlib json jsonschema oras os",
    "oras.provider": (
        "Callable DefaultCookiePolicy Generator List Optional PathAndOptionalContent "
        "TemporaryDirectory Tuple Union asdict container_type contextmanager copy decorator "
        "jsonschema login nullcontext oras os requests sys urllib"
    ),
    "oras.types": "Union oras",
    "oras.utils.fileio": (
        "Generator Optional TextIO Union contextmanager errno gzip hashlib io json os pathlib re "
        "shutil stat sys tarfile tempfile"
    ),
    "oras.utils.request": "os urlencode urlparse",
}
"""The names of oras-py 0.2.43, by module."""

_HOMES = {
    **dict.fromkeys(
        (
            *("Callable", "Dict", "Generator", "List", "Optional", "Text", "TextIO", "Tuple"),
            "Union",
        ),
        "typing",
    ),
    **dict.fromkeys(("asdict", "dataclass"), "dataclasses"),
    **dict.fromkeys(("contextmanager", "nullcontext"), "contextlib"),
    **dict.fromkeys(("read_json", "write_json"), "oras.utils.fileio"),
    **dict.fromkeys(
        ("_validate_blobs_directory", "_validate_index_json", "_validate_oci_layout_file"),
        "oras.layout.validation",
    ),
    "ColorizingStreamHandler": "oras.logger.terminal",
    "DefaultCookiePolicy": "http.cookiejar",
    "Path": "pathlib",
    "PathAndOptionalContent": "oras.utils.fileio",
    "TemporaryDirectory": "tempfile",
    "container_type": "oras.types",
    "logger": "oras.logger",
    "temporary_empty_config": "oras._client.files",
    "urlencode": "urllib.parse",
    "urlparse": "urllib.parse",
    "wraps": "functools",
}
"""The modules of the names that are not modules themselves."""

_MODULES = {
    "_logging": "logging",
    "auth_utils": "oras.auth.utils",
    "decorator": "oras.decorator",
    "layout": "oras.layout.layout",
    "login": "oras.main.login",
    "urllib": "urllib.parse",
    "validation": "oras.layout.validation",
}
"""The modules with other names."""


def module_attributes(
    module: str, public: Sequence[str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a module (PEP 562).

    Args:
        module: the name of the module.
        public: its public names, which `dir` lists.
    """
    known = frozenset((*_NAMES.get(module, "").split(), *(set(public) & set(_HOMES))))

    def getattribute(name: str) -> object:
        if name not in known:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        try:
            if name in _HOMES:
                return getattr(import_module(_HOMES[name]), name)
            found = import_module(_MODULES.get(name, name))
        except ImportError as error:
            raise AttributeError(f"module {module!r} has no {name!r}: {error}") from error
        return sys.modules["urllib"] if name == "urllib" else found

    def directory() -> list[str]:
        dunder = (name for name in vars(sys.modules[module]) if name.startswith("__"))
        return sorted({*dunder, *public})

    return getattribute, directory
