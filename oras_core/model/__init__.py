"""The values of the domain: frozen, without I/O."""
