"""Mirrors of registries that are computed, not stored."""
