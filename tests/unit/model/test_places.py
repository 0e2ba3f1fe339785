"""Places are read as people write them, and nothing misspelt becomes the name of a repository."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.errors import InvalidDigestError, InvalidReferenceError
from oras_core.model.digest import Digest
from oras_core.model.places import LayoutPlace, parse_place, whole
from oras_core.model.reference import Reference

DIGEST = Digest.of(b"")

READ = {
    "localhost:5000/team/model:v1": Reference("localhost:5000", "team/model", "v1"),
    f"ghcr.io/team/model@{DIGEST}": Reference("ghcr.io", "team/model", digest=DIGEST),
    "docker.io/alpine": Reference("docker.io", "library/alpine"),
    "oci:backup": LayoutPlace("oci", "backup"),
    "oci:backup:v1": LayoutPlace("oci", "backup", "v1"),
    "oci:/var/a:b/backup": LayoutPlace("oci", "/var/a:b/backup"),
    "oci:./a:b/c:v1": LayoutPlace("oci", "./a:b/c", "v1"),
    f"oci:backup@{DIGEST}": LayoutPlace("oci", "backup", digest=DIGEST),
    f"oci:backup:v1@{DIGEST}": LayoutPlace("oci", "backup", "v1", DIGEST),
    "oci:me@home": LayoutPlace("oci", "me@home"),
    "oci:me@home/backup:v1": LayoutPlace("oci", "me@home/backup", "v1"),
    "oci-archive:backup.tar": LayoutPlace("oci-archive", "backup.tar"),
    "oci-archive:/tmp/backup.tar:v1": LayoutPlace("oci-archive", "/tmp/backup.tar", "v1"),
}

REFUSED = {
    "": "expected HOST/REPOSITORY",
    "model:v1": "on Docker Hub, HOST is docker.io",
    "oci": "expected HOST/REPOSITORY",
    "oci-arhive:backup.tar:v1": "or oci-archive:FILE",
    "dir:backup": "oci:FOLDER",
    "localhost:5000": "expected HOST/REPOSITORY",
    "docker://localhost:5000/a": "remove the scheme",
    "oci:": "the path is missing",
    "oci::v1": "the path is missing",
    "oci:backup:": "'', which follows the last ':', is not a tag",
    "oci:backup:not a tag": "'not a tag', which follows the last ':', is not a tag",
}


@pytest.mark.parametrize("text", READ)
def test_locations_of_skopeo_and_oras_are_parsed(text):
    assert parse_place(text) == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_invalid_location_error_says_what_to_write(text):
    with pytest.raises(InvalidReferenceError) as caught:
        parse_place(text)
    assert REFUSED[text] in str(caught.value)


def test_a_malformed_digest_is_refused():
    with pytest.raises(InvalidDigestError, match="sha256 needs 64"):
        parse_place("oci:backup@sha256:0123")


@pytest.mark.parametrize("text", [text for text in READ if text != "docker.io/alpine"])
def test_location_round_trips(text):
    assert str(parse_place(text)) == text


@given(st.text(), st.sampled_from(["", "oci:", "oci-archive:", "localhost:5000/"]))
def test_arbitrary_text_is_a_location_that_round_trips_or_an_error(text, prefix):
    try:
        place = parse_place(prefix + text)
    except (InvalidReferenceError, InvalidDigestError):
        return
    assert parse_place(str(place)) == place


@pytest.mark.parametrize("text", ["oci:backup:v1", f"ghcr.io/team/model:v1@{DIGEST}"])
def test_whole_location_has_no_tag_and_no_digest(text):
    assert (whole(parse_place(text)).tag, whole(parse_place(text)).digest) == (None, None)
