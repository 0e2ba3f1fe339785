"""Networks and registries that fail: once, always, slowly, and in the middle."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any

from attrs import evolve

from support.hostile_registry import (
    HONEST,
    Altered,
    Answer,
    Drip,
    HangUp,
    Login,
    Play,
    Raw,
    Reset,
    Rule,
    Stall,
    ThenGone,
    TokenExpired,
)
from support.threat_cases import CONTENT, OLDER, PASSWORD, Artifact, Case, Layer

__all__ = ["ROWS"]

BLOB = "GET /v2/app/blobs/"
MANIFEST = "GET /v2/app/manifests/"
TAGS = "GET /v2/app/tags/list"
BOTH = ("http", "https")
HERE = {"artifact.txt": OLDER}
TAKEN = {"artifact.txt": CONTENT}
MIB = 1024 * 1024
LARGE = bytes(range(256)) * 4096 * 2
BIG = Artifact([Layer(content=LARGE)])
LIST_TAGS = ({"do": "get_tags", "container": "{host}/app"},)
BEARER = Login("bearer", password=PASSWORD)


def _once(name: str, does: str, play: Play, *, pattern: str = MANIFEST, **more: Any) -> Case:
    return Case(
        f"fault-{name}-once",
        f"{does}, once",
        rules=(Rule(pattern, (play, HONEST)),),
        before=HERE,
        **{"after": TAKEN, **more},
    )


def _always(
    name: str, does: str, play: Play, error: str, *, pattern: str = MANIFEST, **more: Any
) -> Case:
    return Case(
        f"fault-{name}",
        f"{does}, over and over",
        rules=(Rule(pattern, (play,)),),
        before=HERE,
        error=error,
        **{"at_most": {pattern: 3}, "seconds": 6, **more},
    )


# --- Statuses -----------------------------------------------------------------------------

RETRIED = ("408 Request Timeout", "429 Too Many Requests", "500 Oops", "502 Bad Gateway",
           "503 Unavailable", "504 Gateway Timeout")  # fmt: skip
FINAL = ("400 Bad Request", "405 Not Allowed", "409 Conflict", "418 Teapot", "501 Not Implemented",
         "505 Version", "300 Choices", "304 Not Modified", "204 Nothing")  # fmt: skip

STATUSES = [
    *(_once(f"status-{s[:3]}", f"answers {s}", Answer(s)) for s in RETRIED),
    *(
        _once(f"status-{s[:3]}-blob", f"answers {s} for a blob", Answer(s), pattern=BLOB)
        for s in RETRIED
    ),
    *(
        _always(
            f"status-{s[:3]}",
            f"answers {s}",
            Answer(s),
            "RateLimitedError" if s.startswith("429") else "RegistryError",
        )
        for s in RETRIED
    ),
    *(
        _always(
            f"status-{s[:3]}",
            f"answers {s}",
            Answer(s),
            "RegistryError",
            at_most={MANIFEST: 1},
            seconds=2,
        )
        for s in FINAL
    ),
]

TWICE = evolve(
    _once("status-503", "answers 503", Answer("503 Unavailable")),
    id="fault-status-503-twice",
    does="answers 503 twice",
    rules=(Rule(MANIFEST, (Answer("503 Oops"), Answer("503 Oops"), HONEST)),),
)


def _wait(status: str, value: str) -> Answer:
    return Answer(status, {"Retry-After": value})


PAUSES = [
    *(
        _once(
            f"retry-after-{name}", f"asks to wait {does}", _wait("429 Slow down", value), seconds=4
        )
        for name, does, value in (
            ("0", "no time", "0"),
            ("1", "a second", "1"),
            ("past", "until a moment gone by", "Wed, 21 Oct 2015 07:28:00 GMT"),
            ("rubbish", "for a word", "soon"),
            ("negative", "a negative time", "-5"),
            ("empty", "nothing", ""),
            ("date-rubbish", "until a day that there is not", "Xyz, 99 Foo 2015 99:99:99 GMT"),
        )
    ),
    *(
        _always(
            f"retry-after-{name}",
            f"asks to wait {does}",
            _wait("503 Unavailable", value),
            "RegistryError",
            at_most={MANIFEST: 1},
            seconds=2,
        )
        for name, does, value in (
            ("day", "a day", "86400"),
            ("eternity", "for longer than there are numbers", "9" * 400),
            ("next-year", "until next year", formatdate(time.time() + 365 * 86400, usegmt=True)),
        )
    ),
    _always(
        "retry-after-429-day",
        "asks to wait a day",
        _wait("429 Slow down", "86400"),
        "RateLimitedError",
        at_most={MANIFEST: 1},
        seconds=2,
    ),
]

# --- Connections --------------------------------------------------------------------------


def _cut(count: int) -> Altered:
    return Altered(lambda honest: evolve(honest, cut=count))


CONNECTIONS = [
    _once("reset", "breaks off before it answers", Reset()),
    _once("reset-blob", "breaks off before it answers for a blob", Reset(), pattern=BLOB),
    _once("hang-up", "hangs up in place of an answer", HangUp()),
    _once("header-cut", "breaks off within its header", Raw(b"HTTP/1.1 200 OK\r\nContent-")),
    _once("manifest-cut", "breaks off within a manifest", _cut(50)),
    _once("blob-cut", "breaks off within a blob", _cut(10), pattern=BLOB),
    _once("blob-cut-start", "breaks off at the start of a blob", _cut(0), pattern=BLOB),
    _once(
        "chunk-cut",
        "breaks off within a chunk",
        Altered(lambda h: evolve(h, framing="chunked", cut=10)),
        pattern=BLOB,
    ),
    _once("stall", "does not answer", Stall()),
    _once("stall-blob", "does not answer for a blob", Stall(), pattern=BLOB),
    _once("stall-header", "stops within its header", Stall(b"HTTP/1.1 200 OK\r\n")),
    _once(
        "stall-body",
        "stops within a blob",
        Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\nwhat"),
        pattern=BLOB,
    ),
    Case(
        "fault-blob-cut-large",
        "breaks off within a blob, five times at five places",
        BIG,
        (Rule(BLOB, (*(_cut(n * 300_000) for n in range(1, 5)), HONEST)),),
        before=HERE,
        after={"artifact.txt": LARGE},
    ),
    _always("reset", "breaks off before it answers", Reset(), "TransportError"),
    _always("hang-up", "hangs up in place of an answer", HangUp(), "TransportError"),
    _always("stall", "does not answer", Stall(), "TransportTimeoutError"),
    _always(
        "stall-header",
        "stops within its header",
        Stall(b"HTTP/1.1 200 OK\r\n"),
        "TransportTimeoutError",
    ),
    _always(
        "stall-body",
        "stops within a blob",
        Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\nwhat"),
        "TransportTimeoutError",
        pattern=BLOB,
        at_most={BLOB: 15},
        seconds=12,
    ),
    _always(
        "blob-cut",
        "breaks off within a blob, at the same place",
        _cut(2),
        "OrasError",
        pattern=BLOB,
        at_most={BLOB: 15},
        seconds=8,
    ),
    _always(
        "blob-empty",
        "breaks off at the start of a blob",
        _cut(0),
        "OrasError",
        pattern=BLOB,
        at_most={BLOB: 15},
        seconds=8,
    ),
    _always(
        "manifest-cut",
        "breaks off within a manifest",
        _cut(50),
        "TransportError",
        at_most={MANIFEST: 9},
    ),
    _always(
        "drip-header",
        "sends a byte of its header now and then",
        Drip(b"HTTP/1.1 200 OK\r\nX-A: "),
        "TransportTimeoutError",
    ),
    _always(
        "drip-body",
        "sends a byte of a manifest now and then",
        Drip(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"),
        "TransportTimeoutError",
        at_most={MANIFEST: 9},
        seconds=12,
    ),
    Case(
        "fault-drip-blob",
        "sends a byte of a blob now and then, over and over",
        Artifact([Layer(content=LARGE[: MIB // 2])]),  # too small to keep a partial file
        (Rule(BLOB, (Drip(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MIB // 2)),)),),
        before=HERE,
        error="TransportTimeoutError",
        at_most={BLOB: 15},
        seconds=20,
    ),
    _always(
        "drip-error",
        "sends a byte of an error now and then",
        Drip(b"HTTP/1.1 404 Not Found\r\n\r\n"),
        "NotFoundError|TransportTimeoutError",
    ),
]

# --- Ranges -------------------------------------------------------------------------------


def _ranged(name: str, does: str, play: Play, error: str = "", **more: Any) -> Case:
    return Case(
        f"range-{name}",
        f"breaks off within a blob, and {does}",
        BIG,
        (Rule(BLOB, (_cut(MIB), play, HONEST)),),
        before=HERE,
        error=error,
        after=None if error else {"artifact.txt": LARGE},
        **more,
    )


def _part(start: int, end: int, total: object, content: bytes) -> Answer:
    return Answer("206 Partial Content", {"Content-Range": f"bytes {start}-{end}/{total}"}, content)


END = len(LARGE) - 1
REST = LARGE[MIB:]

RANGES = [
    _ranged("honoured", "goes on from there", HONEST),
    _ranged("ignored", "starts again", Answer(body=LARGE)),
    _ranged(
        "ignored-other",
        "starts again, with other bytes",
        Answer(body=LARGE[::-1]),
        "DigestMismatchError",
    ),
    _ranged(
        "other-bytes",
        "goes on with other bytes",
        _part(MIB, END, END + 1, REST[::-1]),
        "DigestMismatchError",
    ),
    _ranged(
        "other-start", "goes on from elsewhere", _part(0, END, END + 1, LARGE), "RegistryError"
    ),
    _ranged(
        "later-start",
        "leaves something out",
        _part(MIB + 1, END, END + 1, REST[1:]),
        "RegistryError",
    ),
    _ranged(
        "beyond-end",
        "goes on beyond the end",
        _part(MIB, END + 100, END + 101, REST + b"x" * 100),
        "SizeMismatchError",
    ),
    _ranged(
        "other-total",
        "says that it is of another size",
        _part(MIB, END, END * 2, REST),
        "SizeMismatchError",
    ),
    _ranged("unknown-total", "does not say of what size it is", _part(MIB, END, "*", REST)),
    _ranged(
        "no-range",
        "does not say where it goes on",
        Answer("206 Partial Content", {}, REST),
        "RegistryError",
    ),
    _ranged(
        "rubbish",
        "says nonsense about where it goes on",
        Answer("206 Partial", {"Content-Range": "lines 1-2/3"}, REST),
        "RegistryError",
    ),
    _ranged(
        "416",
        "says that there is no more",
        Answer("416 No", {"Content-Range": f"bytes */{MIB}"}),
        "SizeMismatchError",
    ),
    _ranged("gone", "does not have it any more", Answer("404 Not Found"), "NotFoundError"),
    _ranged(
        "encoded",
        "goes on compressed",
        Answer(
            "206 Partial",
            {"Content-Range": f"bytes {MIB}-{END}/{END + 1}", "Content-Encoding": "gzip"},
            bytes(len(REST)),
        ),
        "ContentError",
    ),
    _ranged(
        "multipart",
        "answers in several parts",
        Answer("206 Partial", {"Content-Type": "multipart/byteranges; boundary=x"}, b"--x\r\n"),
        "RegistryError",
    ),
]

# --- Redirects and pages ------------------------------------------------------------------


def _moved(address: str) -> Answer:
    return Answer("307 Moved", {"Location": address})


LOOPS = [
    Case(
        "loop-self",
        "redirects a blob to itself",
        rules=(Rule(BLOB, (_moved("{origin}/v2/app/blobs/x"),)),),
        before=HERE,
        error="UnsafeRedirectError",
        at_most={"": 10},
        schemes=BOTH,
    ),
    Case(
        "loop-two-hosts",
        "redirects a blob to another host, which redirects it back",
        rules=(Rule(f"{BLOB}|/x", (_moved("{stranger}/x"),)),),
        stranger=(Rule("", (_moved("{origin}/x"),)),),
        login=Login("basic", password=PASSWORD, demands=False),
        before=HERE,
        error="UnsafeRedirectError",
        at_most={"": 10},
        schemes=BOTH,
    ),
    Case(
        "loop-long",
        "redirects a manifest twenty times",
        rules=(
            *(Rule(f"/hop/{n}$", (_moved(f"/hop/{n + 1}"),)) for n in range(20)),
            Rule(MANIFEST, (_moved("/hop/0"),)),
        ),
        before=HERE,
        error="UnsafeRedirectError",
        at_most={"/hop/": 6},
        schemes=BOTH,
    ),
    Case(
        "loop-token",
        "redirects the token server to itself",
        rules=(Rule("/token", (_moved("/token"),)),),
        login=BEARER,
        before=HERE,
        error="UnsafeRedirectError",
        at_most={"/token": 10},
        schemes=BOTH,
    ),
    _always(
        "redirect-nowhere",
        "redirects, and does not say where",
        Answer("307 Moved"),
        "RegistryError",
        at_most={MANIFEST: 1},
        schemes=BOTH,
    ),
]


def _page(tags: object, link: str = "") -> Answer:
    fields = {"Link": f'<{link}>; rel="next"'} if link else {}
    return Answer(
        headers={**fields, "Content-Type": "application/json"}, body=json.dumps({"tags": tags})
    )


def _listed(name: str, does: str, *plays: Play, error: str = "", **more: Any) -> Case:
    return Case(
        f"tags-{name}",
        does,
        rules=(Rule(TAGS, plays),),
        steps=LIST_TAGS,
        error=error,
        **{"at_most": {TAGS: 4}, **more},
    )


NEXT = "/v2/app/tags/list?last={n}"

PAGES = [
    _listed(
        "loop",
        "says of a page of tags that it is the next one",
        _page(["a"], "/v2/app/tags/list"),
        error="UnsafeRedirectError",
        schemes=BOTH,
    ),
    _listed(
        "cycle",
        "says of two pages of tags that each is the next one",
        _page(["a"], "/v2/app/tags/list?b"),
        _page(["b"], "/v2/app/tags/list?a"),
        _page(["a"], "/v2/app/tags/list?b"),
        error="UnsafeRedirectError",
        schemes=BOTH,
    ),
    _listed(
        "empty-page",
        "sends an empty page of tags, and another after it",
        _page([], "/v2/app/tags/list?b"),
        _page(["b"]),
    ),
    _listed("null", "says that the tags are null (R27)", _page(None)),
    _listed("nulls", "lists nulls among the tags (R27)", _page(["a", None, 7])),
    _listed("missing", "sends no tags at all", Answer(body="{}")),
    _listed("object", "says that the tags are an object", _page({}), error="RegistryError"),
    _listed("string", "says that the tags are a string", _page("abc"), error="RegistryError"),
    _listed("list", "sends a list in place of an object", Answer(body="[]"), error="RegistryError"),
    _listed(
        "html",
        "sends a web page in place of tags",
        Answer(headers={"Content-Type": "text/html"}, body="<html>"),
        error="RegistryError",
    ),
    _listed(
        "deep",
        "sends a hundred thousand brackets in place of tags",
        Answer(body="[" * 100_000),
        error="RegistryError",
    ),
    _listed(
        "link-rubbish",
        "sends nonsense as Link",
        evolve(_page(["a"]), headers={"Link": "<<<>>;;rel=next,,<"}),
    ),
    _listed(
        "link-long",
        "sends a Link of 60 KB",
        evolve(_page(["a"]), headers={"Link": "<x>;" * 15_000}),
        seconds=2,
    ),
    _listed(
        "link-quotes",
        "sends a Link of open quotes",
        evolve(_page(["a"]), headers={"Link": '<x>; a="' + '\\"' * 20_000}),
        seconds=2,
    ),
    _listed(
        "link-prev",
        "says which page of tags was before",
        evolve(_page(["a"]), headers={"Link": '</v2/app/tags/list?z>; rel="prev"'}),
    ),
    _listed(
        "large",
        "sends a page of 20 MiB",
        Answer(body=b'{"tags": [' + b'"a", ' * (4 * MIB) + b'"a"]}'),
        error="SizeLimitError",
        memory=64 * MIB,
        at_most={},
    ),
]

# --- Tokens that expire -------------------------------------------------------------------


def _expired(name: str, does: str, *plays: Play) -> Case:
    return Case(
        f"expired-{name}",
        does,
        BIG,
        (Rule(BLOB, plays),),
        login=BEARER,
        before=HERE,
        after={"artifact.txt": LARGE},
        at_most={"/token": 3},
        schemes=BOTH,
    )


EXPIRED = [
    _expired(
        "between",
        "lets a token expire between the manifest and the blob",
        TokenExpired(),
        HONEST,
    ),
    _expired("within", "lets a token expire within a blob", _cut(MIB), TokenExpired(), HONEST),
    Case(
        "expired-push",
        "lets a token expire between the chunks of an upload",
        None,
        # The last of eight: by then the config, which goes beside it, has shown the token.
        (Rule(rf"PATCH .*_state={7 * MIB // 4}$", (TokenExpired(), HONEST)),),
        login=BEARER,
        steps=(
            {
                "do": "push",
                "target": "{host}/app:v1",
                "files": ["artifact.txt"],
                "do_chunked": True,
                "chunk_size": MIB // 4,
            },
        ),
        source={"artifact.txt": LARGE},
        at_least={"PUT /v2/app/manifests/": 1},
        at_most={"/token": 4},
        seconds=15,
        schemes=BOTH,
    ),
    Case(
        "expired-presigned",
        "breaks off within a blob at a signed address, which has expired then (R35)",
        BIG,
        (
            Rule(
                BLOB, (_moved("{stranger}/one"), _moved("{stranger}/one"), _moved("{stranger}/two"))
            ),
        ),
        stranger=(
            Rule("/one", (Answer(body=LARGE, cut=MIB), Answer("403 Expired"))),
            Rule("/two", (_part(MIB, END, END + 1, REST),)),
        ),
        login=Login("basic", password=PASSWORD),
        before=HERE,
        after={"artifact.txt": LARGE},
        schemes=BOTH,
    ),
]

PECULIAR = [
    Case(
        "peculiar-no-digest-header",
        "never says a digest (R26)",
        rules=(
            Rule(
                MANIFEST,
                (
                    Altered(
                        lambda h: evolve(h, headers={"Content-Type": h.headers["Content-Type"]})
                    ),
                ),
            ),
        ),
        before=HERE,
        after=TAKEN,
    ),
    Case(
        "peculiar-no-head",
        "knows no HEAD (R23)",
        rules=(Rule("HEAD ", (Answer("405 Not Allowed"),)),),
        before=HERE,
        after=TAKEN,
    ),
    Case(
        "peculiar-head-refused-push",
        "knows no HEAD (R23), and is pushed to",
        None,
        (Rule("HEAD ", (Answer("405 Not Allowed"),)),),
        steps=({"do": "push", "target": "{host}/app:v1", "files": ["artifact.txt"]},),
        source=TAKEN,
        at_least={"PUT /v2/app/manifests": 1},
    ),
    Case(
        "peculiar-html-200",
        "says 200 to everything, with a web page",
        rules=(
            Rule("", (Answer(headers={"Content-Type": "text/html"}, body="<html>hello</html>"),)),
        ),
        before=HERE,
        error="InvalidManifestError",
    ),
    *(
        Case(
            f"peculiar-idle-{name}",
            f"answers, and then {does} the connection that it said to keep",
            Artifact([Layer(f"{n}.txt", b"%d\n" % n) for n in range(3)]),
            rules=(Rule("", plays),),
            after={f"{n}.txt": b"%d\n" % n for n in range(3)},
            at_most={"GET /v2/app/blobs/": 9},
            schemes=BOTH,
        )
        for name, does, plays in (
            ("closed", "closes", (ThenGone(),)),
            # Over and over it may be the answer that is lost, which another row is about.
            ("reset", "once resets", (ThenGone(resets=True), HONEST)),
        )
    ),
    Case(
        "peculiar-close",
        "closes the connection after every answer",
        rules=(
            Rule("", (Altered(lambda h: evolve(h, headers={**h.headers, "Connection": "close"})),)),
        ),
        before=HERE,
        after=TAKEN,
    ),
]

ROWS = [*STATUSES, TWICE, *PAUSES, *CONNECTIONS, *RANGES, *LOOPS, *PAGES, *EXPIRED, *PECULIAR]
