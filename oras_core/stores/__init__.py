"""Targets that are no registry: memory, a folder of files, an OCI layout."""
