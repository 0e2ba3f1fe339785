"""The copy engine: plan what is missing, copy it leaves first, take referrers along."""
