"""Directories as reproducible tar archives, and the policy for unpacking them."""
