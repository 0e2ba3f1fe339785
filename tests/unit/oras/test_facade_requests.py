"""`do_request`: a request of the user's own, with the client's credentials and retries."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os

import pytest

import oras.client
from oras._client.response import Response
from oras_adapters.registry_server import RegistryServer
from oras_core.errors import InvalidInputError, TransportError, UnsupportedError
from oras_core.testing import EmbeddedRegistry
from support.recording_transport import Reply, serving

BASIC = "Basic " + base64.b64encode(b"user:secret").decode()


@pytest.fixture
def client(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return oras.client.OrasClient(insecure=True)


class Pipe:
    """A file that cannot seek."""

    def __init__(self, content):
        self._stream = io.BytesIO(content)

    def read(self, size=-1):
        return self._stream.read(size)


def demanding(received):
    """Answer as a registry that demands Basic credentials."""
    if received.headers.get("Authorization") == BASIC:
        return Reply(201)
    return Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"bytes", b"bytes"),
        (bytearray(b"bytes"), b"bytes"),
        (memoryview(b"bytes"), b"bytes"),
        ("Größe", "Größe".encode()),
        (b"", b""),
        ([b"pi", b"", b"eces"], b"pieces"),
    ],
)
def test_data_values_are_sent(client, data, body):
    with serving() as (address, received):
        response = client.do_request(f"http://{address}/v2/x", "PUT", data=data)
    assert response.status_code == 200
    (request,) = received
    assert (request.method, request.body) == ("PUT", body)


@pytest.mark.parametrize(
    "make", [io.BytesIO, Pipe, lambda content: iter([content[:5], content[5:]])]
)
def test_stream_is_sent_from_its_position(client, make):
    content = os.urandom(3_000_000)
    with serving() as (address, received):
        client.do_request(f"http://{address}/v2/x", "PATCH", data=make(content))
    assert hashlib.sha256(received[0].body).digest() == hashlib.sha256(content).digest()


def test_file_is_sent_with_its_length_and_stays_open(client, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with serving() as (address, received), path.open("rb") as file:
        file.seek(4)
        client.do_request(f"http://{address}/v2/x", "PUT", data=file)
        assert not file.closed
    assert received[0].body == b"456789"
    assert received[0].headers["Content-Length"] == "6"


def test_json_argument_is_sent_as_json(client):
    with serving() as (address, received):
        client.do_request(f"http://{address}/v2/x", "POST", json={"a": "Größe"})
        client.do_request(f"http://{address}/v2/x", "POST", json={})
    assert json.loads(received[0].body) == {"a": "Größe"}
    assert received[0].headers["Content-Type"] == "application/json"
    assert received[1].body == b"{}"


def test_json_keeps_a_given_content_type_in_any_case(client):
    with serving() as (address, received):
        client.do_request(f"http://{address}/v2/x", "PUT", json={}, headers={"content-type": "a/b"})
    assert received[0].headers["Content-Type"] == "a/b"


@pytest.mark.parametrize("data", [5, {"form": "field"}, object()])
def test_unsupported_data_is_refused_before_it_is_sent(client, data):
    with serving() as (address, received), pytest.raises(InvalidInputError):
        client.do_request(f"http://{address}/v2/x", "PUT", data=data)
    assert received == []


def test_headers_argument_is_not_modified(client):
    client.auth.set_basic_auth("user", "secret")
    headers = {"Accept": "a/b", "Content-Length": "99"}
    with serving(demanding) as (address, received):
        client.hostname = address
        response = client.do_request(f"http://{address}/v2/", headers=headers)
    assert response.status_code == 201
    assert headers == {"Accept": "a/b", "Content-Length": "99"}
    assert client.headers == {}
    assert received[-1].headers["Accept"] == "a/b"


def test_client_headers_are_sent(client):
    client.set_header("X-Team", "dinosaurs")
    with serving() as (address, received):
        client.do_request(f"http://{address}/v2/")
        client.do_request(f"http://{address}/v2/", headers={"x-team": "birds"})
    assert [request.headers["X-Team"] for request in received] == ["dinosaurs", "birds"]


@pytest.mark.parametrize("data", [b"body", [b"bo", b"dy"], io.BytesIO(b"body")])
def test_body_is_sent_again_after_a_challenge(client, data):
    with serving(demanding) as (address, received):
        client.auth.set_basic_auth("user", "secret")
        client.auth.load_configs(client.get_container(f"{address}/a/b"))
        response = client.do_request(f"http://{address}/v2/x", "PUT", data=data)
    assert response.status_code == 201
    assert [request.body for request in received][-1] == b"body"


@pytest.mark.parametrize("make", [Pipe, lambda content: iter([content])])
def test_body_that_can_be_read_once_is_not_sent_again(client, make):
    with serving(demanding) as (address, received):
        client.auth.set_basic_auth("user", "secret")
        client.auth.load_configs(client.get_container(f"{address}/a/b"))
        with pytest.raises(UnsupportedError, match="only once"):
            client.do_request(f"http://{address}/v2/x", "PUT", data=make(b"body"))
    assert [request.body for request in received] == [b"body"]


def test_other_hosts_get_no_credentials(client):
    with serving(demanding) as (address, _), serving(demanding) as (other, received):
        client.auth.set_basic_auth("user", "secret")
        client.auth.load_configs(client.get_container(f"{address}/a/b"))
        assert client.do_request(f"http://{address}/v2/").status_code == 201
        assert client.do_request(f"http://{other}/v2/").status_code == 401
    assert received
    assert not any("Authorization" in request.headers for request in received)


def test_redirect_targets_get_no_credentials(client):
    with serving() as (storage, received):

        def redirecting(request):
            reply = demanding(request)
            if reply.status == 401:
                return reply
            return Reply(307, {"Location": f"http://{storage}/blob"})

        with serving(redirecting) as (address, _):
            client.set_header("X-Key", "secret")
            client.auth.set_basic_auth("user", "secret")
            client.auth.load_configs(client.get_container(f"{address}/a/b"))
            response = client.do_request(f"http://{address}/v2/x")
    assert response.url == f"http://{storage}/blob"
    (request,) = received
    assert "Authorization" not in request.headers
    assert "X-Key" not in request.headers


def test_streamed_response_is_read_on_demand(client):
    content = os.urandom(5_000_000)
    with serving(lambda _: Reply(body=content)) as (address, _):
        with client.do_request(f"http://{address}/v2/x", stream=True) as response:
            first = next(response.iter_content(1000))
        assert first == content[:1000]
        assert client.do_request(f"http://{address}/v2/x").content == content


def test_every_status_is_returned_as_a_response(client):
    with serving(lambda _: Reply(418)) as (address, _):
        response = client.do_request(f"http://{address}/v2/x", "delete")
    assert response.status_code == 418
    assert response.request.method == "DELETE"


def test_missing_response_is_a_transport_error_without_the_query(client, monkeypatch, tmp_path):
    (tmp_path / "once.toml").write_text("[network]\nattempts = 1\n")
    monkeypatch.setenv("ORAS_CONFIG", str(tmp_path / "once.toml"))
    with serving() as (address, _):
        pass
    with pytest.raises(TransportError) as caught:
        client.do_request(f"http://{address}/v2/x?token=hidden", "POST", data=b"x")
    assert "hidden" not in str(caught.value)


def test_names_of_oras_py_0_1_authenticate():
    registry = EmbeddedRegistry(users={"alice": "open sesame"})
    with RegistryServer(registry) as server:
        client = oras.client.OrasClient(hostname=server.address)
        client.set_basic_auth("alice", "open sesame")
        challenge = {"WWW-Authenticate": 'Basic realm="r"'}
        refused = Response.of(401, challenge, url=f"{server.url}/v2/")
        assert client.authenticate_request(refused)
        assert client.headers["Authorization"].startswith("Basic ")
        client.reset_basic_auth()
        assert client.headers == {}
        container = client.get_container("a/b:v1")
        assert container.put_manifest_url() == container.get_manifest_url()
