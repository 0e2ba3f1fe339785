"""OCI image layouts: artifacts in a folder, from and to a registry."""

from __future__ import annotations

from oras.layout.layout import Layout, NewLayout, NewLayoutFromRegistry

__all__ = ["Layout", "NewLayout", "NewLayoutFromRegistry"]
