"""Libraries that are extras of this project: what needs one is skipped where it is missing."""

from __future__ import annotations

from importlib import import_module

from support.programs import skip_or_fail


def require_module(name: str):
    """The module; where it is missing the test is skipped, and with CI=true it fails."""
    try:
        return import_module(name)
    except ImportError:
        skip_or_fail(f"{name} is not installed (pip install -e '.[tests]')")
