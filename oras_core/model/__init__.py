"""Immutable values of the domain, without I/O."""
