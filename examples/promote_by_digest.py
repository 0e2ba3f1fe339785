"""Promote the artifact that was tested from one registry to another, by its digest.

A tag can move between the test and the promotion; a digest cannot. Run the program with the
addresses of two registries:
`python examples/promote_by_digest.py localhost:5001 localhost:5002`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import oras
from oras_core import BytesSource, File

REPORT = "application/vnd.example.test-report"


def main(argv: Sequence[str]) -> None:
    """Test a candidate in the registry `argv[0]`, and promote it to `argv[1]`."""
    staging, production = f"{argv[0]}/examples/staging", f"{argv[1]}/examples/production"
    with oras.Client() as client:
        tested = client.push(f"{staging}:candidate", File("app", BytesSource(b"good")))
        client.attach(f"{staging}@{tested.digest}", artifact_type=REPORT)

        # Another candidate is pushed to the same tag.
        client.push(f"{staging}:candidate", File("app", BytesSource(b"untested")))

        client.copy(
            f"{staging}@{tested.digest}", f"{production}:stable", referrers=True, tags="1.0"
        )
        is_tested = client.resolve(f"{production}:stable").digest == tested.digest
        print(f"promoted the tested artifact: {is_tested}")
        tags = sorted(tag for tag in client.tags(production) if not tag.startswith("sha256-"))
        print(f"tags in production: {', '.join(tags)}")
        kinds = [found.artifact_type for found in client.referrers(f"{production}:1.0")]
        print(f"attached in production: {', '.join(map(str, kinds))}")


if __name__ == "__main__":
    main(sys.argv[1:])
