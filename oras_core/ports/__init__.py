"""What the core asks of the world, as small protocols.

An implementer subclasses nothing: whatever has the methods is an implementation. Each
port has a contract suite in `oras_core.testing`.
"""
