"""curl and sha256sum: the cost of the transfer itself.

The manifest and the lists of addresses are made beforehand. What is left is what no client can do
without: hash every file that is pushed, send it in two requests, fetch what is pulled, and hash it.
Eight transfers run at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from side_by_side.clients.client import REPOSITORY, TAG, Command, Job
from side_by_side.clients.manifest import (
    EMPTY_CONFIG,
    EMPTY_DIGEST,
    MANIFEST_TYPE,
    layers_of,
    manifest_of,
)
from side_by_side.workloads import Step

_CURL = "curl --no-progress-meter --fail --parallel --parallel-max 8"

# One upload session is as good as another, so that the order of the answers does not matter.
_SEND = f"""
{_CURL} --data '' --write-out '%header{{location}}\\n' "$BASE/blobs/uploads/?[1-$COUNT]" > sessions
paste -d ' ' sessions blobs | while read -r session digest path; do
  printf 'url="%s&digest=sha256:%s"\\nupload-file="%s"\\n' "$session" "$digest" "$path"
done > puts
{_CURL} --header 'Expect:' --header 'Content-Type: application/octet-stream' --config puts
"""

_NAME = f"""
{_CURL} --header 'Content-Type: {MANIFEST_TYPE}' --upload-file manifest "$BASE/manifests/$TAG"
"""

_RESOLVE = f"""
{_CURL} --header 'Accept: {MANIFEST_TYPE}' --output fetched "$BASE/manifests/$TAG"
"""

_HASH = "sha256sum --check --quiet sums\n"

_SCRIPTS = {
    Step.PUSH: _HASH + _SEND + _NAME,
    Step.PUSH_AGAIN: f"{_HASH}{_CURL} --head --config heads > headers{_NAME}",
    Step.PULL: f"{_RESOLVE}{_CURL} --config gets\n{_HASH}",
    Step.PULL_AGAIN: _RESOLVE + _HASH,
    Step.LIST: f'{_CURL} --output tags "$BASE/tags/list"\n',
}

_PACK = """
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$PARENT" -cf - "$NAME" |
  gzip -6 --no-name | tee layer | sha256sum > packed
read -r digest _ < packed
echo "$digest layer" >> blobs
sed -e "s/DIGEST/$digest/" -e "s/\\"SIZE\\"/$(stat -c %s layer)/" template > manifest
"""

_UNPACK = f"""
{_RESOLVE}
digest=$(grep -o '"digest":"[^"]*' fetched | tail -n 1 | cut -d '"' -f 4)
{_CURL} "$BASE/blobs/$digest" | tee >(sha256sum > unpacked) | tar -xzf - -C "$OUTPUT"
"""

_FOLDER_SCRIPTS = {Step.PUSH: _PACK + _SEND + _NAME, Step.PULL: _UNPACK}


@frozen
class Curl:
    """The program curl, driven by a shell script."""

    version: str
    shell: str
    name: str = field(default="curl", init=False)

    def command(self, job: Job) -> Command | None:
        """Prepare all but the transfer."""
        folder = job.content.is_folder
        script = (_FOLDER_SCRIPTS if folder else _SCRIPTS).get(job.step)
        if script is None:
            return None
        base = f"{job.scheme}://{job.address}/v2/{REPOSITORY}"
        environment = {"BASE": base, "TAG": TAG, "OUTPUT": str(job.output)}
        if job.ca_file is not None:
            environment["CURL_CA_BUNDLE"] = str(job.ca_file)
        (job.scratch / "config").write_bytes(EMPTY_CONFIG)
        if folder:
            environment |= _prepare_folder(job)
        else:
            environment |= _prepare_files(job, base, job.content.digests())
        return Command((self.shell, "-euo", "pipefail", "-c", script), environment=environment)


def _prepare_folder(job: Job) -> dict[str, str]:
    (folder,) = job.content.paths
    manifest = manifest_of([(folder.name, "DIGEST", "SIZE")])
    (job.scratch / "template").write_text(json.dumps(manifest), encoding="utf-8")
    (job.scratch / "blobs").write_text(f"{EMPTY_DIGEST} config\n", encoding="utf-8")
    return {"COUNT": "2", "PARENT": str(folder.parent), "NAME": folder.name}


def _prepare_files(job: Job, base: str, digests: Mapping[Path, str]) -> dict[str, str]:
    here = {path: path for path in digests}
    if job.step in (Step.PULL, Step.PULL_AGAIN):
        here = {path: job.output / path.name for path in digests}
    urls = {path: f"{base}/blobs/sha256:{digest}" for path, digest in digests.items()}
    prepared = {
        "manifest": json.dumps(manifest_of(layers_of(digests))),
        "blobs": f"{EMPTY_DIGEST} config\n"
        + "".join(f"{digest} {path}\n" for path, digest in digests.items()),
        "sums": "".join(f"{digest}  {here[path]}\n" for path, digest in digests.items()),
        "heads": "".join(f'url="{url}"\n' for url in urls.values()),
        "gets": "".join(f'url="{url}"\noutput="{here[path]}"\n' for path, url in urls.items()),
    }
    for name, text in prepared.items():
        (job.scratch / name).write_text(text, encoding="utf-8")
    return {"COUNT": str(len(digests) + 1)}
