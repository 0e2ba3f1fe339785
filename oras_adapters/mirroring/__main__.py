"""Runs the command."""

from __future__ import annotations

from oras_adapters.mirroring.command import main

if __name__ == "__main__":
    raise SystemExit(main())
