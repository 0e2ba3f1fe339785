from __future__ import annotations

import pytest

from oras_core.errors import InvalidDigestError, InvalidReferenceError
from oras_core.model.digest import Digest
from oras_core.model.hosts import is_loopback
from oras_core.registry.endpoints import (
    RegistryEndpoints,
    api_host,
    base_url,
    with_digest,
)
from oras_core.registry.profiles import HostProfile, LearnedProfile, profile_for

DIGEST = Digest.of(b"hello")
REPOSITORY = RegistryEndpoints("https://ghcr.io", "ghcr.io").repository("org/app")


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        ("docker.io", "https://registry-1.docker.io"),  # R11
        ("ghcr.io", "https://ghcr.io"),
        ("ghcr.io:443", "https://ghcr.io:443"),
        ("localhost:5000", "https://localhost:5000"),
        ("[::1]:5000", "https://[::1]:5000"),
    ],
)
def test_base_url_of_a_host(registry, expected):
    assert base_url(registry) == expected
    assert base_url(registry, plain_http=True) == expected.replace("https:", "http:")


@pytest.mark.parametrize("registry", ["", "a/b", "https://a", "a@b", "a?b", "a b", "a\n", "ä.de"])
def test_base_url_accepts_hosts_only(registry):
    with pytest.raises(InvalidReferenceError):
        base_url(registry)


def test_docker_hub_has_another_api_host():
    assert api_host("docker.io") == "registry-1.docker.io"
    assert api_host("Docker.IO:443") == "registry-1.docker.io"
    assert api_host("quay.io") == "quay.io"


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("LOCALHOST:5000", True),
        ("a.localhost", True),
        ("127.0.0.1:5000", True),
        ("127.8.9.1", True),
        ("127.1:5000", True),
        ("0.0.0.0:5000", True),
        ("localhost.:5000", True),
        ("[::1]:5000", True),
        ("ghcr.io", False),
        ("localhost.example.org", False),
        ("10.0.0.1:5000", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_is_loopback(registry, expected):
    assert is_loopback(registry) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (REPOSITORY.blob(DIGEST), f"https://ghcr.io/v2/org/app/blobs/{DIGEST}"),
        (REPOSITORY.uploads(), "https://ghcr.io/v2/org/app/blobs/uploads/"),
        (
            REPOSITORY.mount(DIGEST, "org/other"),
            f"https://ghcr.io/v2/org/app/blobs/uploads/?mount={DIGEST}&from=org/other",
        ),
        (REPOSITORY.manifest("v1"), "https://ghcr.io/v2/org/app/manifests/v1"),
        (REPOSITORY.manifest(DIGEST), f"https://ghcr.io/v2/org/app/manifests/{DIGEST}"),
        (REPOSITORY.manifest(str(DIGEST)), f"https://ghcr.io/v2/org/app/manifests/{DIGEST}"),
        (REPOSITORY.tags(), "https://ghcr.io/v2/org/app/tags/list"),
        (REPOSITORY.tags(7), "https://ghcr.io/v2/org/app/tags/list?n=7"),
        (REPOSITORY.referrers(DIGEST), f"https://ghcr.io/v2/org/app/referrers/{DIGEST}"),
        (
            REPOSITORY.referrers(DIGEST, "application/a+json"),
            f"https://ghcr.io/v2/org/app/referrers/{DIGEST}?artifactType=application%2Fa%2Bjson",
        ),
        (RegistryEndpoints("https://a.io", "a.io").ping, "https://a.io/v2/"),
        (RegistryEndpoints("https://a.io", "a.io").catalog(3), "https://a.io/v2/_catalog?n=3"),
    ],
)
def test_urls_of_the_api(url, expected):
    assert url == expected


@pytest.mark.parametrize("reference", ["", "../x", "a/b", "v1?x", "a#b", "-v", "v" * 129, "v1\n"])
def test_a_malformed_tag_is_refused(reference):
    with pytest.raises(InvalidReferenceError):
        REPOSITORY.manifest(reference)


@pytest.mark.parametrize("reference", ["sha256:abc", "md5:" + "0" * 32, f"sha256:{'A' * 64}"])
def test_a_malformed_digest_is_refused(reference):
    with pytest.raises(InvalidDigestError):
        REPOSITORY.manifest(reference)


@pytest.mark.parametrize("name", ["", "Upper", "a//b", "../a", "a/../b", "a?b", "/a"])
def test_a_malformed_repository_name_is_refused(name):
    with pytest.raises(InvalidReferenceError):
        RegistryEndpoints("https://a.io", "a.io").repository(name)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://a/u/1", "https://a/u/1?digest={}"),
        ("https://a/u/1?", "https://a/u/1?digest={}"),
        ("https://a/u/1?_state=x%3D&b", "https://a/u/1?_state=x%3D&b&digest={}"),
        ("https://a/u/1?flag", "https://a/u/1?flag&digest={}"),
        ("https://a/u/1?a=1&a=2&", "https://a/u/1?a=1&a=2&digest={}"),
        ("https://a:443/u/1?sig=a+b", "https://a:443/u/1?sig=a+b&digest={}"),
    ],
)
def test_r18_the_digest_is_appended_to_an_unchanged_query(location, expected):
    assert with_digest(location, DIGEST) == expected.format(DIGEST)


@pytest.mark.parametrize(
    ("host", "accepts_chunks"),
    [
        ("gcr.io", False),
        ("eu.gcr.io", False),
        ("europe-west1-docker.pkg.dev", False),
        ("1234.dkr.ecr.eu-west-1.amazonaws.com", False),
        ("public.ecr.aws", False),
        ("ghcr.io", True),
        ("docker.io", True),
        ("localhost:5000", True),
        ("notgcr.io", True),
    ],
)
def test_r15_hosts_without_chunks(host, accepts_chunks):
    assert profile_for(host).accepts_chunks is accepts_chunks


def test_r15_ghcr_accepts_chunks_of_at_most_4_mib():
    for host in ("ghcr.io", "GHCR.io", "ghcr.io.", "ghcr.io:443"):
        assert profile_for(host).chunk_for(10**9, 16 * 1024**2) == 4 * 1024**2


@pytest.mark.parametrize(
    ("profile", "size", "wanted", "expected"),
    [
        (HostProfile(), 10**9, None, None),
        (HostProfile(), 10**9, 1000, 1000),
        (HostProfile(chunked=True, chunk_size=500), 10**9, None, 500),
        (HostProfile(chunked=True, chunk_size=500), 10**9, 700, 700),
        (HostProfile(accepts_chunks=False, chunked=True), 10**9, 1000, None),
        (HostProfile(max_whole_size=100, chunk_size=10), 100, None, None),
        (HostProfile(max_whole_size=100, chunk_size=10), 101, None, 10),
        (HostProfile(max_chunk_size=50), 10**9, 1000, 50),
    ],
)
def test_the_chunk_size_of_a_blob(profile, size, wanted, expected):
    assert profile.chunk_for(size, wanted) == expected


def test_a_learned_limit_only_decreases():
    learned = LearnedProfile(HostProfile())
    learned.learn_too_large(1000)
    learned.learn_too_large(5000)
    assert learned.current.max_whole_size == 999
