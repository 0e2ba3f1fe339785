"""Pushing: files that change, registries that refuse or lie, and private data."""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve

from oras_core.model.digest import Digest
from support.hostile_registry import (
    HONEST,
    Altered,
    Answer,
    Endless,
    HangUp,
    HostileRegistry,
    Login,
    Play,
    Reset,
    Rule,
    Stall,
    Touched,
    WithHeaders,
)
from support.threat_cases import CONTENT, FIFO, PASSWORD, SOCKET, Case, Folders, Link

__all__ = ["ROWS"]

ZEROS = "sha256:" + "0" * 64
POST = "POST /v2/app/blobs/uploads"
PUT = "PUT /v2/app/blobs/uploads"
PATCH = "PATCH /v2/app/blobs/uploads"
MANIFEST = "PUT /v2/app/manifests/"
NO_MANIFEST = {MANIFEST: 0}
MIB = 1024 * 1024
LARGE = bytes(range(256)) * 4096 * 12  # 12 MiB, more than sockets keep
PUT_LARGE = f"{PUT}.*digest={Digest.of(LARGE)}"
SOURCE = {"artifact.txt": CONTENT}
BASIC = Login("basic", password=PASSWORD)


def _push(*files: str, **more: Any) -> tuple[dict[str, Any], ...]:
    return ({"do": "push", "target": "{host}/app:v1", "files": list(files), **more},)


WHOLE = _push("artifact.txt")
CHUNKED = _push("artifact.txt", do_chunked=True, chunk_size=MIB)


def _case(name: str, does: str, *rules: Rule, **more: Any) -> Case:
    return Case(
        f"push-{name}",
        does,
        None,
        rules,
        **{"steps": WHOLE, "source": SOURCE, **more},
    )


# --- Files that change --------------------------------------------------------------------


def _on(name: str, act: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda root: act(root / "source" / name)


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _rewrite(path: Path) -> None:
    """Change a byte, and restore the times of the file."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"X")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"Y" * path.stat().st_size)
    other.replace(path)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def _swap_for_link(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/etc/passwd")


CHANGES = (
    ("grows", "grows", _append),
    ("shrinks", "shrinks", _shrink),
    ("rewritten", "is written to, and its times put back", _rewrite),
    ("replaced", "is replaced", _replace),
    ("vanishes", "vanishes", _unlink),
    ("linked", "is swapped for a link to a file of the system", _swap_for_link),
)

CHANGING = [
    evolve(case, source={"artifact.txt": LARGE}, at_most=NO_MANIFEST, files_change=True)
    for name, does, act in CHANGES
    for case in (
        _case(
            f"file-{name}-before",
            f"is pushed a file that {does} before it is sent",
            Rule(POST, (Touched(_on("artifact.txt", act)),)),
            error="SourceChangedError",
        ),
        _case(
            f"file-{name}-midway",
            f"is pushed a file that {does} while it is sent",
            Rule(PUT_LARGE, (Touched(_on("artifact.txt", act), "midbody"),), reads=MIB),
            error="SourceChangedError",
        ),
        _case(
            f"file-{name}-chunked",
            f"is pushed a file in chunks that {does} meanwhile",
            Rule(rf"{PATCH}.*_state={MIB}$", (Touched(_on("artifact.txt", act)),)),
            steps=CHUNKED,
            error="SourceChangedError",
        ),
    )
]


# A file that vanished or was swapped in the middle was open: its bytes are the old ones, whole.
CHANGING = [
    case
    for case in CHANGING
    if case.id not in ("push-file-vanishes-midway", "push-file-vanishes-chunked")
]

# --- Folders ------------------------------------------------------------------------------

FOLDER = _push("folder")

FOLDERS = [
    _case(
        f"folder-{name}",
        f"is pushed a folder that holds {does}",
        steps=FOLDER,
        source={"folder/good.txt": CONTENT, **entries},
        error="UnsafePathError",
        at_most={"": 0},
    )
    for name, does, entries in (
        ("link-outside", "a link to a folder outside", {"folder/l": Link("../../outside")}),
        ("link-file", "a link to a file outside", {"folder/l": Link("../../outside/canary")}),
        ("link-absolute", "a link to an absolute path", {"folder/l": Link("{outside}/canary")}),
        ("link-etc", "a link to a file of the system", {"folder/l": Link("/etc/passwd")}),
        (
            "link-chain",
            "links that lead outside together",
            {"folder/a": Link("."), "folder/b": Link("a/..")},
        ),
        ("link-loop", "a link to itself", {"folder/l": Link("l")}),
        ("fifo", "a FIFO", {"folder/f": FIFO}),
        ("socket", "a socket", {"folder/s": SOCKET}),
        ("newline", "a file whose name has a line feed", {"folder/a\nb": CONTENT}),
        ("escape", "a file whose name steers the terminal", {"folder/\x1b[2J": CONTENT}),
    )
] + [
    _case(
        "folder-backslash",
        "is pushed a folder that holds a file whose name has a backslash",
        steps=FOLDER,
        source={"folder/good.txt": CONTENT, "folder/a\\b": CONTENT},
        at_least={MANIFEST: 1},
    ),
    _case(
        "folder-link-inside",
        "is pushed a folder that holds a link to a file in it",
        steps=FOLDER,
        source={"folder/good.txt": CONTENT, "folder/sub/l": Link("../good.txt")},
        at_least={MANIFEST: 1},
    ),
    _case(
        "fifo",
        "is pushed a FIFO",
        steps=_push("pipe"),
        source={"pipe": FIFO},
        error="FileAccessError",
        at_most={"": 0},
        seconds=2,
    ),
    _case(
        "missing",
        "is pushed a file that is not there",
        steps=_push("none.txt"),
        error="FileNotFoundError",
        at_most={"": 0},
    ),
    _case(
        "outside",
        "is pushed a file from outside the working directory",
        steps=_push("../outside/canary"),
        error="ValueError",
        at_most={"": 0},
    ),
    _case(
        "outside-absolute",
        "is pushed a file by an absolute path outside",
        steps=_push("{outside}/canary"),
        error="ValueError",
        at_most={"": 0},
    ),
    _case(
        "outside-sibling",
        "is pushed a file of a folder whose name begins alike",
        steps=_push("../source-2/x"),
        error="FileNotFoundError|ValueError",
        at_most={"": 0},
    ),
    _case(
        "same-title",
        "is pushed two files of one name",
        steps=_push("a/x.txt", "b/x.txt"),
        source={"a/x.txt": CONTENT, "b/x.txt": b"other\n"},
        error="TitleCollisionError",
        at_most={"": 0},
    ),
]

# --- What is published --------------------------------------------------------------------

PERSONAL = (
    "{root}",
    "{home}",
    rf"\b{getpass.getuser()}\b",
    rf"\b{socket.gethostname()}\b",
    r"/tmp/",
    "/home/",
)

PUBLISHED = [
    _case(
        f"private-{name}",
        f"is pushed {does}, and reads all that comes",
        steps=steps,
        source=source,
        published=PERSONAL,
        at_least={MANIFEST: 1},
    )
    for name, does, steps, source in (
        ("file", "a file", WHOLE, SOURCE),
        (
            "absolute",
            "a file by an absolute path",
            _push("{source}/artifact.txt", disable_path_validation=True),
            SOURCE,
        ),
        ("folder", "a folder", FOLDER, {"folder/a.txt": CONTENT, "folder/sub/b.txt": CONTENT}),
        (
            "folder-absolute",
            "a folder by an absolute path",
            _push("{source}/folder", disable_path_validation=True),
            {"folder/a.txt": CONTENT},
        ),
        (
            "folder-slash",
            "a folder with a slash behind it",
            _push("folder/"),
            {"folder/a.txt": CONTENT},
        ),
    )
]

# --- Registries that refuse, forget and lie ------------------------------------------------


def _refusing(
    name: str, does: str, pattern: str, play: Play, error: str = "RegistryError", **more: Any
) -> Case:
    return _case(
        name,
        does,
        Rule(pattern, (play,)),
        error=error,
        **{"at_most": NO_MANIFEST if pattern != MANIFEST else {MANIFEST: 4}, "seconds": 10, **more},
    )


def _location(address: str) -> Altered:
    return Altered(lambda honest: evolve(honest, headers={**honest.headers, "Location": address}))


def _relative(honest: Answer) -> Answer:
    path = honest.headers["Location"]
    return evolve(honest, headers={**honest.headers, "Location": path.partition("/uploads/")[2]})


def _with_query(honest: Answer) -> Answer:
    address = honest.headers["Location"] + "&flag&_x=a%2Fb&sig={signature}"
    return evolve(honest, headers={**honest.headers, "Location": address})


def _absolute(honest: Answer) -> Answer:
    address = "{origin}" + honest.headers["Location"]
    return evolve(honest, headers={**honest.headers, "Location": address})


REFUSING = [
    _refusing("post-403", "forbids the upload", POST, Answer("403 Forbidden"), "AccessDeniedError"),
    _refusing(
        "post-404",
        "knows no such repository",
        POST,
        Answer("404 Not Found", {}, '{"errors":[{"code":"NAME_UNKNOWN"}]}'),
        "NotFoundError",
    ),
    _refusing("post-405", "takes no uploads", POST, Answer("405 Method Not Allowed")),
    _refusing("post-200", "says 200 to everything, as web servers do", POST, Answer(body="<html>")),
    _refusing(
        "post-no-location", "begins an upload, and does not say where", POST, Answer("202 Accepted")
    ),
    _refusing(
        "post-201-other",
        "says that it holds another blob, though no mount was requested",
        POST,
        Answer("201 Created", {"Docker-Content-Digest": ZEROS}),
    ),
    _refusing(
        "post-500",
        "fails at every upload",
        POST,
        Answer("500 Oops"),
        at_most={POST: 6, **NO_MANIFEST},
    ),
    _refusing(
        "put-403",
        "forbids the end of an upload",
        PUT,
        Answer("403 Forbidden"),
        "AccessDeniedError",
        at_most={PUT: 4, **NO_MANIFEST},
    ),
    _refusing("put-200", "says 200 at the end of an upload", PUT, Answer("200 OK")),
    _refusing(
        "put-202",
        "says 202 at the end of an upload, as Docker Hub fails (R19)",
        PUT,
        Answer("202 Accepted"),
    ),
    _refusing("put-204", "says 204 at the end of an upload", PUT, Answer("204 No Content")),
    _refusing(
        "put-other",
        "says that it stored something else",
        PUT,
        WithHeaders(Docker_Content_Digest=ZEROS),
        "DigestMismatchError",
    ),
    _refusing(
        "put-lost",
        "forgets every upload",
        PUT,
        Answer("404 Not Found", {}, '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}'),
        at_most={PUT: 10, **NO_MANIFEST},
    ),
    _refusing(
        "put-416",
        "says of every upload that it stands elsewhere",
        PUT,
        Answer("416 Range Not Satisfiable"),
        at_most={PUT: 10, **NO_MANIFEST},
    ),
    _refusing(
        "put-413",
        "says of every upload that it is too large",
        PUT,
        Answer("413 Too Large"),
        at_most={PUT: 10, **NO_MANIFEST},
    ),
    _refusing(
        "put-500",
        "fails at the end of every upload",
        PUT,
        Answer("500 Oops"),
        at_most={PUT: 10, **NO_MANIFEST},
    ),
    _refusing(
        "put-reset",
        "breaks every upload off",
        PUT,
        Reset(),
        "TransportError",
        at_most={PUT: 30, **NO_MANIFEST},
    ),
    _refusing(
        "put-hang-up",
        "hangs up at the end of every upload",
        PUT,
        HangUp(),
        "TransportError",
        at_most={PUT: 30, **NO_MANIFEST},
    ),
    _refusing(
        "put-stall",
        "does not answer at the end of an upload",
        PUT,
        Stall(),
        "TransportTimeoutError",
    ),
    _case(
        "put-unread",
        "reads nothing of an upload",
        Rule(PUT, (Stall(),), reads=0),
        source={"artifact.txt": LARGE * 4},
        error="TransportTimeoutError",
        at_most=NO_MANIFEST,
        seconds=15,
    ),
    _case(
        "put-early-403",
        "forbids an upload when it has read a little of it",
        Rule(PUT, (Answer("403 Forbidden"),), reads=1000),
        source={"artifact.txt": LARGE * 4},
        error="AccessDeniedError",
        at_most=NO_MANIFEST,
        seconds=6,
        schemes=("http", "https"),
    ),
    _case(
        "put-early-401",
        "wants a password when it has read a little of an upload",
        Rule(
            PUT, (Answer("401 Unauthorized", {"WWW-Authenticate": 'Basic realm="x"'}),), reads=1000
        ),
        source={"artifact.txt": LARGE * 4},
        error="AuthenticationError",
        at_most=NO_MANIFEST,
        seconds=6,
        schemes=("http", "https"),
    ),
    _case(
        "one-of-many",
        "forbids one of twenty uploads",
        Rule(PUT, (HONEST, HONEST, HONEST, Answer("403 Forbidden"))),
        steps=_push(*(f"{n}.txt" for n in range(20))),
        source={f"{n}.txt": b"%d\n" % n for n in range(20)},
        error="AccessDeniedError",
        at_most={PUT: 20, **NO_MANIFEST},
    ),
    _refusing(
        "manifest-403",
        "forbids the manifest",
        MANIFEST,
        Answer("403 Forbidden"),
        "AccessDeniedError",
    ),
    _refusing(
        "manifest-400",
        "finds the manifest invalid",
        MANIFEST,
        Answer("400 Bad Request", {}, '{"errors":[{"code":"MANIFEST_INVALID"}]}'),
    ),
    _refusing(
        "manifest-200",
        "says 200 to the manifest, as web servers do",
        MANIFEST,
        Answer("200 OK", {}, "<html>"),
    ),
    _refusing("manifest-202", "says 202 to the manifest", MANIFEST, Answer("202 Accepted")),
    _refusing(
        "manifest-other",
        "says that it stored another manifest",
        MANIFEST,
        Answer("201 Created", {"Docker-Content-Digest": ZEROS}),
        "DigestMismatchError",
    ),
]

# --- Registries that are slow, forgetful or peculiar, and right in the end ------------------

LOST = Answer("404 Not Found", {}, '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}')


def _recovering(name: str, does: str, *rules: Rule, **more: Any) -> Case:
    return _case(
        f"recovers-{name}",
        does,
        *rules,
        **{"at_least": {MANIFEST: 1}, "check": _stored, "seconds": 10, **more},
    )


def _stored(folders: Folders, registry: HostileRegistry) -> str:
    """Make sure that all that the manifest names has arrived as it is in the folder."""
    sent = [r.body for r in registry.received if r.line.startswith(MANIFEST)]
    layer = json.loads(sent[-1])["layers"][0]
    size = (folders.source / "artifact.txt").stat().st_size
    return "" if layer["size"] == size else f"the layer has {layer['size']} bytes, not {size}"


RECOVERING = [
    _recovering(
        "location-relative",
        "names an upload's address relative to the path",
        Rule(POST, (Altered(_relative),)),
        schemes=("http", "https"),
    ),
    _recovering(
        "location-absolute",
        "names an upload's whole address",
        Rule(POST, (Altered(_absolute),)),
        schemes=("http", "https"),
    ),
    _recovering(
        "location-query",
        "names an upload's address with a query and a valueless parameter (R18)",
        Rule(POST, (Altered(_with_query),)),
        schemes=("http", "https"),
    ),
    _recovering("lost-once", "forgets an upload once", Rule(PUT, (LOST, HONEST))),
    _recovering("500-once", "fails once", Rule(PUT, (Answer("500 Oops"), HONEST))),
    _recovering("reset-once", "breaks an upload off once", Rule(PUT, (Reset(), HONEST))),
    _recovering(
        "post-reset-once", "breaks off once when an upload begins", Rule(POST, (Reset(), HONEST))
    ),
    _recovering(
        "manifest-reset-once", "breaks off once at the manifest", Rule(MANIFEST, (Reset(), HONEST))
    ),
    _recovering(
        "429-once",
        "asks once to slow down",
        Rule(PUT, (Answer("429 Too Many", {"Retry-After": "0"}), HONEST)),
    ),
    _recovering(
        "chunks-short",
        "takes a part of a chunk only",
        Rule(
            PATCH, (Answer("202 Accepted", {"Range": "0-99", "Location": "{origin}/short"}), HONEST)
        ),
        Rule("PATCH /short", (Answer("202 Accepted", {"Location": "{origin}/short"}),)),
        Rule("PUT /short", (Answer("201 Created"),)),
        Rule(MANIFEST, (Answer("201 Created"),)),
        steps=CHUNKED,
        source={"artifact.txt": LARGE},
    ),
    _recovering(
        "chunks-refused",
        "takes no chunks (R20)",
        Rule(PATCH, (Answer("405 Method Not Allowed"),)),
        steps=CHUNKED,
        source={"artifact.txt": LARGE},
    ),
    _recovering(
        "chunks-416",
        "says of a chunk that it is not where the upload stands",
        Rule(PATCH, (Answer("416 Range Not Satisfiable"), HONEST)),
        steps=CHUNKED,
        source={"artifact.txt": LARGE},
    ),
]

LYING = [
    _recovering(
        "chunks-more",
        "claims to hold more than it was sent, for which it is sent the whole (R20)",
        Rule(PATCH, (Answer("202 Accepted", {"Range": "0-99999999", "Location": "{origin}/x"}),)),
        steps=CHUNKED,
        source={"artifact.txt": LARGE},
    ),
    _recovering(
        "chunks-forgotten",
        "forgets every chunk that it was sent, for which it is sent the whole (R20)",
        Rule(
            PATCH,
            (
                Answer(
                    "202 Accepted", {"Range": "0-0", "Location": "{origin}/v2/app/blobs/uploads/x"}
                ),
            ),
        ),
        steps=CHUNKED,
        source={"artifact.txt": LARGE},
        at_most={PATCH: 6},
    ),
    _case(
        "chunks-rubbish",
        "says nonsense about what it holds",
        Rule(PATCH, (Answer("202 Accepted", {"Range": "nonsense", "Location": "{origin}/x"}),)),
        Rule("PATCH /x", (Answer("202 Accepted", {"Range": "9-1", "Location": "{origin}/x"}),)),
        Rule("PUT /x", (Answer("400 Bad Request", {}, '{"errors":[{"code":"DIGEST_INVALID"}]}'),)),
        steps=CHUNKED,
        source={"artifact.txt": LARGE},
        error="RegistryError",
        at_most=NO_MANIFEST,
    ),
    _case(
        "chunk-minimum-huge",
        "wants chunks of an exabyte (R16)",
        Rule(POST, (WithHeaders(OCI_Chunk_Min_Length=str(2**60)),)),
        steps=CHUNKED,
        source={"artifact.txt": LARGE},
        at_least={MANIFEST: 1},
        memory=96 * MIB,
    ),
]

# --- Answers of a registry about a broken upload --------------------------------------------

ASKED = "GET /v2/app/blobs/uploads"
AT_LINK_LOCAL = {"Location": "http://169.254.169.254/latest", "Range": f"0-{MIB - 1}"}


def _asked(name: str, does: str, *plays: Play, **more: Any) -> Case:
    """A row in which uploads break off, and the registry is asked, as others do not."""
    return Case(
        f"asked-{name}",
        f"breaks an upload off, and {does} when it is asked what has arrived",
        None,
        (
            Rule(PUT_LARGE, (Reset(),), reads=MIB),
            Rule(PATCH, (Reset(),), reads=MIB),
            Rule(ASKED, plays),
        ),
        own=True,
        **{
            "steps": WHOLE,
            "source": {"artifact.txt": LARGE},
            "error": "OrasError",
            "at_most": {PUT_LARGE: 6, PATCH: 30, ASKED: 60, **NO_MANIFEST},
            "at_least": {ASKED: 1},
            "seconds": 20,
            **more,
        },
    )


def _holds(text: str, **fields: str) -> Answer:
    return Answer("204 No Content", {"Range": text, **fields})


LYING_WHEN_ASKED = [
    _asked("more", "claims more than there is", _holds("0-99999999")),
    _asked("eternity", "claims more than there are numbers for", _holds("0-" + "9" * 400)),
    _asked("negative", "claims less than nothing", _holds("0--5")),
    _asked("nothing", "claims nothing, over and over", _holds("0-0")),
    _asked("same", "claims the same, over and over", _holds(f"0-{MIB - 1}")),
    _asked(
        "back-and-forth",
        "claims less each time",
        *(_holds(f"0-{(9 - n) * MIB - 1}") for n in range(8)),
    ),
    _asked("html", "shows a web page", Answer(headers={"Content-Type": "text/html"}, body="<p>")),
    _asked(
        "endless",
        "never ends",
        Endless(b"HTTP/1.1 200 OK\r\nRange: 0-9\r\n\r\n", b"x" * 60_000),
        memory=64 * MIB,
    ),
    _asked("stall", "does not answer", Stall()),
    _asked("denied", "lets nobody in", Answer("403 Forbidden")),
    _asked(
        "link-local",
        "says that it goes on at the address of a cloud's credentials",
        Answer("204 No Content", AT_LINK_LOCAL),
        error="UnsafeRedirectError",
        login=BASIC,
        schemes=("http", "https"),
    ),
    _asked(
        "other-host",
        "says that it goes on at another host",
        _holds(f"0-{MIB - 1}", Location="{stranger}/v2/app/blobs/uploads/x"),
        login=BASIC,
        schemes=("http", "https"),
    ),
    _asked(
        "redirected",
        "sends the client to another host",
        Answer("307 Temporary Redirect", {"Location": "{stranger}/v2/app/blobs/uploads/x"}),
        login=BASIC,
        schemes=("http", "https"),
    ),
    _asked(
        "downgrade",
        "says that it goes on at a host without TLS",
        _holds(f"0-{MIB - 1}", Location="{plain}/v2/app/blobs/uploads/x"),
        error="UnsafeRedirectError",
        login=BASIC,
        schemes=("https",),
    ),
]

ROWS = [*CHANGING, *FOLDERS, *PUBLISHED, *REFUSING, *RECOVERING, *LYING, *LYING_WHEN_ASKED]
