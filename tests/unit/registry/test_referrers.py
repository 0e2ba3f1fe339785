"""Referrers in a registry: its API, the tag in its place, and how the two are told apart."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve

from oras_core.errors import (
    InvalidManifestError,
    NotFoundError,
    RegistryError,
    RegistryNotFoundError,
    UnsupportedError,
)
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.model.platform import Platform
from oras_core.ports.http import HttpRequest
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.manifests import ManifestClient
from oras_core.registry.referrers import ReferrersClient
from oras_core.registry.referrers_list import is_referrers_list, referrers_tag
from oras_core.registry.referrers_memory import ReferrersMemory
from oras_core.testing import faults
from oras_core.testing.contracts.content_access import (
    digests,
    push_artifact,
    push_blob,
    push_document,
)
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.artifacts import repository
from support.scripted_transport import Answer, ScriptedTransport

SUBJECT = Digest.of(b"subject")
ROOT = "http://localhost:5000/v2/app"
API = f"{ROOT}/referrers/{SUBJECT}"
TAG = f"{ROOT}/manifests/sha256-{SUBJECT.encoded}"
TAG_PATH = "/manifests/sha256-%s"
INDEX = {"Content-Type": media_types.OCI_INDEX}


def referrer(name, artifact_type="a/b"):
    descriptor = Descriptor.of(name.encode(), media_types.OCI_MANIFEST)
    return Descriptor(
        descriptor.media_type, descriptor.digest, descriptor.size, artifact_type=artifact_type
    )


def listing(*referrers, headers=None, status=200):
    content = codec.encode_index(manifests=referrers).content
    return Answer(status, {**INDEX, **(headers or {})}, content)


def missing(code="MANIFEST_UNKNOWN"):
    return Answer(404, {}, json.dumps({"errors": [{"code": code}]}).encode())


def client_of(*steps, memory=None):
    transport = ScriptedTransport(*steps)
    endpoints = RepositoryEndpoints("http://localhost:5000", "localhost:5000", "app")
    client = ReferrersClient(
        transport,
        endpoints,
        ManifestClient(transport, endpoints, Limits()),
        memory=memory or ReferrersMemory(),
        limits=Limits(),
    )
    return client, transport


def lines(transport):
    return [sent.line for sent in transport.requests]


def sent_to(server, *methods):
    return [
        (sent.method, sent.path.removeprefix("/v2/app/"), sent.status)
        for sent in server.requests
        if sent.method in methods
    ]


@pytest.fixture
def server():
    """A registry without the referrers API."""
    return EmbeddedRegistry(referrers=False)


@pytest.fixture
def app(server):
    return repository(server)


def tagged_list(app, subject):
    """The list under the tag, as it stands in the registry."""
    _, content = app.fetch_reference(referrers_tag(subject.digest))
    return json.loads(content)


# --- The tag ------------------------------------------------------------------------------


def test_the_tag_is_algorithm_and_hex():
    assert referrers_tag(SUBJECT) == f"sha256-{SUBJECT.encoded}"


def test_the_tag_of_a_long_digest_is_cut():
    digest = Digest.of(b"", "sha512")
    assert referrers_tag(digest) == f"sha512-{digest.encoded[:64]}"


@pytest.mark.parametrize(
    ("tag", "is_one"),
    [
        ("sha256-" + "a" * 64, True),
        ("sha512-" + "0" * 64, True),
        ("sha256-" + "a" * 64 + ".sig", False),
        ("sha256-" + "a" * 63, False),
        ("sha384-" + "a" * 64, False),
        ("latest", False),
    ],
)
def test_a_list_of_referrers_is_an_index_under_a_tag_of_this_form(tag, is_one):
    assert is_referrers_list(tag, Descriptor.of(b"{}", media_types.OCI_INDEX)) is is_one
    assert not is_referrers_list(tag, Descriptor.of(b"{}", media_types.OCI_MANIFEST))


# --- The API ------------------------------------------------------------------------------


def test_r29_api_is_requested_by_digest_and_artifact_type():
    client, transport = client_of(listing(referrer("a", "x/y+z")))
    assert list(client.of(SUBJECT, "x/y+z")) == [referrer("a", "x/y+z")]
    assert lines(transport) == [f"GET {API}?artifactType=x%2Fy%2Bz"]
    assert transport.requests[0].headers["Accept"] == media_types.OCI_INDEX


def test_r29_pages_are_followed_and_each_referrer_comes_once():
    more = {"Link": f'</v2/app/referrers/{SUBJECT}?last=b>; rel="next"'}
    client, transport = client_of(
        listing(referrer("a"), referrer("b"), headers=more), listing(referrer("b"), referrer("c"))
    )
    assert list(client.of(SUBJECT)) == [referrer("a"), referrer("b"), referrer("c")]
    assert lines(transport) == [f"GET {API}", f"GET {API}?last=b"]


def test_r29_pages_are_requested_on_demand():
    more = {"Link": f'<{API}?last=a>; rel="next"'}
    client, transport = client_of(listing(referrer("a"), headers=more))
    assert next(client.of(SUBJECT)) == referrer("a")
    assert len(transport.requests) == 1


def test_r29_unfiltered_response_is_filtered_locally():
    client, _ = client_of(listing(referrer("a", "x/a"), referrer("b", "x/b")))
    assert list(client.of(SUBJECT, "x/b")) == [referrer("b", "x/b")]


@pytest.mark.parametrize("applied", ["artifactType", "other, artifactType"])
def test_r29_filtered_response_is_not_filtered_again(applied):
    # Some leave the type out of what they list.
    headers = {"OCI-Filters-Applied": applied}
    client, _ = client_of(listing(referrer("a", None), headers=headers))
    assert list(client.of(SUBJECT, "x/b")) == [referrer("a", None)]


def test_malformed_entry_error_names_its_position():
    content = json.dumps({"mediaType": media_types.OCI_INDEX, "manifests": [{}]}).encode()
    client, _ = client_of(Answer(200, INDEX, content))
    with pytest.raises(InvalidManifestError, match=r"manifests\[0\]"):
        list(client.of(SUBJECT))


def test_refusal_is_not_taken_as_unsupported():
    memory = ReferrersMemory()
    client, _ = client_of(Answer(403), Answer(403), memory=memory)
    with pytest.raises(RegistryError):
        list(client.of(SUBJECT))
    assert memory.has_api("app") is None


def test_r29_name_unknown_is_not_taken_as_unsupported():
    memory = ReferrersMemory()
    client, _ = client_of(missing("NAME_UNKNOWN"), memory=memory)
    with pytest.raises(RegistryNotFoundError):
        list(client.of(SUBJECT))
    assert memory.has_api("app") is None


# --- No API -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        missing(),
        Answer(404, {"Content-Type": "text/plain"}, b"404 page not found"),
        Answer(200, {"Content-Type": "text/html"}, b"<html></html>"),
        Answer(200, {"Content-Type": "application/json"}, b"{}"),
    ],
)
def test_r29_referrers_tag_is_the_remembered_fallback(answer):
    memory = ReferrersMemory()
    client, transport = client_of(
        answer,
        listing(referrer("a", "x/a"), referrer("b", "x/b"), referrer("a", "x/a")),
        listing(referrer("b", "x/b"), referrer("c", "x/c")),
        memory=memory,
    )
    assert list(client.of(SUBJECT)) == [referrer("a", "x/a"), referrer("b", "x/b")]
    assert list(client.of(SUBJECT, "x/c")) == [referrer("c", "x/c")]
    assert lines(transport) == [f"GET {API}", f"GET {TAG}", f"GET {TAG}"]
    assert memory.has_api("app") is False


def test_r29_no_tag_means_no_referrers():
    client, _ = client_of(missing(), missing())
    assert list(client.of(SUBJECT)) == []


def test_tag_of_another_manifest_lists_no_referrers():
    manifest = codec.encode_manifest(config=Descriptor.of(b"{}", "a/b"), layers=[])
    headers = {"Content-Type": manifest.media_type}
    client, _ = client_of(missing(), Answer(200, headers, manifest.content))
    assert list(client.of(SUBJECT)) == []


def test_r31_support_is_remembered_per_repository():
    memory = ReferrersMemory()
    memory.learn("other", has_api=False)
    client, transport = client_of(listing(), memory=memory)
    assert list(client.of(SUBJECT)) == []
    assert lines(transport) == [f"GET {API}"]
    assert (memory.has_api("app"), memory.has_api("other")) == (True, False)


# --- Pushing ------------------------------------------------------------------------------


def test_r30_no_list_is_written_if_the_registry_returns_the_subject():
    server = EmbeddedRegistry()
    app = repository(server)
    subject = push_artifact(app, b"a")
    attached = push_artifact(app, b"b", subject=subject.descriptor)
    assert digests(app.referrers(subject.descriptor)) == [attached.digest]
    assert list(app.tags()) == []


def test_r30_list_follows_the_spec_if_the_registry_returns_no_subject(app):
    subject = push_artifact(app, b"a").descriptor.plain()
    config = push_blob(app, b"{}")
    manifest = codec.encode_manifest(
        config=config, layers=[config], subject=subject, annotations={"b": "2", "a": "1"}
    )
    push_document(app, manifest)
    index = codec.encode_index(
        manifests=[], subject=subject, artifact_type="application/vnd.example.list"
    )
    push_document(app, index)
    assert tagged_list(app, subject) == {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [
            {
                "mediaType": media_types.OCI_MANIFEST,
                "digest": str(manifest.digest),
                "size": len(manifest.content),
                "annotations": {"a": "1", "b": "2"},
                "artifactType": config.media_type,
            },
            {
                "mediaType": media_types.OCI_INDEX,
                "digest": str(index.digest),
                "size": len(index.content),
                "artifactType": "application/vnd.example.list",
            },
        ],
    }


def test_r30_a_referrer_pushed_again_is_listed_once_and_nothing_is_written(server, app):
    subject = push_artifact(app, b"a").descriptor
    attached = push_artifact(app, b"b", subject=subject)
    before = len(sent_to(server, "PUT"))
    app.push_manifest(attached.content, attached.media_type, "v1")
    assert sent_to(server, "PUT")[before:] == [("PUT", "manifests/v1", 201)]
    assert digests(app.referrers(subject)) == [attached.digest]


def test_r30_duplicates_of_other_clients_are_removed_by_the_next_write(app):
    subject = push_artifact(app, b"a").descriptor
    first = push_artifact(app, b"b", subject=subject)
    entry = next(app.referrers(subject))
    doubled = codec.encode_index(manifests=[entry, entry], annotations={"kept": "yes"})
    app.push_manifest(doubled.content, doubled.media_type, referrers_tag(subject.digest))
    second = push_artifact(app, b"c", subject=subject)
    written = tagged_list(app, subject)
    assert [item["digest"] for item in written["manifests"]] == [
        str(first.digest),
        str(second.digest),
    ]
    assert written["annotations"] == {"kept": "yes"}


def test_referrer_pushed_by_tag_is_listed(app):
    subject = push_artifact(app, b"a").descriptor
    attached = push_artifact(EmbeddedRegistryLess(app), b"b", subject=subject)
    app.push_manifest(attached.content, attached.media_type, "v1")
    assert digests(app.referrers(subject)) == [attached.digest]


class EmbeddedRegistryLess:
    """Pushes blobs and no manifests."""

    def __init__(self, target):
        self._target = target

    def push(self, descriptor, source):
        if not descriptor.has_successors:
            self._target.push(descriptor, source)


def test_tag_of_another_manifest_is_not_overwritten(app):
    subject = push_artifact(app, b"a").descriptor.plain()
    other = push_artifact(app, b"other").descriptor.plain()
    app.tag(other, referrers_tag(subject.digest))
    with pytest.raises(UnsupportedError, match="does not name an image index"):
        push_artifact(app, b"b", subject=subject)
    assert app.resolve(referrers_tag(subject.digest)) == other


def test_threads_attach_concurrently(app):
    subject = push_artifact(app, b"a").descriptor
    with ThreadPoolExecutor(8) as pool:
        attached = list(
            pool.map(lambda n: push_artifact(app, b"%d" % n, subject=subject), range(16))
        )
    found = list(app.referrers(subject))
    assert digests(found) == digests(manifest.descriptor for manifest in attached)
    assert len(tagged_list(app, subject)["manifests"]) == len(attached)


class Interfering:
    """A registry in which somebody writes the list each time after it was written."""

    def __init__(self, registry, times):
        self.registry = registry
        self.times = times
        self.overwrite = lambda: None

    def send(self, request):
        response = self.registry.send(request)
        if request.method == "PUT" and "/manifests/sha256-" in request.url and self.times:
            self.times -= 1
            self.overwrite()
        return response


@pytest.mark.parametrize("times", [1, 5])
def test_list_overwritten_by_another_client_is_written_again(server, times):
    interfering = Interfering(server, times)
    other = repository(server)
    subject = push_artifact(other, b"a").descriptor
    theirs = push_artifact(other, b"theirs", subject=subject)
    tag = referrers_tag(subject.digest)
    _, content = other.fetch_reference(tag)
    interfering.overwrite = lambda: other.push_manifest(content, media_types.OCI_INDEX, tag)
    ours = push_artifact(repository(interfering), b"ours", subject=subject)
    assert digests(other.referrers(subject)) == digests([theirs.descriptor, ours.descriptor])


def test_repeated_overwrites_are_an_error(server):
    interfering = Interfering(server, 1000)
    other = repository(server)
    subject = push_artifact(other, b"a").descriptor
    empty = codec.encode_index(manifests=[])
    interfering.overwrite = lambda: other.push_manifest(
        empty.content, empty.media_type, referrers_tag(subject.digest)
    )
    with pytest.raises(UnsupportedError, match="other clients keep overwriting it"):
        push_artifact(repository(interfering), b"ours", subject=subject)


# --- Deleting -----------------------------------------------------------------------------


def test_r30_a_delete_prunes_the_list(server, app):
    subject = push_artifact(app, b"a").descriptor
    gone, stays = (push_artifact(app, name, subject=subject) for name in (b"b", b"c"))
    app.delete(gone.descriptor)
    listed = [item["digest"] for item in tagged_list(app, subject)["manifests"]]
    assert listed == [str(stays.digest)]
    app.delete(stays.descriptor)
    assert tagged_list(app, subject)["manifests"] == []


def test_r30_first_delete_prunes_the_list(server, app):
    subject = push_artifact(app, b"a").descriptor
    gone = push_artifact(app, b"b", subject=subject)
    repository(server).delete(gone.descriptor)
    assert list(app.referrers(subject)) == []


def test_delete_with_the_referrers_api_takes_one_request():
    server = EmbeddedRegistry()
    app = repository(server)
    subject = push_artifact(app, b"a").descriptor
    gone = push_artifact(app, b"b", subject=subject)
    before = len(server.requests)
    app.delete(gone.descriptor)
    assert [sent.method for sent in server.requests[before:]] == ["DELETE"]
    assert list(app.referrers(subject)) == []


def test_delete_of_a_missing_manifest_writes_no_list(server, app):
    subject = push_artifact(app, b"a").descriptor
    absent = codec.encode_index(manifests=[], subject=subject)
    with pytest.raises(NotFoundError):
        app.delete(absent.descriptor)
    with pytest.raises(NotFoundError):
        app.resolve(referrers_tag(subject.digest))


def test_unreadable_manifest_can_be_deleted(server, app):
    manifest = push_artifact(app, b"a")
    unreadable = faults.Refused(server, status=403, when=faults.requests_for("GET"))
    repository(unreadable).delete(manifest.descriptor)
    assert not app.exists(manifest.descriptor)


# --- Registries that answer otherwise -----------------------------------------------------


def repository_answering(status, body=b"", server=None, kind="text/html"):
    """A registry without the API that answers its endpoint with `status`."""
    registry = server or EmbeddedRegistry(referrers=False)

    class Answering:
        def send(self, request):
            if "/referrers/" in request.url:
                registry.send(HttpRequest("GET", f"{ROOT}/referrers/asked"))
                return Answer(status, {"Content-Type": kind}, body).response(request)
            return registry.send(request)

    return repository(Answering()), registry


def times_asked(registry):
    return sum("/referrers/" in sent.path for sent in registry.requests)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 410, 422, 501, 200])
def test_r29_missing_api_with_another_status_is_detected_once(status):
    app, registry = repository_answering(status, b"<html>")
    subject = push_artifact(app, b"a").descriptor
    attached = push_artifact(app, b"b", subject=subject)
    for _ in range(2):
        assert digests(app.referrers(subject)) == [attached.digest]
    assert times_asked(registry) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_temporary_error_does_not_decide_about_the_api(status):
    memory = ReferrersMemory()
    client, _ = client_of(Answer(status), memory=memory)
    with pytest.raises(RegistryError):
        list(client.of(SUBJECT))
    assert memory.has_api("app") is None


@pytest.mark.parametrize("status", [401, 403])
def test_refusal_of_api_and_tag_is_an_access_error(status):
    memory = ReferrersMemory()
    client, transport = client_of(Answer(status), Answer(status), memory=memory)
    with pytest.raises(RegistryError) as caught:
        list(client.of(SUBJECT))
    assert (caught.value.status, caught.value.url) == (status, API)
    assert transport.finished
    assert memory.has_api("app") is None


def test_no_list_is_written_if_the_api_lists_the_referrer():
    silent = faults.OtherHeaders(EmbeddedRegistry(), fields={"OCI-Subject": None})
    app = repository(silent)
    subject = push_artifact(app, b"a").descriptor
    attached = push_artifact(app, b"b", subject=subject)
    assert digests(app.referrers(subject)) == [attached.digest]
    assert list(app.tags()) == []


# --- Tags that name no list ---------------------------------------------------------------


class TagsAreDigests:
    """A registry without the API that reads the tag `sha256-HEX` as a digest, as GitLab."""

    def __init__(self):
        self.registry = EmbeddedRegistry(referrers=False)

    def send(self, request):
        url = request.url.replace("/manifests/sha256-", "/manifests/sha256:")
        return self.registry.send(HttpRequest(request.method, url, request.headers, request.body))


@pytest.fixture
def image_index():
    """Push an index of images, as it stands in a registry with several platforms."""

    def push(target, *names):
        images = [push_artifact(target, name).descriptor.plain() for name in names]
        index = codec.encode_index(manifests=images)
        push_document(target, index)
        return index

    return push


def test_children_of_an_index_at_the_referrers_tag_are_not_listed(image_index):
    app = repository(TagsAreDigests())
    subject = image_index(app, b"amd64", b"arm64").descriptor
    assert list(app.referrers(subject)) == []


def test_subject_at_the_referrers_tag_is_not_overwritten(image_index):
    app = repository(TagsAreDigests())
    subject = image_index(app, b"amd64", b"arm64")
    with pytest.raises(UnsupportedError, match="as the digest of the subject"):
        push_artifact(app, b"signature", subject=subject.descriptor.plain())
    assert app.fetch_reference(str(subject.digest))[1] == subject.content


@pytest.mark.parametrize("platform", [None, Platform("linux", "amd64")])
def test_index_of_manifests_with_another_subject_is_not_a_list(app, image_index, platform):
    subject = push_artifact(app, b"a").descriptor.plain()
    images = [push_artifact(app, name).descriptor.plain() for name in (b"b", b"c")]
    other = codec.encode_index(manifests=[evolve(i, platform=platform) for i in images])
    app.push_manifest(other.content, other.media_type, referrers_tag(subject.digest))
    assert list(app.referrers(subject)) == []
    with pytest.raises(UnsupportedError, match="another subject or none"):
        push_artifact(app, b"signature", subject=subject)
    assert app.fetch_reference(referrers_tag(subject.digest))[1] == other.content


def test_an_entry_without_a_type_is_a_referrer_if_its_manifest_says_so(app):
    subject = push_artifact(app, b"a").descriptor.plain()
    attached = push_artifact(app, b"b", subject=subject).descriptor.plain()
    bare = codec.encode_index(manifests=[attached])
    app.push_manifest(bare.content, bare.media_type, referrers_tag(subject.digest))
    assert digests(app.referrers(subject)) == [attached.digest]


# --- What other clients wrote -------------------------------------------------------------


def test_a_change_keeps_unknown_members_of_the_list_and_of_its_entries(app):
    subject = push_artifact(app, b"a").descriptor
    first = push_artifact(app, b"b", subject=subject)
    written = tagged_list(app, subject)
    written["org.example.index"] = {"nested": [1, 2.5, None, "é"]}
    written["annotations"] = {"by": "another client"}
    written["manifests"][0]["org.example.entry"] = ["kept", True]
    written["manifests"][0]["newMember"] = 12345678901234567890
    app.push_manifest(
        json.dumps(written).encode(), media_types.OCI_INDEX, referrers_tag(subject.digest)
    )
    second = push_artifact(app, b"c", subject=subject)
    after = tagged_list(app, subject)
    assert after["manifests"][0] == written["manifests"][0]
    assert {**after, "manifests": None} == {**written, "manifests": None}
    app.delete(second.descriptor)
    assert tagged_list(app, subject) == written
    app.delete(first.descriptor)
    assert tagged_list(app, subject) == {**written, "manifests": []}


def test_temporarily_missing_tag_does_not_empty_the_list(server):
    app = repository(server)
    subject = push_artifact(app, b"a").descriptor
    first = push_artifact(app, b"b", subject=subject)
    missing_once = [TAG_PATH % subject.digest.encoded]

    class Writing:
        def send(self, request):
            if request.method == "GET" and missing_once and missing_once[0] in request.url:
                missing_once.pop()
                return missing().response(request)
            return server.send(request)

    second = push_artifact(repository(Writing()), b"c", subject=subject)
    assert missing_once == []
    assert digests(app.referrers(subject)) == digests([first.descriptor, second.descriptor])


def test_list_overwritten_after_its_check_is_restored_by_the_next_write(server):
    """Another client overwrites the list after it was read back the first time."""
    other = repository(server)
    subject = push_artifact(other, b"a").descriptor
    theirs = push_artifact(other, b"theirs", subject=subject)
    tag = referrers_tag(subject.digest)
    _, content = other.fetch_reference(tag)
    reads = []

    class Late:
        def send(self, request):
            response = server.send(request)
            if request.method == "GET" and request.url.endswith(tag):
                reads.append(request)
                if len(reads) == 2:  # the first was before the list was written
                    other.push_manifest(content, media_types.OCI_INDEX, tag)
            return response

    ours = push_artifact(repository(Late()), b"ours", subject=subject)
    assert digests(other.referrers(subject)) == digests([theirs.descriptor, ours.descriptor])
