"""OCI image layouts: store artifacts in a folder, and push or pull them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oras._names import module_attributes
from oras.layout.layout import Layout, NewLayout, NewLayoutFromRegistry

__all__ = ["Layout", "NewLayout", "NewLayoutFromRegistry"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)
