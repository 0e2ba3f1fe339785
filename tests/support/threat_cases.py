"""One row of the security tables: what is tried, and what must come of it.

A row is data. `threat_stage` sets it up, for this library or for oras-py in a process of its
own; `threat_judge` then says what does not hold.
"""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from support.hostile_registry import HostileRegistry, Login, Rule, Shelf

__all__ = [
    "CANARY",
    "CONTENT",
    "DIRECTORY",
    "FIFO",
    "IDENTITY",
    "OCI_MANIFEST",
    "OLDER",
    "PASSWORD",
    "SECRETS",
    "SIGNATURE",
    "SOCKET",
    "Artifact",
    "Case",
    "Entry",
    "Folders",
    "Layer",
    "Link",
    "Tree",
    "tree_at",
]

PASSWORD = "hunter2-is-a-secret"
IDENTITY = "1dent1ty-t0ken-is-a-secret"
SIGNATURE = "s1gnature-is-a-secret"
USERNAME = "alice"

SECRETS: Mapping[str, str] = {
    "password": PASSWORD,
    "basic": base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode(),
    "token": "b34rer-",
    "identity": IDENTITY,
    "signature": SIGNATURE,
    "header": "team-secret",
}
"""Secrets, which only their own host may see."""

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_FOLDER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONTENT = b"what the stranger sends\n"
OLDER = b"what was here before\n"
CANARY = b"nobody may write here\n"

DIRECTORY = "<directory>"
FIFO = "<fifo>"
SOCKET = "<socket>"

_READABLE = 256 * 1024 * 1024
"""Bytes of a file up to which it is read; of a larger one the size is told."""


@frozen
class Link:
    """A symbolic link on the disk; `{outside}` in its target stands for that folder."""

    target: str


Entry = bytes | str | Link
Tree = Mapping[str, Entry]


# --- Artifacts ----------------------------------------------------------------------------


@frozen
class Layer:
    """A layer with a hostile description.

    Attributes:
        title: under `org.opencontainers.image.title`; None for none.
        content: whose digest and size the descriptor has.
        members: of the descriptor, in place of the right ones; None leaves one out.
        annotations: besides the title.
        folder: whether it is a packed folder, marked as oras and as oras-py do.
    """

    title: Any = "artifact.txt"
    content: bytes = field(default=CONTENT, repr=False)
    members: Mapping[str, Any] = field(factory=dict)
    annotations: Mapping[str, Any] = field(factory=dict)
    folder: bool = False

    def descriptor(self, digest: str) -> dict[str, Any]:
        """Return its JSON form."""
        annotations = {**({} if self.title is None else {_TITLE: self.title}), **self.annotations}
        if self.folder:
            annotations.setdefault("io.deis.oras.content.unpack", "true")
        whole = {
            "mediaType": OCI_FOLDER if self.folder else OCI_LAYER,
            "digest": digest,
            "size": len(self.content),
            "annotations": annotations,
            **self.members,
        }
        return {name: value for name, value in whole.items() if value is not None}


_TITLE = "org.opencontainers.image.title"


@frozen
class Artifact:
    """What the tag `v1` of the repository `app` names.

    Attributes:
        layers: of the manifest.
        members: of the manifest, in place of the right ones; None leaves one out.
        raw: the manifest's bytes, in place of all that.
        media_type: under which it is served.
    """

    layers: Sequence[Layer] = (Layer(),)
    members: Mapping[str, Any] = field(factory=dict)
    raw: bytes | None = field(default=None, repr=False)
    media_type: str = OCI_MANIFEST

    def put_on(self, shelf: Shelf) -> str:
        """Make it available; return the manifest's digest."""
        config = shelf.put_blob(b"{}")
        layers = [each.descriptor(shelf.put_blob(each.content)) for each in self.layers]
        whole = {
            "schemaVersion": 2,
            "mediaType": self.media_type,
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": config,
                "size": 2,
            },
            "layers": layers,
            **self.members,
        }
        document = {name: value for name, value in whole.items() if value is not None}
        content = json.dumps(document).encode() if self.raw is None else self.raw
        return shelf.put_manifest(content, self.media_type, "v1")


# --- Rows ---------------------------------------------------------------------------------


@frozen
class Case:
    """One row.

    Attributes:
        id: the name of the row in documents.
        does: the attack or fault of the registry, the artifact or the machine.
        artifact: the artifact of the registry.
        rules: further behaviour of the registry.
        stranger: the behaviour of another host, to which the registry may redirect.
        login: the credential in the user's docker configuration, which the registry accepts.
        steps: the calls of the user's program; by default a pull of `v1` into `out`.
        before: the entries of `out` before the steps.
        source: the entries of the working directory, to be pushed.
        home: the entries of the home folder, without the docker configuration.
        error: the type of the expected error; empty for none, `A|B` for either.
        words: a pattern that the error's message must match.
        after: the entries of `out` after the steps; None for those before.
        home_after: files that the home folder must have after the steps.
        at_most: the largest number of requests to the registry, by pattern.
        thrift: the same for this library alone; other clients may send more requests.
        shown_at_most: the largest number of requests with a password to the registry.
        at_least: the smallest number of requests to the registry, by pattern.
        tolerated: further entries that another client may leave in `out`.
        stranger_at_most: the largest number of requests to the other host.
        stranger_at_least: the smallest number of requests to the other host.
        stranger_may_see: names of secrets that are for the other host.
        published: patterns that no sent byte may match, uncompressed.
        seconds: the time limit.
        memory: the memory limit in bytes.
        schemes: the URL schemes of the runs of the row.
        tls: the fault of the registry's certificate; empty for none.
        stranger_tls: the fault of the other host's certificate; empty for none.
        check: returns further failed expectations, given the folders and the registry.
        files_change: whether the row itself changes the files to push.
        own: whether the row is about a feature of this library alone; it is not run with others.
        note: a remark about the row.
        module: a library that the row needs.
    """

    id: str
    does: str
    artifact: Artifact | None = field(factory=Artifact)
    rules: tuple[Rule, ...] = ()
    stranger: tuple[Rule, ...] = ()
    login: Login | None = None
    steps: tuple[Mapping[str, Any], ...] = (
        {"do": "pull", "target": "{host}/app:v1", "outdir": "{out}"},
    )
    before: Tree = field(factory=dict)
    source: Tree = field(factory=dict)
    home: Tree = field(factory=dict)
    error: str = ""
    words: str = ""
    after: Tree | None = None
    home_after: Tree = field(factory=dict)
    at_most: Mapping[str, int] = field(factory=dict)
    thrift: Mapping[str, int] = field(factory=dict)
    shown_at_most: int | None = None
    at_least: Mapping[str, int] = field(factory=dict)
    tolerated: Tree = field(factory=dict)
    stranger_at_most: int | None = None
    stranger_at_least: int = 0
    stranger_may_see: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    seconds: float = 5.0
    memory: int | None = None
    schemes: tuple[str, ...] = ("http",)
    tls: str = ""
    stranger_tls: str = ""
    check: Callable[[Folders, HostileRegistry], str] | None = None
    files_change: bool = False
    own: bool = False
    note: str = ""
    module: str = ""


@frozen
class Folders:
    """Where a row happens."""

    root: Path

    @property
    def out(self) -> Path:
        """Where to pull to."""
        return self.root / "out"

    @property
    def outside(self) -> Path:
        """Where nothing may be written."""
        return self.root / "outside"

    @property
    def source(self) -> Path:
        """The working directory."""
        return self.root / "source"

    @property
    def home(self) -> Path:
        """The home."""
        return self.root / "home"

    @property
    def scratch(self) -> Path:
        """Where temporary files go."""
        return self.root / "scratch"

    @property
    def programs(self) -> Path:
        """The first folder of the `PATH`."""
        return self.root / "programs"

    def environment(self) -> dict[str, str]:
        """Return the variables of the process."""
        return {
            "HOME": str(self.home),
            "DOCKER_CONFIG": str(self.home / ".docker"),
            "TMPDIR": str(self.scratch),
            "PATH": f"{self.programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "NO_PROXY": "localhost,127.0.0.1",
            "no_proxy": "localhost,127.0.0.1",
        }


def tree_at(root: Path) -> dict[str, Entry]:
    """Return all that lies below `root`."""
    found: dict[str, Entry] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        status = path.lstat()
        mode = status.st_mode
        if stat.S_ISLNK(mode):
            found[name] = Link(os.readlink(path))
        elif stat.S_ISDIR(mode):
            found[name] = DIRECTORY
        elif stat.S_ISFIFO(mode):
            found[name] = FIFO
        elif stat.S_ISSOCK(mode):
            found[name] = SOCKET
        elif status.st_size > _READABLE:  # planted by a row; too large for the memory
            found[name] = f"<{status.st_size} bytes>"
        else:
            found[name] = path.read_bytes()
    return found
