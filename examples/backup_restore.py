"""Back a repository up, into a folder and into one tar file, and restore it.

The folder is an OCI image layout, which other tools read too, for example with
`skopeo inspect oci:FOLDER:v1` or `skopeo inspect oci-archive:backup.tar:v1`. Run it with
the address of a registry: `python examples/backup_restore.py localhost:5000`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from oras_adapters import compose, scratch_directory
from oras_core import (
    BytesSource,
    File,
    attach,
    backup,
    backup_to_archive,
    discover,
    push,
    restore,
    restore_from_archive,
    sanitize_path,
)


def main(argv: Sequence[str]) -> None:
    """Fill a repository of the registry `argv[0]`, back it up, restore it under other names."""
    archive = sanitize_path("backup.tar")
    with (
        compose() as composition,
        scratch_directory() as scratch,
        scratch_directory() as folder,
        scratch_directory() as shelf,
    ):
        repository = composition.repository(f"{argv[0]}/examples/precious")
        push(repository, "v1", [File("a.txt", BytesSource(b"precious\n"))], scratch=scratch)
        attach(repository, "v1", [], artifact_type="application/vnd.example.note", scratch=scratch)

        backed_up = backup(repository, folder)
        print(f"backed up: {', '.join(backed_up.tags)}")
        with scratch_directory() as unpacked:
            backup_to_archive(repository, shelf, archive, scratch=unpacked)
        entry = shelf.entry(archive)
        print(f"the archive has {'some' if entry and entry.size else 'no'} bytes")

        from_folder = composition.repository(f"{argv[0]}/examples/from-folder")
        from_archive = composition.repository(f"{argv[0]}/examples/from-archive")
        restore(folder, from_folder)
        with scratch_directory() as unpacked:
            restore_from_archive(shelf, archive, from_archive, scratch=unpacked)
        for restored in (from_folder, from_archive):
            same = restored.resolve("v1").digest == repository.resolve("v1").digest
            attached = len(discover(restored, "v1").referrers)
            print(f"{restored.name}: the same is {same}, attached are {attached}")


if __name__ == "__main__":
    main(sys.argv[1:])
