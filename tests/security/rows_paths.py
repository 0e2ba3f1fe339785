"""Names and paths: what a title may be, and what may lie on the disk (CWE-22, CWE-59, CWE-158)."""

from __future__ import annotations

import os
from pathlib import Path

from oras_core.model.digest import Digest
from support.hostile_registry import Rule, Touched
from support.threat_cases import (
    CANARY,
    CONTENT,
    DIRECTORY,
    FIFO,
    OLDER,
    SOCKET,
    Artifact,
    Case,
    Layer,
    Link,
)

__all__ = ["ROWS"]

NO_BLOB = {"GET /v2/app/blobs/": 0}


def _refused_title(name: str, title: object, does: str, error: str = "UnsafePathError") -> Case:
    return Case(
        f"path-{name}",
        f"names a layer by {does}",
        Artifact([Layer("first.txt"), Layer(title, b"evil\n")]),
        before={"older.txt": OLDER},
        tolerated={"first.txt": CONTENT},
        error=error,
        thrift=NO_BLOB,
    )


TITLES = [
    _refused_title(*row)
    for row in (
        ("parent", "../escaped", "'..' at the front"),
        ("parent-alone", "..", "'..' alone"),
        ("parent-inside", "a/../../escaped", "'..' in the middle"),
        ("parent-back", "a/..", "'..' at the end"),
        ("parent-harmless", "a/../b", "'..' that comes back"),
        ("parent-dotted", "./../escaped", "'..' after '.'"),
        ("parent-trailing-space", ".. /escaped", "'..' with a space, which Windows drops"),
        ("parent-trailing-dot", ".../escaped", "'..' with a dot, which Windows drops"),
        ("parent-many", "../" * 40 + "tmp/escaped", "many '..'"),
        ("sibling", "../out-sibling/escaped", "a folder whose name begins as ours"),
        ("absolute", "{outside}/escaped", "an absolute path"),
        ("absolute-inside", "{out}/escaped", "an absolute path that leads into the folder"),
        ("absolute-doubled", "//{outside}/escaped", "an absolute path with two slashes"),
        ("backslash", "..\\escaped", "'..' and a backslash"),
        ("backslash-absolute", "\\\\server\\share\\escaped", "a path of the Windows network"),
        ("drive", "C:\\escaped", "a drive letter and a backslash"),
        ("drive-slash", "C:/escaped", "a drive letter and a slash"),
        ("drive-inside", "a/C:/escaped", "a drive letter below a folder"),
        ("nul", "art\0.txt", "NUL"),
        ("nul-suffix", "artifact.txt\0.png", "NUL that hides the suffix"),
        ("newline", "a\nb", "a line feed (CWE-117)"),
        ("carriage-return", "a\rb", "a carriage return"),
        ("escape", "\x1b[2Jartifact", "a terminal escape (CWE-150)"),
        ("escape-c1", "\x9b31martifact", "a terminal escape of eight bits"),
        ("escape-title", "\x1b]0;owned\x07", "an escape that renames the terminal"),
        ("delete", "a\x7f", "DEL"),
        ("override", "a\u202etxt.exe", "an override of the writing direction"),
        ("isolate", "a\u2066b", "an isolate of the writing direction"),
        ("line-separator", "a\u2028b", "a line separator"),
        ("surrogate", "a\ud800b", "half a character"),
        ("dot", ".", "'.'"),
        ("dot-slash", "./", "'./'"),
        ("slashes", "././/.", "nothing but dots and slashes"),
        ("long-component", "x" * 256, "a name that no file system takes"),
        ("long-component-utf8", "\u00e9" * 128, "a name too long in UTF-8"),
        ("long-path", "/".join(["x" * 200] * 25), "a path that no system takes"),
        ("number", 7, "a number", "InvalidManifestError"),
        ("list", ["../escaped"], "a list", "InvalidManifestError"),
    )
]

TWICE = [
    Case(
        "path-same-title",
        "gives two layers of different content one title",
        Artifact([Layer("a.txt", b"one\n"), Layer("a.txt", b"two\n")]),
        before={"a.txt": OLDER},
        error="TitleCollisionError",
        thrift=NO_BLOB,
    ),
    Case(
        "path-same-title-spelt",
        "gives two layers one title in two spellings",
        Artifact([Layer("d/a.txt", b"one\n"), Layer("./d//a.txt", b"two\n")]),
        error="TitleCollisionError",
        thrift=NO_BLOB,
    ),
    Case(
        "path-inside-another",
        "gives one layer the title of another's folder",
        Artifact([Layer("a/b.txt", b"one\n"), Layer("a", b"two\n")]),
        before={"older.txt": OLDER},
        error="TitleCollisionError",
        thrift=NO_BLOB,
    ),
    Case(
        "path-backslash-inside",
        "names a layer with a backslash, which only Windows takes for a separator",
        Artifact([Layer("a\\b")]),
        after={"a\\b": CONTENT},
    ),
    Case(
        "path-drive-relative",
        "names a layer with a colon, which only Windows takes for a drive",
        Artifact([Layer("c:escaped")]),
        after={"c:escaped": CONTENT},
    ),
    Case(
        "path-same-layer",
        "names the same layer twice",
        Artifact([Layer("a.txt"), Layer("a.txt")]),
        after={"a.txt": CONTENT},
    ),
    Case(
        "path-two-titles",
        "gives one content two titles",
        Artifact([Layer("a.txt"), Layer("d/b.txt")]),
        after={"a.txt": CONTENT, "d/b.txt": CONTENT},
    ),
    Case(
        "path-normalised",
        "names a layer with needless dots and slashes",
        Artifact([Layer("./d//e/./a.txt")]),
        after={"d/e/a.txt": CONTENT},
    ),
    Case(
        "path-digest-title",
        "names a layer by a digest that is another one's",
        Artifact([Layer("sha256:" + "0" * 64)]),
        after={"sha256:" + "0" * 64: CONTENT},
    ),
    Case(
        "path-empty",
        "gives a layer an empty title",
        Artifact([Layer("")]),
        after={str(Digest.of(CONTENT)): CONTENT},
        note="it is then named by its digest, as one without a title",
    ),
    Case(
        "path-untitled",
        "gives a layer no title",
        Artifact([Layer(None)]),
        after={str(Digest.of(CONTENT)): CONTENT},
    ),
    Case(
        "path-dashes",
        "names a layer as an option is written",
        Artifact([Layer("-rf")]),
        after={"-rf": CONTENT},
    ),
    Case(
        "path-config-title",
        "gives the config a title that leads out",
        Artifact(
            [Layer()],
            {
                "config": {
                    "mediaType": "application/vnd.oci.empty.v1+json",
                    "digest": str(Digest.of(b"{}")),
                    "size": 2,
                    "annotations": {"org.opencontainers.image.title": "../escaped"},
                }
            },
        ),
        after={"artifact.txt": CONTENT},
    ),
]


def _disk(name: str, does: str, title: str, before: dict, error: str = "UnsafePathError") -> Case:
    return Case(f"disk-{name}", does, Artifact([Layer(title)]), before=before, error=error)


DISK = [
    _disk(
        "link-folder", "writes through a linked folder", "link/a.txt", {"link": Link("../outside")}
    ),
    _disk(
        "link-folder-absolute",
        "writes through a folder linked by an absolute path",
        "link/a.txt",
        {"link": Link("{outside}")},
    ),
    _disk(
        "link-folder-inside",
        "writes through a linked folder that is inside",
        "link/a.txt",
        {"link": Link("real"), "real": DIRECTORY},
    ),
    _disk(
        "link-folder-deep",
        "writes through a linked folder further down",
        "a/b/link/c.txt",
        {"a/b/link": Link("../../../outside")},
    ),
    _disk(
        "link-file",
        "replaces a link to a file outside",
        "a.txt",
        {"a.txt": Link("../outside/canary")},
    ),
    _disk(
        "link-dangling", "writes to where a link leads", "a.txt", {"a.txt": Link("../outside/new")}
    ),
    _disk("link-loop", "writes through a link to itself", "a/b.txt", {"a": Link("a")}),
    _disk(
        "link-parent", "writes through a link to the folder above", "up/a.txt", {"up": Link("..")}
    ),
    _disk("folder", "writes a file where a folder lies", "a", {"a/b.txt": OLDER}),
    _disk("fifo", "writes a file where a FIFO lies", "a", {"a": FIFO}),
    _disk("socket", "writes a file where a socket lies", "a", {"a": SOCKET}),
    _disk(
        "file-as-folder",
        "writes below a file",
        "a.txt/b.txt",
        {"a.txt": OLDER},
        "FileAccessError",
    ),
    Case(
        "disk-older-replaced",
        "replaces an older file",
        before={"artifact.txt": OLDER, "other.txt": OLDER},
        after={"artifact.txt": CONTENT, "other.txt": OLDER},
    ),
]


def _swap(root: Path) -> None:
    """Put a link in the place of the folder that is being written to."""
    folder = root / "out" / "sub"
    if not folder.is_symlink():
        folder.rename(root / "out" / "moved")
        folder.symlink_to(root / "outside")


def _plant_link(root: Path) -> None:
    """Put a link where the file is about to appear."""
    (root / "out" / "artifact.txt").symlink_to(root / "outside" / "canary")


def _plant_folder(root: Path) -> None:
    (root / "out" / "artifact.txt").mkdir()


def _hard_link(root: Path) -> None:
    """Let the older file be the outer one's second name."""
    if not (root / "out" / "artifact.txt").exists():
        os.link(root / "outside" / "canary", root / "out" / "artifact.txt")


BLOB = r"GET /v2/app/blobs/"

SWAPPED = [
    Case(
        "disk-swapped-folder",
        "answers while somebody swaps the folder for a link",
        Artifact([Layer("sub/artifact.txt")]),
        (Rule(BLOB, (Touched(_swap, "halfway"),)),),
        before={"sub/older.txt": OLDER},
        after={
            "moved/older.txt": OLDER,
            "moved/artifact.txt": CONTENT,
            "sub": Link("{outside}"),
        },
        note="the file lands in the folder that was open, wherever it is now",
    ),
    Case(
        "disk-swapped-before",
        "answers after somebody swapped the folder for a link",
        Artifact([Layer("sub/artifact.txt")]),
        (Rule("GET /v2/app/manifests/v1", (Touched(_swap),)),),
        before={"sub/older.txt": OLDER},
        error="UnsafePathError",
        after={"moved/older.txt": OLDER, "sub": Link("{outside}")},
    ),
    Case(
        "disk-planted-link",
        "answers while somebody puts a link where the file will be",
        rules=(Rule(BLOB, (Touched(_plant_link, "halfway"),)),),
        error="UnsafePathError",
        after={"artifact.txt": Link("{outside}/canary")},
    ),
    Case(
        "disk-planted-folder",
        "answers while somebody puts a folder where the file will be",
        rules=(Rule(BLOB, (Touched(_plant_folder, "halfway"),)),),
        error="UnsafePathError",
        after={"artifact.txt": DIRECTORY},
    ),
    Case(
        "disk-hard-link",
        "replaces a file that is the second name of one outside",
        rules=(Rule("GET /v2/app/manifests/v1", (Touched(_hard_link),)),),
        after={"artifact.txt": CONTENT},
        check=lambda folders, _: (
            ""
            if (folders.outside / "canary").read_bytes() == CANARY
            else "the file outside was written to"
        ),
    ),
]

ROWS = [*TITLES, *TWICE, *DISK, *SWAPPED]
