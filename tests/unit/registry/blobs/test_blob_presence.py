"""How the uploader finds existing blobs: HEAD first, and few requests to a new repository."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from oras_core.errors import TransportError
from oras_core.model.descriptor import Descriptor
from oras_core.registry.blobs.download import BlobDownloader
from oras_core.registry.blobs.presence import FEW, NEW_SECONDS, BlobPresence
from oras_core.registry.endpoints import RegistryEndpoints
from support.scripted_transport import Answer, ScriptedTransport

BASE = "https://reg.io/v2/app"
TAGS = f"GET {BASE}/tags/list?n=1"
MISSING = Answer(404)
FOUND = Answer(200)
NEW = Answer(404, {}, b'{"errors":[{"code":"NAME_UNKNOWN","message":"no"}]}')
LISTED = Answer(200, {}, b'{"tags":["v1"]}')

LAYERS = [Descriptor.of(bytes([n]) * 10, "application/octet-stream") for n in range(6)]
CONFIG = Descriptor.of(b'{"a": "config"}', "application/vnd.example.config.v1+json")


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def subject(transport, clock=None):
    endpoints = RegistryEndpoints("https://reg.io", "reg.io").repository("app")
    downloader = BlobDownloader(transport, endpoints)
    return BlobPresence(transport, endpoints, downloader.exists, now=clock or Clock())


def head(descriptor):
    return f"HEAD {BASE}/blobs/{descriptor.digest}"


def look(steps, blobs, note_after=None, *, expected=0):
    transport = ScriptedTransport(*steps)
    presence = subject(transport)
    presence.expect(expected)
    found = []
    for number, blob in enumerate(blobs):
        if number == note_after:
            presence.note_content()
        found.append(presence.has(blob))
    assert transport.finished
    return found, transport.lines


def test_a_found_blob_takes_one_head():
    assert look([FOUND], LAYERS[:1]) == ([True], [head(LAYERS[0])])


def test_missing_blob_takes_a_head_and_a_tag_list_request():
    """The question comes before the upload, which would create the repository."""
    assert look([MISSING, NEW], LAYERS[:1]) == ([False], [head(LAYERS[0]), TAGS])


def test_many_blobs_of_a_new_repository_take_two_requests():
    found, lines = look([MISSING, NEW], LAYERS)
    assert found == [False] * 6
    assert lines == [head(LAYERS[0]), TAGS]


@pytest.mark.parametrize("blobs", [[CONFIG, *LAYERS], [*LAYERS, CONFIG]])
def test_copy_to_a_new_repository_takes_one_head_for_the_config(blobs):
    steps = {head(CONFIG): MISSING, TAGS: NEW}
    requests = [head(CONFIG), TAGS] if blobs[0] is CONFIG else [TAGS, head(CONFIG)]
    found, lines = look([steps[line] for line in requests], blobs, expected=7)
    assert found == [False] * 7
    assert lines == requests


def test_copy_to_an_existing_repository_finds_its_config_first():
    found, lines = look([FOUND, MISSING], [CONFIG, LAYERS[0]], expected=FEW + 1)
    assert found == [True, False]
    assert lines == [head(CONFIG), head(LAYERS[0])]


@pytest.mark.parametrize("answer", [MISSING, FOUND])
def test_copy_of_few_blobs_looks_for_each_of_them(answer):
    found, lines = look([answer, MISSING], [CONFIG, LAYERS[0]], expected=FEW)
    assert found == [answer is FOUND, False]
    assert lines == [head(CONFIG), head(LAYERS[0])]


def test_copy_of_few_blobs_waits_for_no_other_blob():
    transport = ScriptedTransport(MISSING, MISSING)
    presence = subject(transport)
    presence.expect(FEW)
    both = Barrier(FEW)
    send = transport.send

    def send_together(request):
        both.wait(10)
        return send(request)

    transport.send = send_together
    with ThreadPoolExecutor(FEW) as executor:
        assert list(executor.map(presence.has, [CONFIG, LAYERS[0]])) == [False] * FEW


def test_further_copies_of_few_blobs_get_the_list_of_tags():
    """A mirror copies one artifact after the other to the same repository."""
    transport = ScriptedTransport(MISSING, NEW)
    presence = subject(transport)
    presence.expect(1)
    assert not presence.has(LAYERS[0])
    presence.expect(FEW)
    assert not any(presence.has(blob) for blob in LAYERS[1:3])
    assert transport.lines == [head(LAYERS[0]), TAGS]


def test_copy_without_a_config_to_an_existing_repository_looks_for_each_blob():
    found, lines = look([LISTED, FOUND, MISSING], LAYERS[:2], expected=FEW + 1)
    assert found == [True, False]
    assert lines == [TAGS, head(LAYERS[0]), head(LAYERS[1])]


@pytest.mark.parametrize(
    "answer",
    [LISTED, Answer(404), Answer(404, {}, b"<html>"), Answer(403), Answer(500), Answer(405),
     TransportError("GET", BASE, "reset")],
)  # fmt: skip
def test_every_blob_of_another_repository_takes_a_head(answer):
    found, lines = look([MISSING, answer, MISSING, FOUND], LAYERS[:3])
    assert found == [False, False, True]
    assert lines == [head(LAYERS[0]), TAGS, head(LAYERS[1]), head(LAYERS[2])]


def test_blob_stored_before_the_first_question_takes_a_head():
    """A large file is stored while it is hashed, before its artifact is copied."""
    transport = ScriptedTransport(NEW, FOUND)
    presence = subject(transport)
    presence.note_stored(LAYERS[0].digest)
    presence.expect(FEW + 1)
    assert presence.has(LAYERS[0])
    assert transport.lines == [TAGS, head(LAYERS[0])]


def test_a_found_blob_shows_that_the_repository_is_not_new():
    found, lines = look([FOUND, MISSING, MISSING], LAYERS[:3])
    assert found == [True, False, False]
    assert lines == [head(blob) for blob in LAYERS[:3]]


@pytest.mark.parametrize(
    "blob",
    [
        CONFIG,
        Descriptor.of(b"{}", "application/octet-stream"),
        Descriptor.of(b"", "application/octet-stream"),
        Descriptor.of(b'{"os":"linux"}', "application/vnd.docker.container.image.v1+json"),
    ],
)
def test_blobs_that_artifacts_share_always_take_a_head(blob):
    found, lines = look([MISSING, NEW, FOUND], [LAYERS[0], LAYERS[1], blob])
    assert found == [False, False, True]
    assert lines[-1] == head(blob)


def test_after_a_manifest_the_repository_is_not_new():
    found, lines = look([MISSING, NEW, FOUND], LAYERS[:3], note_after=2)
    assert found == [False, False, True]
    assert lines[-1] == head(LAYERS[2])


def test_a_repository_counts_as_new_for_a_limited_time():
    clock = Clock()
    transport = ScriptedTransport(MISSING, NEW, LISTED, FOUND)
    presence = subject(transport, clock)
    assert not presence.has(LAYERS[0])
    assert not presence.has(LAYERS[1])
    clock.now += NEW_SECONDS - 0.1
    assert not presence.has(LAYERS[2])
    clock.now += 0.1
    assert presence.has(LAYERS[3])
    assert transport.lines == [head(LAYERS[0]), TAGS, TAGS, head(LAYERS[3])]


def test_a_manifest_pushed_during_the_tag_list_request_is_not_forgotten():
    """Another thread pushes the manifest while the registry answers the older request."""
    transport = ScriptedTransport(MISSING, NEW, FOUND)
    presence = subject(transport)
    send = transport.send

    def send_late(request):
        response = send(request)
        if request.url.endswith("/tags/list?n=1"):
            with ThreadPoolExecutor(1) as threads:
                threads.submit(presence.note_content).result(10)
        return response

    transport.send = send_late
    assert not presence.has(LAYERS[0])
    assert presence.has(LAYERS[1])
    assert transport.lines == [head(LAYERS[0]), TAGS, head(LAYERS[1])]


def test_threads_share_one_request():
    transport = ScriptedTransport(MISSING, NEW)
    presence = subject(transport)
    with ThreadPoolExecutor(6) as executor:
        assert list(executor.map(presence.has, LAYERS)) == [False] * 6
    assert transport.finished
