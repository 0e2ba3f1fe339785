"""Setting up one row of the security tables: folders, servers, and a user with a credential."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from support.certificates import CertificateFiles
from support.hostile_registry import HostileRegistry, Shelf
from support.threat_cases import (
    CANARY,
    DIRECTORY,
    FIFO,
    SECRETS,
    SIGNATURE,
    SOCKET,
    Artifact,
    Case,
    Entry,
    Folders,
    Link,
    Tree,
    tree_at,
)

__all__ = ["Stage", "expected_tree", "staged", "surroundings"]


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

    def client_arguments(self, *, foreign: bool = False) -> dict[str, Any]:
        """Return how the client is made; oras-py has to be told which challenge will come."""
        login = self.case.login
        backend = {"auth_backend": "basic"} if foreign and login and login.scheme == "basic" else {}
        trust = {"insecure": True} if self.scheme == "http" else {"tls_verify": self.ca_file}
        return {**trust, **backend}

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
        context = None
        if scheme == "https":
            context = certificates[case.stranger_tls or "right"].server_context()
        stranger = HostileRegistry(*case.stranger, shelf=shelf, tls=context)
        plain = HostileRegistry(shelf=shelf)
        registry.root = root
        addresses = {
            "origin": f"{scheme}://{registry.address}",
            "host": registry.address,
            "scheme": scheme,
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
            program.rename(folders.programs / program.name)
        config = _login_file(case, registry.address)
        if config and ".docker/config.json" not in case.home:
            (folders.home / ".docker").mkdir(exist_ok=True)
            (folders.home / ".docker" / "config.json").write_text(config)
        yield Stage(
            case, scheme, folders, registry, stranger, plain, str(right.ca_file), digest,
            surroundings(folders),
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
        evolve(each, title=_filled(each.title, folders)) if isinstance(each.title, str) else each
        for each in artifact.layers
    ]
    return evolve(artifact, layers=layers)


def surroundings(folders: Folders) -> dict[str, Entry]:
    """Return what lies around `out`, of which nothing may change."""
    found = tree_at(folders.root)
    mine = ("out/", "scratch/", "home/", "programs/")
    return {name: entry for name, entry in found.items() if not name.startswith(mine)}


def expected_tree(tree: Tree, folders: Folders) -> dict[str, Entry]:
    """Return `tree` with the folders above each entry, and placeholders filled in."""
    found: dict[str, Entry] = {}
    for name, entry in tree.items():
        for parent in list(Path(name).parents)[:-1]:
            found[parent.as_posix()] = DIRECTORY
        if isinstance(entry, Link):
            found[name] = Link(_filled(entry.target, folders))
        else:
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
            if path.read_bytes().startswith(b"#!"):
                path.chmod(0o755)


def _make_socket(path: Path) -> None:
    # The address of a socket is short, so the folder is named by its descriptor.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def _login_file(case: Case, host: str) -> str:
    """Return the docker configuration of the row's user."""
    if case.login is None:
        return ""
    entry: dict[str, str] = {"auth": SECRETS["basic"]}
    if case.login.identity:
        entry = {"identitytoken": case.login.identity}
    return json.dumps({"auths": {host: entry}})
