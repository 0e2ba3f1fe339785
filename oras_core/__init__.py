"""The pure core: the domain of OCI artifacts and the use cases, without any I/O."""
