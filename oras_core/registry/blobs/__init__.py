"""Blob downloads and uploads."""
