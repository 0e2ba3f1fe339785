"""Manifests for new artifacts, and the upload of large files while they are hashed."""
