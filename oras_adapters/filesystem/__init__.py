"""Artifacts as a file system of fsspec."""
