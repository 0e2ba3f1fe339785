"""The copy engine: plan what is missing, copy leaves first, copy referrers too."""
