from __future__ import annotations

import copy
import hashlib
import pickle
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.errors import InvalidDigestError
from oras_core.model.digest import Digest, new_hasher
from support import strategies

ZEROS = "0" * 64


def test_digest_has_algorithm_and_encoded_part():
    digest = Digest.parse(f"sha256:{ZEROS}")
    assert (digest.algorithm, digest.encoded) == ("sha256", ZEROS)
    assert str(digest) == f"sha256:{ZEROS}"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_hashing_is_hashlib_s(algorithm):
    digest = Digest.of(b"content", algorithm)
    assert str(digest) == f"{algorithm}:{hashlib.new(algorithm, b'content').hexdigest()}"
    assert digest.matches(b"content")
    assert not digest.matches(b"Content")
    assert digest.hasher().name == algorithm


def test_sha256_is_the_default():
    assert Digest.of(b"").algorithm == "sha256"
    assert new_hasher().name == "sha256"


@given(strategies.digests)
def test_parse_reads_what_str_writes(digest):
    assert Digest.parse(str(digest)) == digest
    assert pickle.loads(pickle.dumps(digest)) == copy.copy(digest) == digest


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected ALGORITHM:HEX"),
        (ZEROS, "expected ALGORITHM:HEX"),
        (f":{ZEROS}", "algorithm '' is not one of"),
        ("sha256:", "64 lower-case hexadecimal digits"),
        (f"sha256:{ZEROS[:-1]}", "64 lower-case hexadecimal digits"),
        (f"sha256:{ZEROS}0", "64 lower-case hexadecimal digits"),
        (f"sha512:{ZEROS}", "128 lower-case hexadecimal digits"),
        (f"sha256:{'A' * 64}", "64 lower-case hexadecimal digits"),
        (f"sha256:{'g' * 64}", "64 lower-case hexadecimal digits"),
        (f"sha256:{'٣' * 64}", "64 lower-case hexadecimal digits"),
        (f"sha256:{ZEROS[:-1]}\n", "64 lower-case hexadecimal digits"),
        (f"sha256:{ZEROS}\n", "64 lower-case hexadecimal digits"),
        (f"sha256: {ZEROS[:-1]}", "64 lower-case hexadecimal digits"),
        (f"SHA256:{ZEROS}", "algorithm 'SHA256' is not one of sha256, sha512"),
        (f"sha256 :{ZEROS}", "algorithm 'sha256 ' is not one of"),
        (f"md5:{'0' * 32}", "algorithm 'md5' is not one of"),
        (f"sha1:{'0' * 40}", "algorithm 'sha1' is not one of"),
        (f"sha256+b64u:{ZEROS}", "algorithm 'sha256+b64u' is not one of"),
        ("sha256:" + "../" * 21 + "x", "64 lower-case hexadecimal digits"),
    ],
)
def test_invalid_digest_is_refused(text, reason):
    with pytest.raises(InvalidDigestError, match=reason.replace("+", r"\+")) as caught:
        Digest.parse(text)
    assert caught.value.value == text


@pytest.mark.parametrize("text", [None, 1, b"sha256:" + ZEROS.encode()])
def test_only_a_string_is_parsed(text):
    with pytest.raises(InvalidDigestError, match="a digest is a string"):
        Digest.parse(text)


@pytest.mark.parametrize(
    ("algorithm", "encoded"), [("md5", "0" * 32), ("sha256", "../../etc"), ("sha256", "A" * 64)]
)
def test_constructor_checks_the_grammar(algorithm, encoded):
    with pytest.raises(InvalidDigestError):
        Digest(algorithm, encoded)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "SHA256", "sha3_256", ""])
def test_hashing_by_another_algorithm_is_refused(algorithm):
    with pytest.raises(InvalidDigestError):
        Digest.of(b"", algorithm)
    with pytest.raises(InvalidDigestError):
        new_hasher(algorithm)


@given(st.text(max_size=80))
def test_any_text_is_a_digest_or_an_error(text):
    with suppress(InvalidDigestError):
        assert str(Digest.parse(text)) == text
