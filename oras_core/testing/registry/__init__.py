"""The embedded registry: an HTTP transport that answers as a registry does."""
