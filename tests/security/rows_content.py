"""Bytes that are not what was promised, and manifests that are not what they say."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from oras_core.model.digest import Digest
from support.hostile_registry import (
    HONEST,
    Altered,
    Answer,
    Endless,
    Play,
    Raw,
    Rule,
    Surrounded,
    WithHeaders,
)
from support.threat_cases import CONTENT, OCI_MANIFEST, OLDER, Artifact, Case, Layer

__all__ = ["ROWS"]

BLOB = "GET /v2/app/blobs/"
MANIFEST = "GET /v2/app/manifests/"
NO_BLOB = {BLOB: 0}
HERE = {"artifact.txt": OLDER}
TAKEN = {"artifact.txt": CONTENT}
MIB = 1024 * 1024
BOMB = gzip.compress(bytes(64 * MIB), mtime=0)
HUGE = bytes(32 * MIB)
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
ZEROS = "sha256:" + "0" * 64
EMPTY = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
CONFIG = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": EMPTY, "size": 2}


# --- Blobs --------------------------------------------------------------------------------


def _blob(
    name: str, does: str, play: Play, error: str, *, layer: Layer | None = None, **more: Any
) -> Case:
    return Case(
        f"blob-{name}",
        f"sends a blob {does}",
        Artifact([layer or Layer()]),
        (Rule(BLOB, (play,)),),
        before=HERE,
        error=error,
        **more,
    )


def _body(change: Callable[[bytes], bytes], **fields: Any) -> Altered:
    return Altered(lambda honest: evolve(honest, body=change(bytes(honest.body)), **fields))


LARGE = Layer(content=bytes(range(256)) * 8192)
LARGE_TAKEN = {"artifact.txt": LARGE.content}

BLOBS = [
    _blob(
        "changed",
        "with one bit changed",
        _body(lambda b: b[:-1] + bytes([b[-1] ^ 1])),
        "DigestMismatchError",
    ),
    _blob(
        "other",
        "of other bytes of that size",
        _body(lambda b: b"x" * len(b)),
        "DigestMismatchError",
    ),
    _blob(
        "changed-large",
        "of two MiB with the last bit changed",
        _body(lambda b: b[:-1] + b"x"),
        "DigestMismatchError",
        layer=LARGE,
    ),
    _blob("short", "a byte too short", _body(lambda b: b[:-1]), "SizeMismatchError"),
    _blob("empty", "of no bytes", _body(lambda _: b""), "SizeMismatchError"),
    _blob("long", "a byte too long", _body(lambda b: b + b"x"), "SizeMismatchError"),
    _blob(
        "long-chunked",
        "a byte too long, in chunks",
        _body(lambda b: b + b"x", framing="chunked"),
        "SizeMismatchError",
    ),
    _blob(
        "long-close",
        "a byte too long, up to a hang-up",
        _body(lambda b: b + b"x", framing="close"),
        "SizeMismatchError",
    ),
    _blob(
        "short-chunked",
        "a byte too short, in chunks",
        _body(lambda b: b[:-1], framing="chunked"),
        "SizeMismatchError",
    ),
    _blob(
        "short-close",
        "a byte too short, up to a hang-up",
        _body(lambda b: b[:-1], framing="close"),
        "SizeMismatchError",
    ),
    _blob(
        "endless",
        "that never ends",
        Endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
        "SizeMismatchError",
        memory=16 * MIB,
    ),
    _blob(
        "endless-chunked",
        "that never ends, in chunks",
        Endless(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"10000\r\n%s\r\n" % (b"x" * 65536),
        ),
        "SizeMismatchError",
        memory=16 * MIB,
    ),
    _blob(
        "chunk-huge",
        "in a chunk of exabytes",
        Endless(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n",
            b"x" * 65536,
        ),
        "SizeMismatchError",
        memory=16 * MIB,
    ),
    _blob(
        "chunk-rubbish",
        "in a chunk whose size is no number",
        Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nxx\r\n"),
        "TransportError",
        seconds=10,
    ),
    _blob(
        "chunk-line",
        "in a chunk whose size is a line of megabytes",
        Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 2 * MIB),
        "TransportError",
        memory=24 * MIB,
        seconds=10,
    ),
    _blob(
        "length-terabyte",
        "that says to be a terabyte",
        _body(lambda b: b, length=str(1024**4)),
        "SizeMismatchError",
    ),
    _blob(
        "length-more",
        "that says to be longer",
        _body(lambda b: b, length="1000"),
        "SizeMismatchError",
    ),
    _blob(
        "length-less",
        "that says to be shorter",
        _body(lambda b: b, length="3"),
        "SizeMismatchError",
    ),
    _blob(
        "length-zero", "that says to be empty", _body(lambda b: b, length="0"), "SizeMismatchError"
    ),
    _blob(
        "encoding-gzip",
        "compressed",
        _body(gzip.compress, headers={"Content-Encoding": "gzip"}),
        "ContentError",
    ),
    _blob(
        "encoding-gzip-chunked",
        "compressed, of no stated size",
        _body(gzip.compress, headers={"Content-Encoding": "gzip"}, framing="chunked"),
        "ContentError",
    ),
    _blob(
        "encoding-deflate",
        "deflated",
        _body(zlib.compress, headers={"Content-Encoding": "deflate"}),
        "ContentError",
    ),
    _blob(
        "encoding-bomb",
        "as a compressed bomb",
        _body(lambda _: BOMB, headers={"Content-Encoding": "gzip"}),
        "ContentError",
        memory=8 * MIB,
    ),
    _blob(
        "range-unasked",
        "as a part that nobody asked for",
        _body(lambda b: b, status="206 Partial Content"),
        "RegistryError",
    ),
    _blob("no-content", "by 204", Answer("204 No Content"), "RegistryError"),
    _blob(
        "html",
        "as a web page by 200",
        Answer(headers={"Content-Type": "text/html"}, body="<html>sign in</html>"),
        "SizeMismatchError",
    ),
    _blob("missing", "by 404", Answer("404 Not Found"), "NotFoundError"),
    _blob("refused", "by 403", Answer("403 Forbidden"), "AccessDeniedError"),
    _blob("gone", "by 410", Answer("410 Gone"), "RegistryError"),
    Case(
        "blob-chunked",
        "sends the right bytes in chunks",
        rules=(Rule(BLOB, (_body(lambda b: b, framing="chunked"),)),),
        before=HERE,
        after=TAKEN,
    ),
    Case(
        "blob-close",
        "sends the right bytes up to a hang-up",
        rules=(Rule(BLOB, (_body(lambda b: b, framing="close"),)),),
        before=HERE,
        after=TAKEN,
    ),
    Case(
        "blob-encoding-identity",
        "sends the right bytes as they are, and says so",
        rules=(Rule(BLOB, (WithHeaders(Content_Encoding="identity"),)),),
        before=HERE,
        after=TAKEN,
    ),
    *(
        Case(
            f"blob-encoding-label-{name}",
            f"sends the right bytes, and says that they are encoded by {encoding!r} (R38)",
            rules=(Rule(BLOB, (WithHeaders(Content_Encoding=encoding),)),),
            before=HERE,
            after=TAKEN,
        )
        for name, encoding in [
            ("gzip", "gzip"),
            ("twice", "gzip, gzip"),
            ("unknown", "br"),
            ("aws", "aws-chunked"),
        ]
    ),
    Case(
        "blob-other-digest-header",
        "says that the right bytes have another digest",
        rules=(Rule(BLOB, (WithHeaders(Docker_Content_Digest=ZEROS),)),),
        after=TAKEN,
        note="the bytes answer for themselves (R26)",
    ),
]


# --- Descriptors --------------------------------------------------------------------------


def _described(
    name: str, does: str, error: str = "InvalidManifestError", /, **members: Any
) -> Case:
    renamed = {key.replace("_", ""): value for key, value in members.items()}
    return Case(
        f"descriptor-{name}",
        f"describes a layer {does}",
        Artifact([Layer(members=renamed)]),
        before=HERE,
        error=error,
        thrift=NO_BLOB if error == "InvalidManifestError" else {},
    )


DESCRIPTORS = [
    _described("size-more", "larger than it is", "SizeMismatchError", size=len(CONTENT) + 1),
    _described("size-less", "smaller than it is", "SizeMismatchError", size=len(CONTENT) - 1),
    _described("size-zero", "as empty", "SizeMismatchError", size=0),
    _described("size-exabytes", "as exabytes", "SizeMismatchError", size=2**62),
    _described("size-negative", "of negative size", size=-1),
    _described("size-too-large", "of a size with no room in 64 bits", size=2**63),
    _described("size-fraction", "by a fraction", size=1.5),
    _described("size-float", "by a float", size=float(len(CONTENT))),
    _described("size-string", "by a size in quotes", size=str(len(CONTENT))),
    _described("size-true", "by a size that is true", size=True),
    _described("size-digits", "by a size of thousands of digits", size=10**4000),
    _described("size-missing", "without a size", size=None),
    _described("digest-missing", "without a digest", digest=None),
    _described("digest-empty", "by an empty digest", digest=""),
    _described("digest-short", "by half a digest", digest="sha256:0123"),
    _described("digest-upper", "by a digest in upper case", digest="sha256:" + "A" * 64),
    _described("digest-long", "by a digest that goes on", digest=ZEROS + "0"),
    _described("digest-newline", "by a digest and a line feed", digest=ZEROS + "\n"),
    _described("digest-md5", "by an MD5", digest="md5:" + "0" * 32),
    _described("digest-sha1", "by a SHA-1", digest="sha1:" + "0" * 40),
    _described("digest-unknown", "by an unknown algorithm", digest="crc32:00000000"),
    _described("digest-path", "by a digest that is a path", digest="sha256:../../../escaped"),
    _described("digest-query", "by a digest with a query", digest="sha256:" + "0" * 60 + "?x=1"),
    _described("digest-number", "by a number", digest=7),
    _described("digest-other", "by a digest that nothing has", "NotFoundError", digest=ZEROS),
    _described("type-missing", "without a media type", mediaType=None),
    _described("type-empty", "by an empty media type", mediaType=""),
    _described("type-control", "by a media type with a line feed", mediaType="a/b\r\nX: y"),
    _described("type-long", "by a media type of a kilobyte", mediaType="a/" + "b" * 1024),
    _described("type-list", "by a list of media types", mediaType=["a/b"]),
    _described("annotations-list", "with a list of annotations", annotations=["a"]),
    _described("annotations-number", "with an annotation that is a number", annotations={"a": 1}),
    _described("annotations-object", "with an annotation that is an object", annotations={"a": {}}),
    _described(
        "data-other",
        "with other data embedded",
        data=base64.b64encode(b"x" * len(CONTENT)).decode(),
    ),
    _described("data-short", "with shorter data embedded", data=base64.b64encode(b"x").decode()),
    _described("data-rubbish", "with data that is no base64", data="%%%"),
    _described("data-number", "with data that is a number", data=7),
    _described("urls-string", "with an address that is no list", urls="http://example.org"),
    _described("platform-string", "with a platform that is a string", platform="linux/amd64"),
]

# --- Manifests ----------------------------------------------------------------------------


def _manifest(
    name: str,
    does: str,
    error: str = "InvalidManifestError",
    *,
    members: Mapping[str, Any] | None = None,
    raw: bytes | None = None,
    media_type: str = OCI_MANIFEST,
    play: Play | None = None,
    **more: Any,
) -> Case:
    return Case(
        f"manifest-{name}",
        f"sends a manifest {does}",
        Artifact([Layer()], members or {}, raw, media_type),
        () if play is None else (Rule(MANIFEST, (play,)),),
        before=HERE,
        error=error,
        **{"thrift": NO_BLOB, **more},
    )


def _raw(
    name: str, does: str, raw: bytes, error: str = "InvalidManifestError", **more: Any
) -> Case:
    return _manifest(name, does, error, raw=raw, **more)


GOOD = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": CONFIG, "layers": []})

JSON_KINDS = [
    _raw(f"json-{name}", does, raw)
    for name, does, raw in (
        ("list", "that is a list", b"[]"),
        ("string", "that is a string", b'"hello"'),
        ("number", "that is a number", b"7"),
        ("null", "that is null", b"null"),
        ("nothing", "of no bytes", b""),
        ("spaces", "of white space", b"   "),
        ("html", "that is a web page", b"<!doctype html><title>sign in</title>"),
        ("cut", "that breaks off", GOOD[:-10].encode()),
        ("comma", "with a comma too many", GOOD[:-1].encode() + b",}"),
        ("two", "and another after it", (GOOD + GOOD).encode()),
        ("nan", "with NaN", GOOD.replace(": 2,", ": NaN,", 1).encode()),
        ("twice", "with a key twice", GOOD[:-1].encode() + b', "layers": []}'),
        ("utf16", "in UTF-16", GOOD.encode("utf-16")),
        ("not-utf8", "that is no UTF-8", GOOD.encode().replace(b"empty", b"empt\xff")),
        ("bom", "behind a byte order mark", b"\xef\xbb\xbf" + GOOD.encode()),
        ("nul", "with NUL after it", GOOD.encode() + b"\0"),
        ("deep-list", "of a million brackets", b"[" * 1_000_000),
        ("deep-object", "of half a million objects", b'{"a":' * 500_000),
        (
            "deep-inside",
            "with deep annotations",
            GOOD[:-1].encode() + b', "annotations": ' + b"[" * 200_000 + b"}",
        ),
        (
            "digits",
            "with a number of a million digits",
            GOOD.replace(": 2,", ": " + "9" * 1_000_000 + ",", 1).encode(),
        ),
        ("comment", "with a comment", b"// hello\n" + GOOD.encode()),
    )
]

MEMBERS = [
    _manifest(f"member-{name}", does, members=members)
    for name, does, members in (
        ("version-missing", "without schemaVersion", {"schemaVersion": None}),
        ("version-1", "of version 1", {"schemaVersion": 1}),
        ("version-string", "of version '2' in quotes", {"schemaVersion": "2"}),
        ("version-float", "of version 2.0", {"schemaVersion": 2.0}),
        ("config-missing", "without config", {"config": None}),
        ("config-list", "with a list as config", {"config": [CONFIG]}),
        (
            "config-digest",
            "with a config of a malformed digest",
            {"config": {**CONFIG, "digest": "x"}},
        ),
        ("layers-missing", "without layers", {"layers": None}),
        ("layers-object", "with an object as layers", {"layers": {}}),
        ("layers-strings", "with strings as layers", {"layers": ["sha256:x"]}),
        ("layers-null", "with null among the layers", {"layers": [None]}),
        ("layers-nested", "with lists as layers", {"layers": [[CONFIG]]}),
        ("type-other", "of a type that is none", {"mediaType": "text/plain"}),
        ("type-number", "whose type is a number", {"mediaType": 7}),
        (
            "type-schema1",
            "of docker's first schema",
            {"mediaType": "application/vnd.docker.distribution.manifest.v1+json"},
        ),
        ("type-index", "that says to be an index (CVE-2021-41190)", {"mediaType": OCI_INDEX}),
        ("both", "with layers and manifests (CVE-2021-41190)", {"manifests": [CONFIG]}),
        ("both-null", "with layers and no manifests (CVE-2021-41190)", {"manifests": []}),
        ("artifact-type", "of an artifact type with a line feed", {"artifactType": "a/b\nc"}),
        ("subject", "with a subject that is a string", {"subject": ZEROS}),
        ("annotations", "with annotations that are a list", {"annotations": []}),
        ("annotation-number", "with an annotation that is a number", {"annotations": {"a": 1}}),
    )
]

SENT = [
    _manifest(
        "digest-header",
        "of another digest than it says",
        "DigestMismatchError",
        play=WithHeaders(Docker_Content_Digest=ZEROS),
    ),
    _manifest(
        "changed",
        "changed, with the right digest above it",
        "DigestMismatchError",
        play=_body(lambda b: b.replace(b"artifact", b"Artifact")),
    ),
    _manifest(
        "by-digest-other",
        "other than the one that was asked for by digest",
        "DigestMismatchError",
        play=Answer(headers={"Content-Type": OCI_MANIFEST}, body=GOOD),
        steps=({"do": "pull", "target": "{host}/app@{digest}", "outdir": "{out}"},),
    ),
    _manifest(
        "by-digest-own-header",
        "other than the one that was asked for, with its own digest above it",
        "DigestMismatchError",
        play=Answer(
            headers={
                "Content-Type": OCI_MANIFEST,
                "Docker-Content-Digest": str(Digest.of(GOOD.encode())),
            },
            body=GOOD,
        ),
        steps=({"do": "pull", "target": "{host}/app@{digest}", "outdir": "{out}"},),
    ),
    _manifest(
        "large",
        "of five MiB",
        "SizeLimitError",
        members={"annotations": {"a": "x" * 5 * MIB}},
        memory=24 * MIB,
    ),
    _manifest(
        "length-large",
        "that says to be five GiB",
        "SizeLimitError",
        play=_body(lambda b: b, length=str(5 * 1024**3)),
    ),
    _manifest(
        "endless",
        "that never ends",
        "SizeLimitError",
        play=Endless(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", b'{"a":' * 10_000
        ),
        memory=32 * MIB,
    ),
    _manifest(
        "bomb",
        "compressed, a gigabyte when it is not",
        "ContentError",
        play=_body(
            lambda _: BOMB, headers={"Content-Type": OCI_MANIFEST, "Content-Encoding": "gzip"}
        ),
        memory=16 * MIB,
    ),
    _manifest(
        "type-header",
        "under the type of an index (CVE-2021-41190)",
        play=WithHeaders(Content_Type=OCI_INDEX),
    ),
    _manifest(
        "type-html",
        "under the type of a web page, and is none",
        play=Answer(headers={"Content-Type": "text/html"}, body="<html>"),
    ),
    _manifest(
        "missing",
        "by 404",
        "NotFoundError",
        play=Answer("404 Not Found", {}, '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'),
    ),
    _manifest("no-content", "by 204", "RegistryError", play=Answer("204 No Content")),
    _manifest(
        "accepted",
        "by 202",
        "RegistryError",
        play=Altered(lambda h: evolve(h, status="202 Accepted")),
    ),
    _manifest(
        "part",
        "by 206",
        "RegistryError",
        play=Altered(lambda h: evolve(h, status="206 Partial Content")),
    ),
    _manifest(
        "short",
        "shorter than it says",
        "TransportError",
        play=_body(lambda b: b[:-5], length="600", cut=100),
        seconds=10,
    ),
    Case(
        "manifest-digest-malformed",
        "says of a manifest a digest that is none",
        rules=(Rule(MANIFEST, (WithHeaders(Docker_Content_Digest="nonsense"),)),),
        before=HERE,
        after=TAKEN,
    ),
    Case(
        "manifest-no-type",
        "sends a manifest without a Content-Type",
        rules=(Rule(MANIFEST, (Altered(lambda h: evolve(h, headers={})),)),),
        before=HERE,
        after=TAKEN,
    ),
    Case(
        "manifest-type-parameters",
        "sends a manifest's Content-Type with parameters",
        rules=(Rule(MANIFEST, (WithHeaders(Content_Type=f"{OCI_MANIFEST}; charset=utf-8"),)),),
        before=HERE,
        after=TAKEN,
    ),
    Case(
        "manifest-many-layers",
        "sends a manifest of 12,000 layers, of which the last leads out",
        Artifact(
            [],
            {
                "layers": [Layer(f"f{n}").descriptor(EMPTY) for n in range(12_000)]
                + [Layer("../x").descriptor(ZEROS)]
            },
        ),
        before=HERE,
        error="UnsafePathError",
        thrift=NO_BLOB,
        seconds=10,
    ),
]

# --- Indexes ------------------------------------------------------------------------------


def _index(*entries: Mapping[str, Any]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


def _entry(digest: str, size: int, kind: str = OCI_INDEX) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest, "size": size}


SAME = _index(_entry(ZEROS, 250))

INDEXES = [
    _raw(
        "index-empty",
        "that is an index of nothing",
        _index(),
        "UnsupportedError",
        media_type=OCI_INDEX,
    ),
    _raw(
        "index-two",
        "that is an index of two, and no platform was chosen",
        _index(_entry(ZEROS, 9, OCI_MANIFEST), _entry(EMPTY, 2, OCI_MANIFEST)),
        "UnsupportedError",
        media_type=OCI_INDEX,
    ),
    _raw(
        "index-missing",
        "that is an index of what is not there",
        SAME,
        "NotFoundError",
        media_type=OCI_INDEX,
    ),
    _raw(
        "index-cycle",
        "that is an index, and the same for every digest",
        SAME,
        "DigestMismatchError",
        media_type=OCI_INDEX,
        play=Answer(headers={"Content-Type": OCI_INDEX}, body=SAME),
    ),
    _raw(
        "index-type", "that is an index under a manifest's type", _index(), media_type=OCI_MANIFEST
    ),
    _raw(
        "index-blob",
        "that is an index of something else than a manifest",
        _index(_entry(EMPTY, 2, "text/plain")),
        "InvalidManifestError",
        media_type=OCI_INDEX,
        thrift={},
    ),
    _raw(
        "index-layers",
        "that is an index with layers (CVE-2021-41190)",
        json.dumps(
            {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "layers": []}
        ).encode(),
        media_type=OCI_INDEX,
    ),
]

# --- Answers as a whole -------------------------------------------------------------------


def _answer(name: str, does: str, play: Play, error: str, **more: Any) -> Case:
    return Case(
        f"answer-{name}",
        f"answers {does}",
        rules=(Rule(MANIFEST, (play,)),),
        before=HERE,
        error=error,
        thrift=NO_BLOB,
        **{"seconds": 10, **more},
    )


def _accepted(name: str, does: str, play: Play) -> Case:
    return Case(
        f"answer-{name}",
        f"answers {does}",
        rules=(Rule("GET ", (play,)),),
        before=HERE,
        after=TAKEN,
    )


LOUD = "\x1b[31mred\x1b[0m \x07 \u202edetrever"

ANSWERS = [
    _answer(
        "error-endless",
        "with an error that never ends",
        Endless(b"HTTP/1.1 404 Not Found\r\n\r\n", b"x" * 65536),
        "NotFoundError",
        memory=8 * MIB,
        seconds=5,
    ),
    _answer(
        "error-large",
        "with an error of 32 MiB",
        Answer("404 Not Found", {}, HUGE),
        "NotFoundError",
        memory=8 * MIB,
    ),
    _answer(
        "error-bomb",
        "with a compressed error",
        Answer("404 Not Found", {"Content-Encoding": "gzip"}, BOMB),
        "NotFoundError",
        memory=8 * MIB,
    ),
    _answer(
        "error-deep",
        "with an error of a hundred thousand brackets",
        Answer("400 Bad Request", {}, "[" * 60_000),
        "RegistryError",
    ),
    _answer(
        "error-types",
        "with errors of all types",
        Answer("400 Bad Request", {}, '{"errors":[1,null,{"code":{},"message":[]}]}'),
        "RegistryError",
    ),
    _answer(
        "error-html",
        "with an error for people",
        Answer("400 Bad Request", {}, "<title>nope</title>"),
        "RegistryError",
        words="nope",
    ),
    _answer(
        "error-escapes",
        "with an error that steers the terminal",
        Answer("400 Bad Request", {}, json.dumps({"errors": [{"code": "X", "message": LOUD}]})),
        "RegistryError",
        words=r"\A[^\x00-\x1f\x7f-\x9f\u202e]*\Z",
    ),
    _answer(
        "header-many",
        "with a hundred thousand header fields",
        Endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1000),
        "TransportError",
        memory=16 * MIB,
    ),
    _answer(
        "header-long",
        "with a header field that never ends",
        Endless(b"HTTP/1.1 200 OK\r\nX-A: ", b"x" * 65536),
        "TransportError",
        memory=16 * MIB,
    ),
    _answer(
        "status-long",
        "with a status line that never ends",
        Endless(b"HTTP/1.1 200 ", b"x" * 65536),
        "TransportError",
        memory=16 * MIB,
    ),
    _answer(
        "informational",
        "with 100 over and over",
        Endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        "TransportError",
        memory=16 * MIB,
    ),
    _accepted(
        "early-hints",
        "with 103 before each answer, as content delivery networks do",
        Surrounded(before=b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"),
    ),
    _accepted(
        "doubled",
        "with a second answer after each, which is nobody's",
        Surrounded(after=b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
    ),
    _accepted("followed", "with bytes after each answer", Surrounded(after=b"evil")),
    _answer(
        "switched",
        "with another protocol, which nobody asked for",
        Raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\n\r\n"),
        "TransportError",
    ),
    _answer(
        "rubbish", "with what is no HTTP", Raw(b"\0\1\2\3 hello there\r\n\r\n"), "TransportError"
    ),
    _answer(
        "other-protocol",
        "in another protocol",
        Raw(b"220 smtp.example.org ESMTP\r\n"),
        "TransportError",
    ),
    _answer("version-0", "by HTTP/0.9", Raw(b'{"schemaVersion": 2}'), "TransportError"),
    _answer(
        "version-9",
        "by HTTP/9.9",
        Raw(b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n"),
        "OrasError",
    ),
    _answer(
        "status-rubbish",
        "with a status that is no number",
        Raw(b"HTTP/1.1 abc OK\r\n\r\n"),
        "TransportError",
    ),
    _answer(
        "status-999",
        "with status 999",
        Raw(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"),
        "RegistryError",
    ),
    _answer(
        "status-1000",
        "with status 1000",
        Raw(b"HTTP/1.1 1000 Odd\r\nContent-Length: 0\r\n\r\n"),
        "OrasError",
    ),
    _answer(
        "header-cut",
        "and breaks off within the header",
        Raw(b"HTTP/1.1 200 OK\r\nContent-Ty"),
        "TransportError",
    ),
    _answer(
        "header-fold",
        "with a folded header field",
        Raw(b"HTTP/1.1 404 No\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n"),
        "OrasError",
    ),
    _answer(
        "lengths-two",
        "with two lengths that differ",
        Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\n{}"),
        "OrasError",
    ),
    _answer(
        "length-negative",
        "with a negative length",
        Raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"),
        "OrasError",
    ),
    _answer(
        "length-rubbish",
        "with a length that is no number",
        Raw(b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n{}"),
        "OrasError",
    ),
    _answer(
        "unchanged", "with 304, which nobody asked for", Answer("304 Not Modified"), "RegistryError"
    ),
    _answer(
        "switching", "with 101", Raw(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n"), "OrasError"
    ),
    Case(
        "answer-warning-escapes",
        "warns with what steers the terminal",
        rules=(Rule(MANIFEST, (WithHeaders(Warning=f'299 - "{LOUD[:12]} careful"'), HONEST)),),
        after=TAKEN,
        check=lambda folders, _: "",
    ),
]

# --- Foreign layers -----------------------------------------------------------------------

FOREIGN = [
    Case(
        "foreign-urls",
        "says that a layer is to be had from another host",
        Artifact([Layer(members={"urls": ["{stranger}/evil"]})]),
        after=TAKEN,
        stranger_at_most=0,
        schemes=("http", "https"),
    ),
    Case(
        "foreign-urls-only",
        "says that a layer is to be had from another host alone",
        Artifact([Layer(members={"urls": ["http://169.254.169.254/latest"], "digest": ZEROS})]),
        error="NotFoundError",
        stranger_at_most=0,
        schemes=("http", "https"),
    ),
    Case(
        "foreign-layer-type",
        "gives a layer docker's foreign type and an address",
        Artifact(
            [
                Layer(
                    members={
                        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                        "urls": ["file:///etc/passwd"],
                    }
                )
            ]
        ),
        after=TAKEN,
        stranger_at_most=0,
        schemes=("http", "https"),
    ),
    Case(
        "layer-data",
        "embeds a layer's content",
        Artifact([Layer(members={"data": base64.b64encode(CONTENT).decode()})]),
        after=TAKEN,
    ),
]

ROWS = [
    *BLOBS,
    *DESCRIPTORS,
    *JSON_KINDS,
    *MEMBERS,
    *SENT,
    *INDEXES,
    *ANSWERS,
    *FOREIGN,
]
