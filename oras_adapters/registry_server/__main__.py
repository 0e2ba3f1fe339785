"""Run a registry: `python -m oras_adapters.registry_server --help`."""

from __future__ import annotations

from oras_adapters.registry_server.program import main

if __name__ == "__main__":
    raise SystemExit(main())
