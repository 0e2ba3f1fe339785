"""OCI image layouts: the store, its files, its index, its locks and its tar archive."""
