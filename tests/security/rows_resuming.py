"""What may lie under the name of an unfinished file, which can be foretold (CWE-377, CWE-59).

The names are this library's own, so others are not tried.
"""

from __future__ import annotations

import fcntl
import os
import random
from collections.abc import Callable
from pathlib import Path

from attrs import evolve

from oras_core.model.digest import Digest
from support.hostile_registry import (
    HONEST,
    Altered,
    Answer,
    HostileRegistry,
    Login,
    Reset,
    Rule,
    Touched,
)
from support.tar_archives import directory, member, tgz
from support.threat_cases import (
    CANARY,
    DIRECTORY,
    FIFO,
    OLDER,
    PASSWORD,
    SOCKET,
    Artifact,
    Case,
    Entry,
    Folders,
    Layer,
    Link,
)

__all__ = ["ROWS"]

MIB = 1024 * 1024
LARGE = random.Random(11).randbytes(MIB + 600_000)
HALF = LARGE[:700_000]
DIGEST = Digest.of(LARGE)
NAME = f".sha256-{DIGEST.encoded}.oras-partial"
BIG = Artifact([Layer("artifact.txt", LARGE)])
HERE = {"artifact.txt": OLDER}
TAKEN = {"artifact.txt": LARGE}
BLOB = "GET /v2/app/blobs/"
EVIL = b"nobody has verified this\n"
BASIC = Login("basic", password=PASSWORD)


def _asked_from(*starts: int) -> Callable[[Folders, HostileRegistry], str]:
    """Return a check that the content was asked for from these bytes on, one after the other."""

    def check(_: Folders, registry: HostileRegistry) -> str:
        asked = [
            int(request.headers.get("range", "bytes=0-")[6:].partition("-")[0])
            for request in registry.received
            if request.line.startswith(BLOB)
        ]
        return "" if asked == list(starts) else f"it was asked for from {asked} on"

    return check


def _found(name: str, does: str, entry: Entry, **more: object) -> Case:
    """A row with a partial file of this library, usable or not."""
    return Case(
        f"partial-{name}",
        f"finds {does} under the name of the unfinished file",
        BIG,
        before={**HERE, NAME: entry},
        after=TAKEN,
        **more,
    )


OWN = [
    _found("right", "the beginning", HALF, check=_asked_from(len(HALF))),
    _found("nothing", "an empty file", b"", check=_asked_from(0)),
    _found("whole", "all of it", LARGE, at_most={BLOB: 0}),
    _found("wrong", "another beginning", bytes(len(HALF)), check=_asked_from(len(HALF), 0)),
    _found("whole-wrong", "as many other bytes", LARGE[:-1] + b"!", check=_asked_from(0)),
    _found("larger", "more than all of it", LARGE + b"x", check=_asked_from(0)),
    _found("much-larger", "much more than all of it", LARGE * 9, memory=16 * MIB),
    _found(
        "not-needed",
        "the beginning of what is there",
        HALF,
        at_most={BLOB: 0},
    ),
]
OWN[-1] = evolve(OWN[-1], before={**TAKEN, NAME: HALF})


def _planted(name: str, does: str, entry: Entry) -> Case:
    """A row with a foreign entry, which stays unchanged."""
    return Case(
        f"partial-{name}",
        f"finds {does} under the name of the unfinished file",
        BIG,
        before={**HERE, NAME: entry},
        after={**TAKEN, NAME: entry},
        check=_asked_from(0),
    )


def _hard_link(root: Path) -> None:
    os.link(root / "outside" / "canary", root / "out" / NAME)


def _terabyte(root: Path) -> None:
    with (root / "out" / NAME).open("wb") as file:
        file.write(HALF)
        file.truncate(1 << 40)


_HELD: list[int] = []


def _lock(root: Path) -> None:
    """Be at it, as another process would."""
    held = os.open(root / "out" / NAME, os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    _HELD.append(held)


def _release(folders: Folders, registry: HostileRegistry) -> str:
    while _HELD:
        os.close(_HELD.pop())
    return _asked_from(0)(folders, registry)


MANIFEST = "GET /v2/app/manifests/v1"

OTHERS = [
    _planted("link", "a link to a file outside", Link("../outside/canary")),
    _planted("link-dangling", "a link to where no file is", Link("../outside/new")),
    _planted("link-absolute", "a link by an absolute path", Link("{outside}/canary")),
    _planted("link-final", "a link to the file that is to come", Link("artifact.txt")),
    _planted("fifo", "a FIFO", FIFO),
    _planted("socket", "a socket", SOCKET),
    _planted("folder", "a folder", DIRECTORY),
    Case(
        "partial-hard-link",
        "finds a file outside, by another name, under the name of the unfinished file",
        BIG,
        (Rule(MANIFEST, (Touched(_hard_link),)),),
        before=HERE,
        after={**TAKEN, NAME: CANARY},
        check=_asked_from(0),
    ),
    Case(
        "partial-terabyte",
        "finds a file of 1 TiB under the name of the unfinished file",
        BIG,
        (Rule(MANIFEST, (Touched(_terabyte),)),),
        before=HERE,
        after=TAKEN,
        check=_asked_from(0),
        memory=16 * MIB,
    ),
    Case(
        "partial-locked",
        "finds that another is at it",
        BIG,
        (Rule(MANIFEST, (Touched(_lock),)),),
        before={**HERE, NAME: HALF},
        after={**TAKEN, NAME: HALF},
        check=_release,
    ),
]


def _replace(root: Path) -> None:
    unfinished = root / "out" / NAME
    unfinished.unlink(missing_ok=True)
    unfinished.write_bytes(EVIL)


def _replace_by_link(root: Path) -> None:
    unfinished = root / "out" / NAME
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(root / "outside" / "canary")


def _swap(root: Path) -> None:
    folder = root / "out" / "sub"
    if not folder.is_symlink():
        folder.rename(root / "out" / "moved")
        folder.symlink_to(root / "outside")


NAMES = [
    Case(
        f"partial-name-{name}",
        f"names a layer {does}",
        Artifact([Layer("artifact.txt"), Layer(title, EVIL)]),
        before=HERE,
        error="UnsafePathError",
        at_most={BLOB: 0},
    )
    for name, title, does in (
        ("layer", NAME, "as unfinished files are named"),
        ("spelt", "a/.X.Oras-Partial. ", "as some systems take for such a name"),
        ("folder", ".x.oras-partial/a", "below an unfinished folder"),
    )
] + [
    Case(
        "partial-name-packed",
        "packs a member that is named as unfinished files are",
        Artifact(
            [Layer("bundle", tgz(directory("bundle"), member(f"bundle/{NAME}", EVIL)), folder=True)]
        ),
        before={"bundle/older.txt": OLDER},
        error="UnsafeArchiveError",
    )
]

MEANWHILE = [
    Case(
        "partial-title",
        "names a layer as the unfinished file of another is named",
        Artifact([Layer("artifact.txt", LARGE), Layer(NAME, EVIL)]),
        before=HERE,
        error="UnsafePathError",
        at_most={BLOB: 0},
    ),
    Case(
        "partial-replaced",
        "answers while somebody puts another file in the place of the unfinished one",
        BIG,
        (Rule(BLOB, (Touched(_replace, "halfway"),)),),
        before=HERE,
        error="FileAccessError",
        after={**HERE, NAME: EVIL},
    ),
    Case(
        "partial-replaced-by-link",
        "answers while somebody puts a link in the place of the unfinished file",
        BIG,
        (Rule(BLOB, (Touched(_replace_by_link, "halfway"),)),),
        before=HERE,
        error="FileAccessError",
        after={**HERE, NAME: Link("{outside}/canary")},
    ),
    Case(
        "partial-swapped-folder",
        "answers the rest while somebody swaps the folder for a link",
        Artifact([Layer("sub/artifact.txt", LARGE)]),
        (Rule(BLOB, (Touched(_swap, "halfway"),)),),
        before={f"sub/{NAME}": HALF},
        after={"moved/artifact.txt": LARGE, "sub": Link("{outside}")},
    ),
]


def _goes_on(name: str, does: str, *plays: object, **more: object) -> Case:
    """A row in which the rest is asked for, and the registry has its own mind."""
    return Case(
        f"partial-{name}",
        f"is asked for the rest, and {does}",
        BIG,
        (Rule(BLOB, plays),),
        before={**HERE, NAME: HALF},
        **{"after": TAKEN, **more},
    )


def _rest(content: bytes) -> Answer:
    span = f"bytes {len(HALF)}-{len(LARGE) - 1}/{len(LARGE)}"
    return Answer("206 Partial Content", {"Content-Range": span}, content)


OTHER_REST = LARGE[len(HALF) :][::-1]
WORSE = bytes(len(LARGE))

RESTS = [
    _goes_on("rest-all", "sends all", Answer(body=LARGE)),
    _goes_on("rest-other", "sends other bytes, once", _rest(OTHER_REST), HONEST),
    _goes_on(
        "rest-other-always",
        "sends other bytes, and then another whole",
        _rest(OTHER_REST),
        Answer(body=WORSE),
        error="DigestMismatchError",
        after=HERE,
    ),
    _goes_on(
        "rest-elsewhere",
        "sends what comes later",
        Answer(
            "206 Partial Content",
            {"Content-Range": f"bytes {MIB}-{len(LARGE) - 1}/{len(LARGE)}"},
            LARGE[MIB:],
        ),
        HONEST,
    ),
    _goes_on("rest-416", "says that it has none", Answer("416 Range Not Satisfiable"), HONEST),
    _goes_on(
        "rest-encoded",
        "sends it with a Content-Encoding",
        Altered(lambda honest: evolve(honest, headers={**honest.headers, "Content-Encoding": "x"})),
        HONEST,
    ),
    _goes_on(
        "rest-gone",
        "has the content no more",
        Answer("404 Not Found"),
        error="NotFoundError",
        after=HERE,
    ),
    _goes_on(
        "rest-reset",
        "breaks off, over and over",
        Reset(),
        error="TransportError",
        after={**HERE, NAME: HALF},
        at_most={BLOB: 15},
    ),
    _goes_on(
        "rest-denied",
        "lets nobody in",
        Answer("403 Forbidden"),
        error="AccessDeniedError",
        after={**HERE, NAME: HALF},
    ),
    _goes_on(
        "rest-elsewhere-host",
        "sends the client to another host",
        Answer("307 Temporary Redirect", {"Location": "{stranger}/v2/app/blobs/" + str(DIGEST)}),
        login=BASIC,
        schemes=("http", "https"),
        stranger_at_least=1,
    ),
    _goes_on(
        "rest-downgrade",
        "sends the client to a host without TLS",
        Answer("307 Temporary Redirect", {"Location": "{plain}/v2/app/blobs/" + str(DIGEST)}),
        login=BASIC,
        schemes=("https",),
        error="UnsafeRedirectError",
        after=HERE,
    ),
]

ROWS = [evolve(case, own=True) for case in (*OWN, *OTHERS, *NAMES, *MEANWHILE, *RESTS)]
