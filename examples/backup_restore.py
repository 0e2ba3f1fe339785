"""Back up a repository to a folder and to one tar file, and restore it.

Both are OCI image layouts, which other tools read: `skopeo inspect oci:backup:v1`,
`skopeo inspect oci-archive:backup.tar:v1`. Run it with the address of a registry:
`python examples/backup_restore.py localhost:5001`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import oras
from oras_core import BytesSource, File


def main(argv: Sequence[str]) -> None:
    """Fill a repository of the registry `argv[0]`, back it up, restore it by other names."""
    source = f"{argv[0]}/examples/precious"
    with oras.Client() as client, tempfile.TemporaryDirectory() as name:
        root = client.push(f"{source}:v1", File("a.txt", BytesSource(b"precious\n")))
        client.attach(f"{source}:v1", artifact_type="application/vnd.example.note")
        for backup in (Path(name, "backup"), Path(name, "backup.tar")):
            backed_up = client.backup(source, backup)
            restored = f"{argv[0]}/examples/restored-{backup.suffix.strip('.') or 'folder'}"
            client.restore(backup, restored)
            is_equal = client.resolve(f"{restored}:v1").digest == root.digest
            attached = len(list(client.referrers(f"{restored}:v1")))
            tags = ", ".join(backed_up.tags)
            print(f"{backup.name}: {tags}; equal: {is_equal}; attached: {attached}")


if __name__ == "__main__":
    main(sys.argv[1:])
