"""Compressions of packed directories."""
