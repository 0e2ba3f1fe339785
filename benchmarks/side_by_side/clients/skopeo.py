"""skopeo, which copies images; a prepared folder in its `dir` layout is pushed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from side_by_side.clients.client import Command, Job
from side_by_side.clients.manifest import EMPTY_CONFIG, EMPTY_DIGEST, layers_of, manifest_of
from side_by_side.workloads import Step


@frozen
class Skopeo:
    """The program skopeo."""

    version: str
    program: str
    name: str = field(default="skopeo", init=False)

    def command(self, job: Job) -> Command | None:
        """Copy or list; it packs no folder."""
        registry = f"docker://{job.target}"
        match job.step:
            case Step.PUSH | Step.PUSH_AGAIN if not job.content.is_folder:
                source = job.scratch / "image"
                _write_image(source, job.content.digests())
                return self._run("copy", "--dest-tls-verify=false", f"dir:{source}", registry)
            case Step.PULL | Step.PULL_AGAIN if not job.content.is_folder:
                return self._run("copy", "--src-tls-verify=false", registry, f"dir:{job.output}")
            case Step.LIST:
                return self._run("list-tags", "--tls-verify=false", registry.rpartition(":")[0])
        return None

    def _run(self, verb: str, *arguments: str) -> Command:
        whole = ("--quiet", "--preserve-digests") if verb == "copy" else ()
        # Its cache of where blobs are is then in memory. On disk it would be new for every process,
        # and be waited for in steps of 50 ms; for root it would also be that of the machine.
        environment = {"XDG_DATA_HOME": os.devnull, "_CONTAINERS_ROOTLESS_UID": "1"}
        return Command(
            (self.program, "--insecure-policy", verb, *whole, *arguments), environment=environment
        )


def _write_image(folder: Path, digests: Mapping[Path, str]) -> None:
    folder.mkdir()
    for path, digest in digests.items():
        _link(path, folder / digest)
    (folder / EMPTY_DIGEST).write_bytes(EMPTY_CONFIG)
    (folder / "manifest.json").write_text(
        json.dumps(manifest_of(layers_of(digests))), encoding="utf-8"
    )
    (folder / "version").write_text("Directory Transport Version: 1.1\n", encoding="ascii")


def _link(path: Path, link: Path) -> None:
    try:
        link.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, link)
