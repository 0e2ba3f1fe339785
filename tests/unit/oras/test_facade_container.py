from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras.container import Container, UnrecognizedNameError, docker_regex
from oras.types import container_type
from oras_core.errors import InvalidDigestError, InvalidReferenceError

DIGEST = "sha256:" + "0" * 64


def parts(container):
    return (
        container.registry,
        container.namespace,
        container.repository,
        container.tag,
        container.digest,
    )


@pytest.mark.parametrize(
    ("name", "expected", "uri"),
    [
        ("a/b", ("docker.io", "a", "b", "latest", None), "docker.io/a/b:latest"),
        ("ubuntu", ("docker.io", None, "ubuntu", "latest", None), "docker.io/ubuntu:latest"),
        (
            "library/ubuntu",
            ("docker.io", "library", "ubuntu", "latest", None),
            "docker.io/library/ubuntu:latest",
        ),
        (
            "localhost:5000/dinosaur/artifact:v1",
            ("localhost:5000", "dinosaur", "artifact", "v1", None),
            "localhost:5000/dinosaur/artifact:v1",
        ),
        ("localhost/x", ("localhost", None, "x", "latest", None), "localhost/x:latest"),
        ("h.io/a/b/c:1.0", ("h.io", "a/b", "c", "1.0", None), "h.io/a/b/c:1.0"),
        (f"h.io/a@{DIGEST}", ("h.io", None, "a", "latest", DIGEST), f"h.io/a@{DIGEST}"),
        (f"h.io/a/b:v@{DIGEST}", ("h.io", "a", "b", "v", DIGEST), f"h.io/a/b@{DIGEST}"),
        ("[::1]:5000/a", ("[::1]:5000", None, "a", "latest", None), "[::1]:5000/a:latest"),
    ],
)
def test_names_are_parsed_into_their_parts(name, expected, uri):
    container = Container(name)
    assert parts(container) == expected
    assert container.uri == str(container) == uri
    assert parts(Container(uri)) == (
        *expected[:3],
        "latest" if expected[4] else expected[3],
        expected[4],
    )


def test_registry_in_the_name_overrides_the_argument():
    assert Container("a/b", registry="reg.io:5000").registry == "reg.io:5000"
    assert Container("h.io/a/b", registry="reg.io:5000").registry == "h.io"


@pytest.mark.parametrize(
    "name",
    [
        "docker://host.com/a/b:v",
        "http://host.com",
        "http://",
        "x:tag:more",
        "junk h.io/a",
        "a//b",
        "/a",
        "a/",
        "a:",
        "a@",
        "a@sha256:12",
        "h.io/Upper",
        "..",
        "a?x=1",
        "a#b",
        "h.io/a:v\n",
        "",
    ],
)
def test_malformed_name_is_refused_whole(name):
    with pytest.raises(ValueError, match="does not match a recognized registry unique") as caught:
        Container(name)
    assert isinstance(caught.value, UnrecognizedNameError)
    assert isinstance(caught.value, InvalidReferenceError)
    assert caught.value.value == name
    assert str(caught.value).isprintable()
    assert "Try <registry>/<namespace>/<repository>:<tag|digest>" in str(caught.value)


@pytest.mark.parametrize("name", ["", "ghcr.io/", "a/"])
def test_name_without_a_repository_is_refused(name):
    with pytest.raises(
        ValueError, match="You are minimally required to include a <namespace>/<repo"
    ):
        Container(name)


def test_urls_have_no_scheme():
    container = Container("localhost:5000/dinosaur/artifact:v1")
    base = "localhost:5000/v2/dinosaur/artifact"
    assert container.api_prefix == "dinosaur/artifact"
    assert container.get_blob_url(DIGEST) == f"{base}/blobs/{DIGEST}"
    assert container.upload_blob_url() == f"{base}/blobs/uploads/"
    assert container.tags_url() == f"{base}/tags/list"
    assert container.tags_url(N=3) == f"{base}/tags/list?n=3"
    assert container.manifest_url() == f"{base}/manifests/v1"
    assert container.manifest_url("v2") == f"{base}/manifests/v2"
    assert container.manifest_url(DIGEST) == f"{base}/manifests/{DIGEST}"
    container.digest = DIGEST
    assert container.manifest_url() == f"{base}/manifests/{DIGEST}"


def test_docker_hub_names_use_its_api_host():
    container = Container("ubuntu")
    assert container.api_host == "registry-1.docker.io"
    assert container.manifest_url() == "registry-1.docker.io/v2/library/ubuntu/manifests/latest"
    assert Container("h.io/ubuntu").manifest_url() == "h.io/v2/ubuntu/manifests/latest"


def test_urls_refuse_path_traversal_and_queries():
    container = Container("h.io/a")
    with pytest.raises(InvalidDigestError):
        container.get_blob_url("sha256:../../secret")
    with pytest.raises(InvalidReferenceError):
        container.manifest_url("../../other/manifests/latest")
    container.tag = "v?x=y"
    with pytest.raises(InvalidReferenceError):
        container.manifest_url()


component = st.from_regex(r"[a-z0-9]+([._-][a-z0-9]+)?", fullmatch=True)


@given(
    registry=st.sampled_from(["h.io", "localhost", "localhost:5000", "127.0.0.1:80"]),
    path=st.lists(component, min_size=1, max_size=4),
    tag=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True),
)
def test_printed_name_parses_to_the_same_container(registry, path, tag):
    name = f"{registry}/{'/'.join(path)}:{tag}"
    assert str(Container(name)) == name
    match = docker_regex.match(name)
    assert match["registry"] == registry
    assert (match["namespace"] or "") + match["repository"] == "/".join(path)
    assert match["tag"] == tag


@given(st.text())
def test_arbitrary_text_is_parsed_or_refused(text):
    try:
        container = Container(text)
    except UnrecognizedNameError:
        return
    assert str(Container(str(container))) == str(container)


def test_get_container_accepts_a_name_or_a_container():
    assert set(container_type.__args__) == {str, Container}


@pytest.mark.parametrize(
    ("name", "scheme", "registry", "path"),
    [
        ("http://host.com/a/b:v", "http", "host.com", "a/b"),
        ("HTTPS://localhost:5000/a", "https", "localhost:5000", "a"),
        ("http://HOST/a/b", "http", "HOST", "a/b"),
        ("https://host.com/a.b/c", "https", "host.com", "a.b/c"),
        ("host.com/a/b", None, "host.com", "a/b"),
    ],
)
def test_name_can_start_with_a_scheme(name, scheme, registry, path):
    container = Container(name)
    assert (container.scheme, container.registry, container.api_prefix) == (scheme, registry, path)
    assert "://" not in container.uri


@pytest.mark.parametrize(
    "name", ["https://me:sesame@host.com/a", "me:sesame@host.com/a", "docker://me:sesame@h.io/a"]
)
def test_parse_error_hides_the_password(name):
    with pytest.raises(UnrecognizedNameError) as caught:
        Container(name)
    assert "sesame" not in "".join(traceback.format_exception(caught.value))
    assert "sesame" not in repr(vars(caught.value))
