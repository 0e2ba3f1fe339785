"""Mirrors larger than one machine: a plan of jobs, workers, a ledger and its report."""
