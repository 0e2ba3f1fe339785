"""The implementation behind the names of oras-py."""
