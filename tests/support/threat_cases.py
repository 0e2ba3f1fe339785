"""One row of the security tables: what is tried, and what must come of it.

A row is data. `observe` lets it happen to this library, or to oras-py in a process of its
own; `objections` then says what does not hold.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import socket
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from attrs import field, frozen

from support.certificates import CertificateFiles
from support.hostile_registry import HostileRegistry, Login, Received, Rule, Shelf

__all__ = [
    "DIRECTORY",
    "FIFO",
    "SOCKET",
    "Artifact",
    "Case",
    "Folders",
    "Layer",
    "Link",
    "Observation",
    "Report",
    "expected_tree",
    "login_file",
    "objections",
    "staged",
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
"""What may not be seen by anybody but whom it is for."""

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_FOLDER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONTENT = b"what the stranger sends\n"
OLDER = b"what was here before\n"
CANARY = b"nobody may write here\n"

DIRECTORY = "<directory>"
FIFO = "<fifo>"
SOCKET = "<socket>"


@frozen
class Link:
    """A symbolic link on the disk; `{outside}` in its target stands for that folder."""

    target: str


Entry = bytes | str | Link
Tree = Mapping[str, Entry]


# --- Artifacts ----------------------------------------------------------------------------


@frozen
class Layer:
    """A layer as a stranger describes it.

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
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
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
        id: names the row in documents.
        does: what the registry, the artifact or the machine does.
        artifact: what is on the registry's shelf.
        rules: what the registry does besides.
        stranger: what another host does, to which the registry may point.
        login: the credential that the user's docker configuration holds, and the registry wants.
        steps: what the user's program does: a pull of `v1` into `out` by default.
        before: what lies in `out`.
        source: what lies in the working directory, to be pushed.
        home: what lies in the home, besides the docker configuration.
        error: the type of error that must come; empty for none.
        words: a pattern that the error's message must have.
        after: what lies in `out` afterwards; None for what lay there before.
        home_after: files that the home must hold afterwards.
        at_most: how often requests of a pattern may come to the registry.
        at_least: how often they must.
        stranger_at_most: how many requests may come to the other host.
        stranger_at_least: how many must.
        stranger_may_see: names of secrets that are meant for the other host.
        published: patterns that nothing sent may match, uncompressed.
        seconds: what it may take.
        memory: bytes that it may take.
        schemes: over what the row runs.
        tls: how the registry's TLS is wrong, if it is.
        note: why a row may be judged differently for others.
    """

    id: str
    does: str
    artifact: Artifact | None = field(factory=Artifact)
    rules: tuple[Rule, ...] = ()
    stranger: tuple[Rule, ...] = ()
    login: Login | None = None
    steps: tuple[Mapping[str, Any], ...] = ({"do": "pull", "target": "{host}/app:v1", "outdir": "{out}"},)
    before: Tree = field(factory=dict)
    source: Tree = field(factory=dict)
    home: Tree = field(factory=dict)
    error: str = ""
    words: str = ""
    after: Tree | None = None
    home_after: Tree = field(factory=dict)
    at_most: Mapping[str, int] = field(factory=dict)
    at_least: Mapping[str, int] = field(factory=dict)
    stranger_at_most: int | None = None
    stranger_at_least: int = 0
    stranger_may_see: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    seconds: float = 5.0
    memory: int | None = None
    schemes: tuple[str, ...] = ("http",)
    tls: str = ""
    check: Callable[[Folders, HostileRegistry], str] | None = None
    note: str = ""


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
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[name] = Link(os.readlink(path))
        elif stat.S_ISDIR(mode):
            found[name] = DIRECTORY
        elif stat.S_ISFIFO(mode):
            found[name] = FIFO
        elif stat.S_ISSOCK(mode):
            found[name] = SOCKET
        else:
            found[name] = path.read_bytes()
    return found


def expected_tree(tree: Tree, folders: Folders) -> dict[str, Entry]:
    """Return `tree` with the folders above each entry, and placeholders filled in."""
    found: dict[str, Entry] = {}
    for name, entry in tree.items():
        for parent in list(Path(name).parents)[:-1]:
            found[parent.as_posix()] = DIRECTORY
        if isinstance(entry, Link):
            entry = Link(_filled(entry.target, folders))
        found[name] = entry
    return found


def _filled(text: str, folders: Folders) -> str:
    return text.replace("{outside}", str(folders.outside)).replace("{out}", str(folders.out))


def _make(tree: Tree, root: Path, folders: Folders) -> None:
    for name, entry in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, Link):
            path.symlink_to(_filled(entry.target, folders))
        elif entry == DIRECTORY:
            path.mkdir(exist_ok=True)
        elif entry == FIFO:
            os.mkfifo(path)
        elif entry == SOCKET:
            _make_socket(path)
        else:
            path.write_bytes(entry if isinstance(entry, bytes) else entry.encode())


def _make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)


def login_file(case: Case, host: str) -> str:
    """Return the docker configuration of the row's user."""
    if case.login is None:
        return ""
    entry: dict[str, str] = {"auth": SECRETS["basic"]}
    if case.login.identity:
        entry = {"identitytoken": case.login.identity}
    return json.dumps({"auths": {host: entry}})


# --- The stage ----------------------------------------------------------------------------


@frozen
class Stage:
    """All that a row needs, set up."""

    case: Case
    scheme: str
    folders: Folders
    registry: HostileRegistry
    stranger: HostileRegistry
    plain: HostileRegistry
    ca_file: str
    digest: str
    before: Mapping[str, Entry]

    def steps(self) -> list[dict[str, Any]]:
        """Return the row's steps, placeholders filled in."""
        return json.loads(self.fill(json.dumps([dict(step) for step in self.case.steps])))

    def client_arguments(self) -> dict[str, Any]:
        """Return how the client is made."""
        if self.scheme == "http":
            return {"insecure": True}
        return {"tls_verify": self.ca_file}

    def fill(self, text: str) -> str:
        """Replace placeholders by addresses and paths."""
        places = {
            **self.registry.addresses,
            "out": str(self.folders.out),
            "outside": str(self.folders.outside),
            "source": str(self.folders.source),
            "home": str(self.folders.home),
            "root": str(self.folders.root),
            "digest": self.digest,
        }
        for name, value in places.items():
            text = text.replace(f"{{{name}}}", value)
        return text


@contextmanager
def staged(
    case: Case, scheme: str, root: Path, certificates: Mapping[str, CertificateFiles]
) -> Iterator[Stage]:
    """Set a row up: folders, registry, another host, and one without TLS."""
    folders = Folders(root)
    for each in ("out", "outside", "source", "home", "scratch", "programs", "out-sibling"):
        (root / each).mkdir()
    (folders.outside / "canary").write_bytes(CANARY)
    shelf = Shelf()
    right = certificates["right"]
    with ExitStack() as stack:
        context = None
        if scheme == "https" and case.tls != "plain":
            context = certificates[case.tls or "right"].server_context()
        registry = HostileRegistry(*case.rules, shelf=shelf, login=case.login, tls=context)
        stranger_tls = right.server_context() if scheme == "https" else None
        stranger = HostileRegistry(*case.stranger, shelf=shelf, tls=stranger_tls)
        plain = HostileRegistry(shelf=shelf)
        registry.root = root
        addresses = {
            "origin": f"{scheme}://{registry.address}",
            "host": registry.address,
            "stranger": stranger.url,
            "stranger_host": stranger.address,
            "plain": plain.url,
            "signature": SIGNATURE,
        }
        for server in (registry, stranger, plain):
            server.addresses = addresses
            stack.enter_context(server)
        digest = _artifact(case, folders).put_on(shelf) if case.artifact else ""
        _make(case.before, folders.out, folders)
        _make(case.source, folders.source, folders)
        _make({n: _text(e, addresses) for n, e in case.home.items()}, folders.home, folders)
        for program in (folders.home / "programs").glob("*"):
            program.chmod(0o755)
            program.rename(folders.programs / program.name)
        config = login_file(case, registry.address)
        if config and ".docker/config.json" not in case.home:
            (folders.home / ".docker").mkdir(exist_ok=True)
            (folders.home / ".docker" / "config.json").write_text(config)
        yield Stage(
            case, scheme, folders, registry, stranger, plain, str(right.ca_file), digest,
            _surroundings(folders),
        )  # fmt: skip


def _text(entry: Entry, addresses: Mapping[str, str]) -> Entry:
    if isinstance(entry, str) and entry not in (DIRECTORY, FIFO, SOCKET):
        for name, value in addresses.items():
            entry = entry.replace(f"{{{name}}}", value)
    return entry


def _artifact(case: Case, folders: Folders) -> Artifact:
    """Return the artifact, placeholders in titles filled in."""
    artifact = case.artifact or Artifact()
    layers = [
        Layer(_filled(each.title, folders), each.content, each.members, each.annotations, each.folder)
        if isinstance(each.title, str)
        else each
        for each in artifact.layers
    ]
    return Artifact(layers, artifact.members, artifact.raw, artifact.media_type)


def _surroundings(folders: Folders) -> dict[str, Entry]:
    """Return what lies around `out`, of which nothing may change."""
    found = tree_at(folders.root)
    mine = ("out/", "scratch/", "home/", "source/.")
    return {name: entry for name, entry in found.items() if not name.startswith(mine)}


# --- Judgement ----------------------------------------------------------------------------


@frozen
class Report:
    """What the client said of itself; see `client_steps.perform`."""

    outcome: str
    kinds: tuple[str, ...]
    text: str
    message: str
    seconds: float
    memory: int


@frozen
class Observation:
    """What came of a row."""

    report: Report
    out: Mapping[str, Entry]
    modes: Mapping[str, int]
    surroundings: Mapping[str, Entry]
    scratch: Mapping[str, Entry]


def observed(stage: Stage, report: Report) -> Observation:
    """Look around after the client is done."""
    folders = stage.folders
    modes = {
        path.relative_to(folders.out).as_posix(): stat.S_IMODE(path.lstat().st_mode)
        for path in folders.out.rglob("*")
        if not path.is_symlink()
    }
    return Observation(
        report, tree_at(folders.out), modes, _surroundings(folders), tree_at(folders.scratch)
    )


def objections(stage: Stage, seen: Observation, *, foreign: bool = False) -> list[str]:
    """Say what does not hold.

    Of `foreign` clients no particular type of error, wording or tidiness is asked, and some
    patience is had with them.
    """
    case, report = stage.case, seen.report
    found = [*_outcome(case, report, foreign=foreign), *_disk(stage, seen, foreign=foreign)]
    found += _traffic(stage)
    found += _leaks(stage, report)
    allowed = max(case.seconds, 20.0) if foreign else case.seconds
    if report.seconds > allowed:
        found.append(f"it took {report.seconds:.1f} seconds")
    if case.memory is not None and report.memory > case.memory:
        found.append(f"it took {report.memory} bytes of memory")
    if case.check is not None and (reason := case.check(stage.folders, stage.registry)):
        found.append(reason)
    return found


def _outcome(case: Case, report: Report, *, foreign: bool) -> Iterator[str]:
    if case.error and report.outcome != "raised":
        yield f"no {case.error} came: it {report.outcome}"
    elif case.error and not foreign and case.error not in report.kinds:
        yield f"in place of {case.error} came {report.kinds[:1]}: {report.message}"
    elif not case.error and report.outcome != "returned":
        yield f"it {report.outcome}: {report.message}"
    if case.words and not foreign and not re.search(case.words, report.message):
        yield f"the message lacks {case.words!r}: {report.message}"


def _disk(stage: Stage, seen: Observation, *, foreign: bool) -> Iterator[str]:
    case, folders = stage.case, stage.folders
    expected = expected_tree(case.before if case.after is None else case.after, folders)
    if seen.out != expected:
        yield f"the folder holds {_difference(expected, seen.out)}"
    if seen.surroundings != stage.before:
        yield f"around the folder {_difference(stage.before, seen.surroundings)}"
    if any(mode & 0o7000 for mode in seen.modes.values()):
        yield "something has the bits of set-user-id, set-group-id or sticky"
    if seen.scratch and not foreign:
        yield f"temporary files are left: {sorted(seen.scratch)}"
    home = tree_at(folders.home)
    for name, entry in case.home_after.items():
        if not _fits(home.get(name), entry):
            yield f"the home's {name} is {home.get(name)!r}"


def _fits(found: Entry | None, expected: Entry) -> bool:
    if isinstance(expected, str) and expected.startswith("json:") and isinstance(found, bytes):
        return json.loads(found) == json.loads(expected.removeprefix("json:"))
    return found == expected


def _difference(expected: Mapping[str, Entry], found: Mapping[str, Entry]) -> str:
    gone = {name for name in expected if name not in found}
    new = {name for name in found if name not in expected}
    other = {n for n in expected if n in found and expected[n] != found[n]}
    return f"missing {sorted(gone)}, new {sorted(new)}, changed {sorted(other)}"[:400]


def _traffic(stage: Stage) -> Iterator[str]:
    case = stage.case
    lines = [request.line for request in stage.registry.received]
    for pattern, bound in case.at_most.items():
        if (count := sum(bool(re.search(pattern, line)) for line in lines)) > bound:
            yield f"{count} requests {pattern!r} came, at most {bound} may"
    for pattern, bound in case.at_least.items():
        if (count := sum(bool(re.search(pattern, line)) for line in lines)) < bound:
            yield f"{count} requests {pattern!r} came, at least {bound} must"
    count = len(stage.stranger.received) + len(stage.stranger.garbage)
    if case.stranger_at_most is not None and count > case.stranger_at_most:
        yield f"the other host got {count} requests"
    if count < case.stranger_at_least:
        yield f"the other host got {count} requests only"
    if stage.scheme == "https" and stage.plain.received:
        yield "a host without TLS was spoken to"
    for request in stage.registry.received:
        for part in _uncompressed(request):
            for pattern in case.published:
                if re.search(stage.fill(pattern).encode(), part):
                    yield f"{request.line} tells {pattern!r}"


def _uncompressed(request: Received) -> list[bytes]:
    parts = [request.everything]
    if request.body.startswith(b"\x1f\x8b"):
        try:
            parts.append(gzip.decompress(request.body))
        except (OSError, EOFError, zlib.error):
            parts.append(zlib.decompressobj(31).decompress(request.body))
    return parts


def _leaks(stage: Stage, report: Report) -> Iterator[str]:
    case = stage.case
    for name, secret in SECRETS.items():
        if secret in report.text:
            yield f"the {name} stands in an error or a log"
        if name in case.stranger_may_see:
            continue
        for request in (*stage.stranger.received, *stage.plain.received):
            own = name == "signature" and SIGNATURE in request.target  # what it was given for
            if secret.encode() in request.everything and not own:
                yield f"another host was shown the {name}: {request.line}"
    for garbage in stage.registry.garbage:
        if any(secret.encode() in garbage for secret in SECRETS.values()):
            yield "a secret was sent as plain text"
