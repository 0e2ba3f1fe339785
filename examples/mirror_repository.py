"""Mirror a repository with all tags and referrers, to another registry or within one.

Run it with the addresses of two registries, which may be the same one:
`python examples/mirror_repository.py localhost:5000 localhost:5001`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence

from oras_adapters import compose, scratch_directory
from oras_core import BytesSource, CopyOptions, Descriptor, File, attach, mirror, push
from oras_core.ports import FileTree, ProgressListener, SkipReason, Target


class Recording(ProgressListener):
    """Notes what moves and what does not; one copy tells of its content from many threads."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.contents: dict[str, list[Descriptor]] = defaultdict(list)

    def finished(self, descriptor: Descriptor) -> None:
        """Content has moved."""
        self.contents["moved"].append(descriptor)

    def skipped(self, descriptor: Descriptor, reason: SkipReason) -> None:
        """Content is there already, or the registry takes it from its other repository."""
        self.contents[reason].append(descriptor)


def fill(repository: Target, scratch: FileTree) -> None:
    """Push three versions, which share a file, and sign the last one."""
    common = File("common.bin", BytesSource(bytes(1_000_000)))
    for number in (1, 2, 3):
        notes = File("notes.txt", BytesSource(f"This is v{number}.\n".encode()))
        tags = ["latest"] if number == 3 else []
        push(repository, f"v{number}", [common, notes], scratch=scratch, further_tags=tags)
    attach(
        repository,
        "latest",
        [File("signature", BytesSource(b"signed by nobody"))],
        artifact_type="application/vnd.example.signature",
        scratch=scratch,
    )


def main(argv: Sequence[str]) -> None:
    """Fill a repository of the registry `argv[0]`, and mirror it to `argv[1]`, twice."""
    with compose() as composition, scratch_directory() as scratch:
        source = composition.repository(f"{argv[0]}/examples/versions")
        destination = composition.repository(f"{argv[1]}/examples/mirrored")
        fill(source, scratch)
        for attempt in ("first", "second"):
            recording = Recording()
            mirrored = mirror(source, destination, options=CopyOptions(listener=recording))
            contents = sorted(recording.contents.items())
            counts = ", ".join(f"{len(found)} {word}" for word, found in contents)
            print(f"{attempt} run: {len(mirrored.tags)} tags, contents: {counts}")
        signatures = list(destination.referrers(destination.resolve("latest")))
        print(f"signatures of latest: {len(signatures)}")


if __name__ == "__main__":
    main(sys.argv[1:])
