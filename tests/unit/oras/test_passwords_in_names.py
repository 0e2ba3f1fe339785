"""Passwords in addresses, host names and references appear in no error and no log (K10)."""

from __future__ import annotations

import traceback

import pytest

import oras.client
from oras.container import Container
from oras_core.errors import InvalidInputError, InvalidReferenceError, redact_url
from oras_core.errors.redaction import redact_name
from oras_core.model.reference import Reference
from oras_core.registry.registry import RemoteRegistry

PASSWORD = "pa55word"
NAMES = [
    f"user:{PASSWORD}@host.example:1/repo:v1",
    f"https://user:{PASSWORD}@host.example:1/repo:v1",
    f"user:{PASSWORD}/x@127.0.0.1:1/repo",
    f"user:{PASSWORD}#x@127.0.0.1:1/repo:v1",
    f"user:12?{PASSWORD}@127.0.0.1:1/repo",
    f"user:{PASSWORD}\x1b[31m@host.example/repo:v1",
]


def client():
    return oras.client.OrasClient()


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(Reference.parse, id="Reference"),
        pytest.param(lambda name: client().pull(target=name), id="pull"),
        pytest.param(lambda name: client().do_request(f"http://{name}"), id="do_request"),
        pytest.param(lambda name: RemoteRegistry(name.rpartition("/")[0], None), id="registry"),
        pytest.param(
            lambda name: oras.client.OrasClient(hostname=name.rpartition("/")[0]).get_tags("a/b"),
            id="hostname",
        ),
        pytest.param(
            lambda name: client().login("u", "p", hostname=name.rpartition("/")[0]), id="login"
        ),
        pytest.param(lambda name: client().logout(name.rpartition("/")[0]), id="logout"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_password_in_a_name_is_not_shown(use, name, caplog, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    caplog.set_level("DEBUG")
    with pytest.raises((InvalidInputError, ValueError)) as caught:
        use(name)
    lines = traceback.format_exception_only(caught.value)
    shown = f"{lines} {caught.value!r} {vars(caught.value)} {caplog.text}"
    assert PASSWORD not in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("host.example/repo:v1", "host.example/repo:v1"),
        ("localhost:5000/app@sha256:abc", "localhost:5000/app@sha256:abc"),
        ("user:pw@host/app@sha256:abc", "user:<hidden>@host/app@sha256:abc"),
        ("https://user:pw@host/app", "https://user:<hidden>@host/app"),
        ("user:p@w@host", "user:<hidden>@host"),
        ("app@latest", "app@latest"),
    ],
)
def test_rest_of_a_name_is_kept(text, shown):
    assert redact_name(text) == shown
    assert InvalidReferenceError(text, "why").value == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pw@host/path?x=y", "https://host/path"),
        ("https://user:p/w@host/path", "<unparsable URL>"),
        ("https://user:12/w@host/path", "<unparsable URL>"),
        ("https://user:12?w@host/path", "<unparsable URL>"),
        ("https://user:12#w@host/path", "<unparsable URL>"),
        ("https://host/token?account=a@b", "https://host/token"),
    ],
)
def test_password_in_a_url_is_not_shown(url, shown):
    assert redact_url(url) == shown


def test_container_shows_no_password():
    with pytest.raises(ValueError, match="recognized") as caught:
        Container(NAMES[2])
    assert PASSWORD not in str(caught.value)
