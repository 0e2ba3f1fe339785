"""The HTTP transport on urllib3, TLS and proxies."""
