"""Promote what was tested, and nothing else: from one registry to another, by its digest.

Between the test and the promotion somebody may move the tag; a digest cannot move. Run it
with the addresses of two registries:
`python examples/promote_by_digest.py localhost:5000 localhost:5001`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from oras_adapters import compose, scratch_directory
from oras_core import BytesSource, File, ReferrerFilter, attach, extended_copy, push
from oras_core.content.referrers import is_of_type

REPORT = "application/vnd.example.test-report"
DRAFT = "application/vnd.example.draft"


def main(argv: Sequence[str]) -> None:
    """Test a candidate in the registry `argv[0]`, and promote it to `argv[1]`."""
    with compose() as composition, scratch_directory() as scratch:
        staging = composition.repository(f"{argv[0]}/examples/staging")
        production = composition.repository(f"{argv[1]}/examples/production")

        candidate = push(staging, "candidate", [File("app", BytesSource(b"good"))], scratch=scratch)
        tested = str(candidate.digest)
        for artifact_type in (REPORT, DRAFT):
            attach(staging, tested, [], artifact_type=artifact_type, scratch=scratch)

        # Meanwhile somebody pushes another candidate.
        push(staging, "candidate", [File("app", BytesSource(b"untested"))], scratch=scratch)

        # The report goes along, the drafts stay.
        promoted = extended_copy(
            staging,
            tested,
            production,
            "stable",
            further_tags=["1.0"],
            referrers=ReferrerFilter(is_of_type(REPORT)),
        )
        print(f"promoted what was tested: {promoted.root.digest == candidate.digest}")
        print(
            f"tags in production: {', '.join(sorted(t for t in production.tags() if '-' not in t))}"
        )
        kinds = [referrer.artifact_type for referrer in production.referrers(promoted.root)]
        print(f"attached in production: {kinds}")


if __name__ == "__main__":
    main(sys.argv[1:])
