"""Every parser of untrusted input, as a function of bytes that finds faults of the parser.

A target returns if the parser returned a valid value or raised a documented error. It raises an
exception for a fault: an error of another type, or a value that the parser must not return.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from unittest import mock
from urllib.parse import urlsplit

from attrs import frozen

from oras_adapters.compression.zstd_compression import MODULE as ZSTD_MODULE
from oras_adapters.compression.zstd_compression import Zstd
from oras_adapters.credentials.credential_helper import CredentialHelperStore
from oras_adapters.credentials.docker_config import DockerConfigStore
from oras_adapters.settings.settings import load_settings
from oras_core.archives.archive import unpack
from oras_core.errors import (
    ContentError,
    CredentialError,
    InvalidAnnotationError,
    InvalidConfigurationError,
    InvalidDigestError,
    InvalidManifestError,
    InvalidPlatformError,
    InvalidReferenceError,
    RegistryError,
    SizeLimitError,
    UnsafeArchiveError,
    UnsafePathError,
    UnsafeRedirectError,
    redact_url,
)
from oras_core.errors.redaction import redact_name, redact_text
from oras_core.model import codec
from oras_core.model.annotations import AnnotationSet
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.model.paths import sanitize_path
from oras_core.model.platform import Platform
from oras_core.model.reference import Reference
from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.registry.auth.challenge import parse_challenges
from oras_core.registry.auth.refusals import Audience
from oras_core.registry.auth.scope import format_scopes, parse_scopes, required_scopes
from oras_core.registry.auth.token import TokenClient
from oras_core.registry.blobs.session import held_bytes
from oras_core.registry.pagination import next_link
from oras_core.registry.responses import parse_json, raise_for_status
from oras_core.registry.transports.fields import rate_limit, warnings
from oras_core.registry.transports.redirects import origin_of, resolve_location
from oras_core.registry.transports.retries import retry_after
from oras_core.stores.layout.archive import unpack_layout
from oras_core.stores.layout.index import LayoutIndex
from oras_core.testing.memory_files import MemoryFileTree
from support.modules import require_module
from support.scripted_transport import Answer, ScriptedTransport
from support.tar_archives import directory, hardlink, member, symlink, tar
from support.zstd_frames import MAGIC as ZSTD_MAGIC
from support.zstd_frames import frame, raw_blocks, skippable, zeros

__all__ = ["TARGETS", "Target"]

Error = TypeVar("Error", bound=Exception)

ORIGIN = "https://registry.example"
DIGEST = "sha256:" + "0" * 64
LIMITS = Limits(archive_members=1000, archive_bytes=8 * 1024 * 1024)


@frozen
class Target:
    """One parser.

    Attributes:
        check: given bytes, returns unless there is a finding.
        seeds: what the parser reads well.
        tokens: pieces that mean something to it.
    """

    check: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    tokens: tuple[bytes, ...] = ()


def _raised(kind: type[Error], call: Callable[[], object]) -> Error | None:
    """Return the error of that kind that a call raises; None if it raises none."""
    try:
        call()
    except kind as error:
        return error
    return None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


# --- Values -------------------------------------------------------------------------------


def _reference(data: bytes) -> None:
    with suppress(InvalidReferenceError, InvalidDigestError):
        parsed = Reference.parse(_text(data))
        assert Reference.parse(str(parsed)) == parsed
        assert not set("\x00\n\r @?#%\\") & set(parsed.name)


def _digest(data: bytes) -> None:
    with suppress(InvalidDigestError):
        parsed = Digest.parse(_text(data))
        assert str(parsed) == _text(data)
        assert parsed.algorithm in ("sha256", "sha512")


def _platform(data: bytes) -> None:
    with suppress(InvalidPlatformError):
        assert Platform.parse(str(Platform.parse(_text(data))))


def _path(data: bytes) -> None:
    with suppress(UnsafePathError):
        path = sanitize_path(_text(data))
        inside = os.path.normpath(os.path.join("/root", str(path)))
        assert inside.startswith("/root/")
        assert sanitize_path(str(path)) == path
        assert str(path).isprintable() or not any(c < " " for c in str(path))


# --- Header fields ------------------------------------------------------------------------


def _challenge(data: bytes) -> None:
    for challenge in parse_challenges(_text(data)):
        assert challenge.scheme == challenge.scheme.lower()
        scopes = parse_scopes(challenge.scope)
        assert parse_scopes(format_scopes(scopes)) == scopes


def _scope(data: bytes) -> None:
    with suppress(ValueError):
        required_scopes("PUT", f"{ORIGIN}/v2/{_text(data)}")
    parse_scopes(_text(data))


def _link(data: bytes) -> None:
    with suppress(UnsafeRedirectError):
        found = next_link({"Link": _text(data)}, f"{ORIGIN}/v2/app/tags/list")
        assert found is None or origin_of(found) == ORIGIN


def _location(data: bytes) -> None:
    with suppress(UnsafeRedirectError):
        resolved = resolve_location(f"{ORIGIN}/v2/", _text(data))
        parts = urlsplit(resolved)
        assert parts.scheme == "https"
        assert parts.hostname
        assert "@" not in parts.netloc
        assert not any(c <= " " for c in resolved)
        assert origin_of(resolved)


def _header_numbers(data: bytes) -> None:
    headers = {
        name: _text(data) for name in ("Retry-After", "Range", "Date", "Warning", "ratelimit-limit")
    }
    pause = retry_after(HttpResponse(200, headers, body=io.BytesIO()).headers)
    assert pause is None or pause >= 0
    held = held_bytes(HttpResponse(200, headers, body=io.BytesIO()).headers)
    assert held is None or held >= 0
    for shown in warnings(HttpResponse(200, headers, body=io.BytesIO()).headers):
        assert shown.isprintable()
    rate_limit(HttpResponse(200, {"ratelimit-remaining": _text(data)}, body=io.BytesIO()).headers)


def _redaction(data: bytes) -> None:
    text = _text(data)
    redact_name(text)
    redact_text(text)
    shown = redact_url(text)
    assert "?" not in shown
    assert "#" not in shown


# --- Documents ----------------------------------------------------------------------------


def _manifest(data: bytes) -> None:
    for media_type in (None, "application/vnd.oci.image.manifest.v1+json"):
        with suppress(InvalidManifestError, SizeLimitError):
            document = codec.decode(data, media_type)
            assert document.content == data
            for descriptor in document.successors:
                sanitized = descriptor.title
                assert sanitized is None or isinstance(sanitized, str)
                assert 0 <= descriptor.size < 2**63


def _index(data: bytes) -> None:
    with suppress(InvalidManifestError, SizeLimitError):
        index = LayoutIndex.parse(data)
        assert list(LayoutIndex.parse(index.encode())) == list(index)


def _annotation_file(data: bytes) -> None:
    with suppress(InvalidAnnotationError):
        AnnotationSet.parse(data).section("a")


def _error_body(data: bytes) -> None:
    request = HttpRequest("GET", f"{ORIGIN}/v2/")
    for status in (401, 404, 429, 500):
        response = HttpResponse(status, body=io.BytesIO(data), url=request.url)
        error = _raised(RegistryError, lambda r=response: raise_for_status(request, r, "fuzz"))
        assert error is not None
        assert len(error.detail) <= 501
        assert not any(c < " " or "\x7f" <= c <= "\x9f" for c in str(error))
    with suppress(RegistryError):
        parse_json(request, HttpResponse(200, body=io.BytesIO()), "fuzz", data)


def _token_answer(data: bytes) -> None:
    transport = ScriptedTransport(Answer(200, {}, data))
    with suppress(RegistryError, ContentError):
        token = TokenClient(transport, now=lambda: 0.0).fetch(Audience(f"{ORIGIN}/token"), ())
        assert token.value.isascii()
        assert token.value.isprintable()
        assert " " not in token.value
        assert token.expires_at > 0


def _docker_config(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        Path(file.name).write_bytes(data)
        store = DockerConfigStore(file.name)
        for ask in (store.get, store.helper_for):
            with suppress(CredentialError):
                ask("registry.example")


def _helper_answer(data: bytes) -> None:
    for status in (0, 1):
        done = subprocess.CompletedProcess([], status, data.decode("utf-8", "replace"), "")
        with mock.patch("subprocess.run", return_value=done):
            store = CredentialHelperStore("fuzz")
            error = _raised(CredentialError, lambda s=store: s.get("registry.example"))
        assert error is None or str(error).isprintable()


def _settings(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        Path(file.name).write_bytes(data)
        with suppress(InvalidConfigurationError):
            load_settings({"ORAS_CONFIG": file.name})


# --- Archives -----------------------------------------------------------------------------


def _archive(data: bytes) -> None:
    tree = MemoryFileTree()
    with suppress(UnsafeArchiveError, SizeLimitError, UnsafePathError):
        unpack(io.BytesIO(data), tree, limits=LIMITS)


def _compressed_archive(data: bytes) -> None:
    tree = MemoryFileTree()
    with suppress(UnsafeArchiveError, SizeLimitError, UnsafePathError):
        unpack(io.BytesIO(gzip.compress(data, 1)), tree, prefix=sanitize_path("a"), limits=LIMITS)


def _zstd_archive(data: bytes) -> None:
    require_module(ZSTD_MODULE)
    tree = MemoryFileTree()
    with suppress(UnsafeArchiveError, SizeLimitError, UnsafePathError):
        unpack(io.BytesIO(ZSTD_MAGIC + data), tree, limits=LIMITS, compressions=[Zstd()])


def _fixed_checksums(data: bytes) -> bytes:
    """Return the archive with right checksums, which a change at random never has."""
    fixed = bytearray(data)
    for start in range(0, len(fixed) - 511, 512):
        block = fixed[start : start + 512]
        if block[257:262] == b"ustar":
            block[148:156] = b" " * 8
            fixed[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    return bytes(fixed)


def _headers(data: bytes) -> None:
    _archive(_fixed_checksums(data))


def _layout_archive(data: bytes) -> None:
    tree = MemoryFileTree()
    with suppress(UnsafeArchiveError, ContentError, UnsafePathError, InvalidManifestError):
        unpack_layout(io.BytesIO(_fixed_checksums(data)), tree, limits=LIMITS)


JSON_TOKENS = (
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"null", b"true", b"-1", b"1e999", b"NaN"),
    *(b"\\ud800", b"\\u0000", b"9" * 30, b"\xff", b"[" * 200, b"sha256:"),
    *(b'"digest"', b'"size"', b'"layers"', b'"manifests"', b'"data"', b'"mediaType"'),
)
HEADER_TOKENS = (
    *(b",", b";", b"=", b'"', b"\\", b"<", b">", b" ", b"\t", b"\r\n", b"\x00", b"\xff"),
    *(b"%", b"?", b"#", b"[", b"@", b"::1", b"//", b"://", b"http", b"169.254.169.254"),
    *(b"rel=next", b"Bearer", b"realm=", b"scope="),
)
NAME_TOKENS = (
    *(b"/", b"..", b".", b":", b"@", b"\\", b"\x00", b"\n", b" ", b"C:", b"\xff", b"sha256:"),
    *(b"\xe2\x80\xae", b"a" * 300),
)

_MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "a/b",
        "config": {"mediaType": "a/b", "digest": DIGEST, "size": 2, "data": "e30="},
        "layers": [
            {
                "mediaType": "a/b",
                "digest": DIGEST,
                "size": 1,
                "urls": ["http://a"],
                "annotations": {"org.opencontainers.image.title": "a.txt"},
                "platform": {"os": "linux", "architecture": "amd64", "os.features": ["x"]},
            }
        ],
        "subject": {"mediaType": "a/b", "digest": DIGEST, "size": 1},
        "annotations": {"a": "b"},
    }
).encode()
_INDEX = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": DIGEST,
                "size": 3,
                "annotations": {"org.opencontainers.image.ref.name": "v1"},
            }
        ],
        "x": 1,
    }
).encode()
_TAR = tar(
    directory("a"),
    member("a/b.txt", b"content", mode=0o4755),
    symlink("a/l", "b.txt"),
    hardlink("a/h", "a/b.txt"),
    member("a/" + "n" * 120, b"x", pax_headers={"comment": "c", "path": "a/p"}),
)

_LAYOUT = tar(
    member("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'),
    member("index.json", _INDEX),
    member("blobs/sha256/" + Digest.of(b"{}").encoded, b"{}"),
)

TARGETS: Mapping[str, Target] = {
    "reference": Target(
        _reference,
        (b"registry.example:5000/a/b:v1", b"a@" + DIGEST.encode(), b"localhost/x", b"[::1]:5/a:b"),
        NAME_TOKENS,
    ),
    "digest": Target(_digest, (DIGEST.encode(), b"sha512:" + b"a" * 128), NAME_TOKENS),
    "platform": Target(_platform, (b"linux/amd64", b"linux/arm/v7"), NAME_TOKENS),
    "path": Target(_path, (b"a/b.txt", b"./a//b/", b"a/../b"), NAME_TOKENS),
    "challenge": Target(
        _challenge,
        (
            b'Bearer realm="https://a/t",service="s",scope="repository:a:pull,push"',
            b"Basic realm=x",
        ),
        HEADER_TOKENS,
    ),
    "scope": Target(
        _scope, (b"app/blobs/uploads/?mount=x&from=y", b"repository:a:pull"), HEADER_TOKENS
    ),
    "link": Target(
        _link, (b'</v2/app/tags/list?last=a>; rel="next"', b"<a>;rel=next,<b>"), HEADER_TOKENS
    ),
    "location": Target(
        _location,
        (b"https://other.example/u?x=1#f", b"/v2/app/blobs/uploads/1", b"?a", b"//h/p"),
        HEADER_TOKENS,
    ),
    "header-numbers": Target(
        _header_numbers,
        (b"120", b"0-99", b"Wed, 21 Oct 2015 07:28:00 GMT", b'299 - "careful"', b"100;w=60"),
        HEADER_TOKENS,
    ),
    "redaction": Target(_redaction, (b"https://u:p@h/p?q=1#f",), HEADER_TOKENS),
    "manifest": Target(_manifest, (_MANIFEST, _INDEX), JSON_TOKENS),
    "index": Target(_index, (_INDEX, _INDEX.replace(b'"x"', b'"\\ud800"')), JSON_TOKENS),
    "annotation-file": Target(
        _annotation_file, (b'{"$manifest": {"a": "b"}, "f.txt": {"c": "d"}}',), JSON_TOKENS
    ),
    "error-body": Target(
        _error_body,
        (
            b'{"errors": [{"code": "DENIED", "message": "no", "detail": {}}]}',
            b"<html><title>no</title></html>",
            b"<Error><Message>no</Message></Error>",
        ),
        (*JSON_TOKENS, b"<title>", b"</", b"\x1b[2J", b"Bearer abcdefgh", b"https://a/?b"),
    ),
    "token-answer": Target(_token_answer, (b'{"token": "abc", "expires_in": 300}',), JSON_TOKENS),
    "docker-config": Target(
        _docker_config,
        (
            b'{"auths": {"registry.example": {"auth": "YTpi", "identitytoken": "t"}}}',
            b'{"credHelpers": {"registry.example": "x"}, "credsStore": "y"}',
        ),
        (*JSON_TOKENS, b'"auths"', b'"auth"', b'"credsStore"', b'"registry.example"'),
    ),
    "helper-answer": Target(
        _helper_answer,
        (b'{"ServerURL": "x", "Username": "a", "Secret": "b"}', b"credentials not found"),
        (*JSON_TOKENS, b"<token>", b"\x1b[2J"),
    ),
    "settings": Target(
        _settings,
        (
            b'[network]\nattempts = 3\n[hosts."a:5"]\nplain_http = true\n',
            b'[credentials]\nstores = ["docker"]\n',
        ),
        (
            b"[",
            b"]",
            b"=",
            b'"',
            b"\n",
            b".",
            b"true",
            b"1e9",
            b"nan",
            b"inf",
            b"environment",
            b"tls",
        ),
    ),
    "tar": Target(_archive, (_TAR,), (b"ustar\0" + b"00", b"../", b"\0" * 512, b"x", b"L", b"g")),
    "tar-headers": Target(_headers, (_TAR,), (b"../", b"/etc", b"1 path=..\n", b"\x80", b"7" * 11)),
    "layout-archive": Target(
        _layout_archive, (_LAYOUT,), (b"blobs/sha256/", b"../", b"index.json")
    ),
    "tar-zstd": Target(
        _zstd_archive,
        (frame(raw_blocks(_TAR))[4:], frame(raw_blocks(_TAR[:700]) + zeros(2**17))[4:]),
        (ZSTD_MAGIC, skippable(b"x"), b"\x01\0\0", b"\xff\xff\xff"),
    ),
    "tar-compressed": Target(_compressed_archive, (_TAR,), (b"../", b"\0" * 512)),
}
