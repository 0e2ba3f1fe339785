"""Messages of each verb for each failure: the action, its object, the reason and the advice."""

from __future__ import annotations

import io
from contextlib import closing

import pytest
from attrs import define, evolve

from oras_adapters import Client, Settings
from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    ContentError,
    DigestMismatchError,
    InvalidManifestError,
    NotFoundError,
    OrasError,
    RateLimitedError,
    RegistryError,
    TransportError,
    UnsupportedError,
)
from oras_core.ports.http import HttpResponse
from oras_core.testing import EmbeddedRegistry
from oras_core.testing.faults import Fault, Refused, requests_for
from support.clients import VERBS

REPOSITORY = "registry.test/team/model"


@define(eq=False)
class WebPages(Fault):
    def _misbehave(self, request):
        page = b"<html><title>Welcome</title></html>"
        return HttpResponse(200, {"Content-Type": "text/html"}, body=io.BytesIO(page))


@define(eq=False)
class ChangedBodies(Fault):
    def _misbehave(self, request):
        response = self.transport.send(request)
        return response.with_body(io.BytesIO(response.body.read()[:-1] + b"?"))


@define(eq=False)
class ShortBodies(Fault):
    def _misbehave(self, request):
        response = self.transport.send(request)
        body = response.body.read()
        return response.with_body(io.BytesIO(body[: len(body) // 2]))


@define(eq=False)
class ClosedPort(Fault):
    def _misbehave(self, request):
        raise ConnectionRefusedError("Connection refused")


class Vault:
    """A store that keeps nothing."""

    def get(self, registry):
        return None

    def put(self, registry, credential):
        pass

    def delete(self, registry):
        return False


def refusing(status, **facts):
    return lambda registry: Refused(registry, status=status, code="CODE", **facts)


def changing_manifests(registry):
    return ChangedBodies(registry, when=requests_for("GET", path="/manifests/"))


def unchanged(registry):
    return registry


FAILURES = {
    "unknown tag": (unchanged, f"{REPOSITORY}:v9", NotFoundError, "status 404 "),
    "unknown repository": (
        unchanged,
        "registry.test/team/none:v1",
        NotFoundError,
        "status 404 (",
    ),
    "closed port": (ClosedPort, f"{REPOSITORY}:v1", TransportError, "Connection refused"),
    "401": (
        refusing(401),
        f"{REPOSITORY}:v1",
        (AuthenticationError, UnsupportedError),
        "credential",
    ),
    "403": (
        refusing(403),
        f"{REPOSITORY}:v1",
        (AccessDeniedError, UnsupportedError),
        "status 403 (CODE",
    ),
    "429": (
        refusing(429, retry_after=1000),
        f"{REPOSITORY}:v1",
        RateLimitedError,
        "asks to wait 1000 seconds",
    ),
    "500": (refusing(500), f"{REPOSITORY}:v1", RegistryError, "status 500 (CODE"),
    "web page": (WebPages, f"{REPOSITORY}:v1", (InvalidManifestError, RegistryError), "text/html"),
    "wrong digest": (changing_manifests, f"{REPOSITORY}:v1", ContentError, "has digest"),
    "truncated body": (ShortBodies, f"{REPOSITORY}:v1", TransportError, "ended after"),
}
"""The fault, the place that the verb names, the error, and words that say why it failed."""


def calls(client, place, folder):
    repository, _, tag = place.rpartition(":")
    host, layout = repository.partition("/")[0], f"oci:{folder / 'layout'}"
    return {
        "attach": lambda: client.attach(place, "card.md", artifact_type="a/b"),
        "backup": lambda: client.backup(repository, folder / "backup"),
        "config": lambda: client.config(place),
        "copy": lambda: client.copy(place, f"oci:{folder / 'copy'}"),
        "delete": lambda: client.delete(place),
        "exists": lambda: client.exists(place),
        "index": lambda: client.index(f"{repository}:all", tag),
        "login": lambda: client.login(host, "alice", "secret"),
        "manifest": lambda: client.manifest(place),
        "mirror": lambda: client.mirror(repository, f"oci:{folder / 'mirror'}"),
        "open": lambda: client.open(place).close(),
        "pull": lambda: client.pull(place, folder / "out"),
        "push": lambda: client.push(f"{repository}:new", "card.md", subject=tag),
        "read": lambda: client.read(place),
        "referrers": lambda: list(client.referrers(place)),
        "repositories": lambda: list(client.repositories(host)),
        "resolve": lambda: client.resolve(place),
        "restore": lambda: client.restore(layout.removeprefix("oci:"), repository),
        "tag": lambda: client.tag(place, "further"),
        "tags": lambda: list(client.tags(repository)),
        "untag": lambda: client.untag(place),
        "update_index": lambda: client.update_index(place, add="v1"),
    }


COPYING = {"backup", "copy", "mirror", "restore"}
LOCAL = {"close", "logout"}

SUCCESSES = {
    "unknown tag": {"backup", "exists", "login", "mirror", "repositories", "restore", "tags"},
    "unknown repository": {"exists", "login", "repositories", "restore"},
    "web page": {"login", "untag"},  # some registries answer a GET of /v2/ and a DELETE so
    "wrong digest": {
        "delete",  # also of a damaged manifest
        "exists",
        "login",
        "referrers",
        "repositories",
        "resolve",
        "restore",
        "tags",
        "untag",
    },
    "truncated body": {"exists", "login", "resolve", "untag"},
}
"""Verbs that do not notice the failure."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "card.md").write_text("# A model\n")
    with closing(Client(Settings(), transport=EmbeddedRegistry())) as client:
        populate(client)
        client.backup(REPOSITORY, tmp_path / "layout")
    return tmp_path


def populate(client):
    client.push(f"{REPOSITORY}:v1", "card.md")
    client.attach(f"{REPOSITORY}:v1", "card.md", artifact_type="a/b")


def failure_of(name, verb, folder):
    """Return the error of a verb at a registry that fails; None if the verb succeeds."""
    fault, place, *_ = FAILURES[name]
    registry = EmbeddedRegistry()
    with closing(Client(Settings(), transport=registry)) as client:
        populate(client)
    once = evolve(Settings(), network=evolve(Settings().network, attempts=1))
    with closing(Client(once, transport=fault(registry), credentials=Vault())) as client:
        try:
            calls(client, place, folder)[verb]()
        except OrasError as error:
            return error
    return None


def test_every_verb_is_listed(folder):
    with closing(Client(Settings(), transport=EmbeddedRegistry())) as client:
        assert {*calls(client, f"{REPOSITORY}:v1", folder)} == VERBS - LOCAL


@pytest.mark.slow
@pytest.mark.parametrize("name", FAILURES)
def test_errors_say_what_failed_where_why_and_what_to_do(name, folder):
    _, place, kinds, reason = FAILURES[name]
    repository = place.rpartition(":")[0]
    for verb in sorted(VERBS - LOCAL - SUCCESSES.get(name, set())):
        error = failure_of(name, verb, folder)
        assert isinstance(error, kinds), (verb, error)
        message, notes = str(error), getattr(error, "__notes__", [])
        subject = "registry.test" if verb in ("login", "repositories") else repository
        assert subject in message, verb
        assert message.startswith(("cannot ", "invalid manifest ", "manifest ")), verb
        if verb not in ("login", "repositories"):
            assert reason in message, verb
        to_do = [note for note in notes if note.startswith("To do: ")]
        assert len(to_do) == (not isinstance(error, UnsupportedError)), verb
        assert any("while copying" in note for note in notes) == (verb in COPYING), verb


@pytest.mark.slow
def test_failures_that_verbs_do_not_notice_are_known(folder):
    for name, verbs in SUCCESSES.items():
        for verb in verbs:
            assert failure_of(name, verb, folder) is None, (name, verb)


def read_all(client, place):
    with client.open(place) as stream:
        return stream.read()


@pytest.mark.parametrize("verb", [read_all, Client.read])
def test_errors_of_blobs_name_the_repository_and_say_what_to_do(verb, folder):
    registry = EmbeddedRegistry()
    with closing(Client(Settings(), transport=registry)) as client:
        populate(client)
    faulty = ChangedBodies(registry, when=requests_for("GET", path="/blobs/"))
    message = f"blob .* of {REPOSITORY} has digest"
    with (
        closing(Client(Settings(), transport=faulty)) as client,
        pytest.raises(DigestMismatchError, match=message) as caught,
    ):
        verb(client, f"{REPOSITORY}:v1")
    (advice,) = caught.value.__notes__
    assert advice.startswith("To do: try again;")


def test_advice_for_login_is_about_the_credential(folder):
    (advice,) = failure_of("401", "login", folder).__notes__
    assert advice == "To do: check the user name and the password, or the identity token."
