"""Values of header fields in the responses of registries."""

from __future__ import annotations

import pytest

from oras_core.errors import DigestMismatchError
from oras_core.model.digest import Digest
from oras_core.ports.http import Headers
from oras_core.registry.header_fields import (
    check_digest_header,
    content_length,
    digest_header,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12),
        (" 12 ", 12),
        ("-1", None),
        ("1e3", None),
        ("", None),
        ("9" * 20, None),
        ("١٢", None),
    ],
)
def test_content_length(text, expected):
    assert content_length(Headers({"content-length": text})) == expected


def test_r26_missing_or_invalid_digest_header_is_ignored():
    digest = Digest.of(b"a")
    assert digest_header(Headers()) is None
    assert digest_header(Headers({"Docker-Content-Digest": "nonsense"})) is None
    assert digest_header(Headers({"docker-content-digest": f" {digest} "})) == digest


def test_r24_wrong_digest_header_is_an_error():
    digest, other = Digest.of(b"a"), Digest.of(b"b")
    check_digest_header(Headers(), digest, "x")
    check_digest_header(Headers({"Docker-Content-Digest": "nonsense"}), digest, "x")
    check_digest_header(Headers({"Docker-Content-Digest": str(digest)}), digest, "x")
    sha512 = str(Digest.of(b"b", "sha512"))
    check_digest_header(Headers({"Docker-Content-Digest": sha512}), digest, "x")
    with pytest.raises(DigestMismatchError):
        check_digest_header(Headers({"Docker-Content-Digest": str(other)}), digest, "x")
