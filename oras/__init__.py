"""The names of the user guide, over the core and its adapters."""
