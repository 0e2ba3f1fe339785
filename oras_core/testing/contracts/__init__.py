"""Contract suites: one for each port."""
