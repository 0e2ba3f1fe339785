from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.errors import InvalidDigestError, InvalidReferenceError
from oras_core.model.digest import Digest
from oras_core.model.reference import Reference, is_registry, is_repository, is_tag
from support import strategies

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("localhost:5000/app", "localhost:5000", "app", None, None),
        ("localhost:5000/app:v1", "localhost:5000", "app", "v1", None),
        (f"localhost:5000/app@{DIGEST}", "localhost:5000", "app", None, DIGEST),
        (f"localhost:5000/app:v1@{DIGEST}", "localhost:5000", "app", "v1", DIGEST),
        ("localhost/app", "localhost", "app", None, None),
        ("ghcr.io/o/r/x:V_1.0-a", "ghcr.io", "o/r/x", "V_1.0-a", None),
        ("127.0.0.1:5000/a", "127.0.0.1:5000", "a", None, None),
        ("[::1]:5000/a:b", "[::1]:5000", "a", "b", None),
        ("[fe80::1]/a", "[fe80::1]", "a", None, None),
        ("Registry.Example/a", "Registry.Example", "a", None, None),
        ("registry.example./a", "registry.example.", "a", None, None),
        ("host:5000/5000", "host:5000", "5000", None, None),
        ("r.io/a__b/c-d/e---f/g.h", "r.io", "a__b/c-d/e---f/g.h", None, None),
        ("r.io/a:" + "t" * 128, "r.io", "a", "t" * 128, None),
        ("r.io/a:_", "r.io", "a", "_", None),
    ],
)
def test_reference_has_registry_repository_tag_and_digest(text, registry, repository, tag, digest):
    reference = Reference.parse(text)
    assert (reference.registry, reference.repository) == (registry, repository)
    assert reference.tag == tag
    assert reference.digest == (Digest.parse(digest) if digest else None)
    assert str(reference) == text
    assert reference.name == f"{registry}/{repository}"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("alpine", "docker.io/library/alpine"),
        ("alpine:3", "docker.io/library/alpine:3"),
        ("a/b", "docker.io/a/b"),
        ("docker.io/alpine", "docker.io/library/alpine"),
        ("index.docker.io/alpine", "docker.io/library/alpine"),
        ("Docker.IO/alpine", "docker.io/library/alpine"),
        ("docker.io:443/alpine", "docker.io/library/alpine"),
        ("registry-1.docker.io/a/b", "docker.io/a/b"),
        ("docker.io/library/alpine", "docker.io/library/alpine"),
        ("localhost:5000", "docker.io/library/localhost:5000"),
    ],
)
def test_registry_defaults_to_docker_hub_r11(text, meant):
    assert str(Reference.parse(text)) == meant
    assert Reference.parse(meant) == Reference.parse(text)


def test_default_registry_can_be_changed():
    reference = Reference.parse("team/app:v1", default_registry="registry.example:5000")
    assert str(reference) == "registry.example:5000/team/app:v1"
    assert Reference.parse("app", default_registry="localhost:1").repository == "app"
    with pytest.raises(InvalidReferenceError, match="registry is not"):
        Reference.parse("app", default_registry="https://registry.example")


def test_digest_is_used_before_the_tag_r36():
    both = Reference.parse(f"r.io/a:v1@{DIGEST}")
    assert both.reference == DIGEST
    assert Reference.parse("r.io/a:v1").reference == "v1"
    assert Reference.parse("r.io/a").reference == "latest"
    assert Reference.parse("r.io/a").tag is None


def test_reference_with_another_tag_or_digest():
    both = Reference.parse(f"r.io/a:v1@{DIGEST}")
    assert str(both.with_reference("v2")) == "r.io/a:v2"
    other = "sha512:" + "1" * 128
    assert str(both.with_reference(other)) == f"r.io/a@{other}"
    with pytest.raises(InvalidDigestError):
        both.with_reference("sha256:00")
    for text in ("", "-x", "a/b", "t" * 129):
        with pytest.raises(InvalidReferenceError):
            both.with_reference(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected"),
        (None, "expected"),
        (b"r.io/a", "expected"),
        ("r.io/", "repository is missing"),
        ("r.io/:v1", "repository is missing"),
        (":v1", "repository is missing"),
        ("r.io/a:", "tag after ':' is missing"),
        ("r.io//a", "a repository has"),
        ("/a", "a repository has"),
        ("r.io/a/", "a repository has"),
        ("r.io/A", "upper case is not allowed"),
        ("r.io/a..b", "a repository has"),
        ("r.io/a___b", "a repository has"),
        ("r.io/-a", "a repository has"),
        ("r.io/a_", "a repository has"),
        ("r.io/../a", "a repository has"),
        ("r.io/a b", "a repository has"),
        ("r.io/ä", "a repository has"),
        ("r.io/a\n", "a repository has"),
        ("r.io/a?b=c", "a repository has"),
        ("r.io/a%2f", "a repository has"),
        ("r.io/" + "a" * 256, "over 255 characters"),
        ("r.io/a:b:c", "a tag has"),
        ("r.io/a:.b", "a tag has"),
        ("r.io/a:-b", "a tag has"),
        ("r.io/a:" + "t" * 129, "a tag has"),
        ("r.io/a:b\n", "a tag has"),
        ("r.io/a:b/c", "a tag has"),
        ("r.io:/a", "registry is not"),
        ("r.io:port/a", "registry is not"),
        ("r.io:123456/a", "registry is not"),
        ("r.io:65536/a", "65536 is not a valid port"),
        ("r.io:0/a", "0 is not a valid port"),
        ("-r.io/a", "registry is not"),
        ("r..io/a", "registry is not"),
        ("r_x.io/a", "registry is not"),
        ("[::1/a:b", "registry is not"),
        ("[::g]/a", "registry is not"),
        ("user:pw.x/a", "registry is not"),
        ("https://r.io/a", "remove the scheme"),
        ("oci://r.io/a", "remove the scheme"),
    ],
)
def test_invalid_reference_is_refused(text, reason):
    with pytest.raises(InvalidReferenceError, match=reason):
        Reference.parse(text)


@pytest.mark.parametrize("digest", ["", "sha256", "sha256:00", "md5:" + "0" * 32, f"{DIGEST}@x"])
def test_invalid_digest_is_refused(digest):
    with pytest.raises(InvalidDigestError):
        Reference.parse(f"r.io/a@{digest}")


def test_constructor_checks_the_grammar():
    with pytest.raises(InvalidReferenceError):
        Reference("r.io/x", "a")
    with pytest.raises(InvalidReferenceError):
        Reference("r.io", "a/../b")
    with pytest.raises(InvalidReferenceError):
        Reference("r.io", "a", "b?c")


def test_error_hides_a_password_in_a_reference():
    with pytest.raises(InvalidReferenceError) as caught:
        Reference.parse("https://user:hunter2@r.io/a?token=hunter2")
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(vars(caught.value))
    assert "r.io/a" in str(caught.value)


_parts = st.text("ab0", min_size=1, max_size=3)
_repositories = st.lists(
    st.lists(_parts, min_size=1, max_size=3).flatmap(
        lambda words: st.sampled_from([".", "_", "__", "-", "--"]).map(lambda s: s.join(words))
    ),
    min_size=1,
    max_size=3,
).map("/".join)
_registries = st.sampled_from(
    ["localhost", "localhost:5000", "a.b", "a.b:1", "[::1]", "[::1]:65535", "10.0.0.1:80"]
)
_tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,8}", fullmatch=True)


@given(_registries, _repositories, st.none() | _tags, st.none() | strategies.digests)
def test_parse_reads_what_str_writes(registry, repository, tag, digest):
    reference = Reference(registry, repository, tag, digest)
    assert Reference.parse(str(reference)) == reference
    assert pickle.loads(pickle.dumps(reference)) == reference


@given(st.text("aA0.:/@-_[] \n?", max_size=20) | st.text(max_size=20))
def test_any_text_is_a_reference_or_an_error(text):
    try:
        reference = Reference.parse(text)
    except (InvalidReferenceError, InvalidDigestError):
        return
    assert is_registry(reference.registry)
    assert is_repository(reference.repository)
    assert reference.tag is None or is_tag(reference.tag)
    assert Reference.parse(str(reference)) == reference


def test_long_names_are_parsed_in_bounded_time():
    # A grammar that backtracks would not come back.
    for text in ("a" * 100_000 + "!", "a-" * 50_000, "a." * 50_000 + "!"):
        assert not is_registry(text)
        assert not is_repository(text)
        assert not is_tag(text)
