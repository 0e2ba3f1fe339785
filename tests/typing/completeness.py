"""Check how much of each package's public interface has known types, by pyright.

    python tests/typing/completeness.py

The packages must be installed, as users have them. The status is 1 below the bar.
"""

from __future__ import annotations

import json
import subprocess
import sys

PACKAGES = ("oras_core", "oras_adapters", "oras")
LEAST = 0.99


def completeness(package: str) -> float:
    """Return the share of a package's public symbols whose types are known."""
    command = ["pyright", "--verifytypes", package, "--ignoreexternal", "--outputjson"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    score: float = json.loads(run.stdout)["typeCompleteness"]["completenessScore"]
    return score


def main() -> int:
    """Print the share for each package."""
    scores = {package: completeness(package) for package in PACKAGES}
    for package, score in scores.items():
        sys.stdout.write(f"{package}: {score:.2%}\n")
    return int(min(scores.values()) < LEAST)


if __name__ == "__main__":
    sys.exit(main())
