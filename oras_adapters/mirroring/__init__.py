"""Mirrors of whole registries: the rules file, the ledger on disk, the workers, the command."""
