"""Build manifests, and upload large files while they are hashed."""
