"""Transports that wrap a transport: retries, redirects, error translation, default headers."""
