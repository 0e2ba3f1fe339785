"""Credential stores: docker configuration files, credential helpers, the system keyring."""
