"""OCI image layouts: store artifacts in a folder, and push or pull them."""

from __future__ import annotations

from oras.layout.layout import Layout, NewLayout, NewLayoutFromRegistry

__all__ = ["Layout", "NewLayout", "NewLayoutFromRegistry"]
