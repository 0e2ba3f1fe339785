"""OCI artifacts as values and operations, reaching the world only through ports."""
