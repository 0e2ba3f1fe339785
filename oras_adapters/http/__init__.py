"""The HTTP transport, TLS and proxies."""
