"""The copy engine: plan the missing blobs, copy leaves first, copy referrers too."""
