"""The OCI distribution spec, over the HTTP port."""
