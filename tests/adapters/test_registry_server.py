"""The registry behind a socket: framing, streaming, endings, and the program."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import os
import socket
import subprocess
import threading

import pytest

from oras_adapters.http.tls import ssl_context
from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_adapters.registry_server import RegistryServer
from oras_adapters.registry_server import server as server_module
from oras_adapters.registry_server.handler import Handler
from oras_core.content.sources import BytesSource
from oras_core.errors import FileAccessError, InvalidConfigurationError
from oras_core.model.codec import encode_index
from oras_core.model.digest import Digest
from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.certificates import write_certificates
from support.programs import require_program

CONTENT = b"content " * 100_000
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def registry():
    return EmbeddedRegistry()


@pytest.fixture
def server(registry):
    with RegistryServer(registry) as server:
        yield server


@pytest.fixture
def transport(server):
    with Urllib3Transport() as transport:
        yield transport


def raw(server, data):
    """Send bytes, and return all that comes until the server closes."""
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def upload(transport, base, content, digest, body=None):
    with transport.send(HttpRequest("POST", f"{base}/v2/app/blobs/uploads/")) as response:
        location = response.headers["Location"]
    request = HttpRequest(
        "PUT", f"{base}{location}&digest={digest}", body=body or BytesSource(content)
    )
    with transport.send(request) as response:
        return response.status


def test_blob_is_uploaded_and_downloaded(server, transport):
    assert upload(transport, server.url, CONTENT, DIGEST) == 201
    with transport.send(HttpRequest("GET", f"{server.url}/v2/app/blobs/{DIGEST}")) as response:
        assert response.body.read() == CONTENT


def test_blob_is_uploaded_with_chunked_encoding(server, transport, registry):
    class Unsized(BytesSource):
        size = None

    assert upload(transport, server.url, CONTENT, DIGEST, Unsized(CONTENT)) == 201
    sent = registry.requests[-1]
    assert sent.headers["Transfer-Encoding"] == "chunked"


def test_one_connection_serves_many_requests(server):
    connection = http.client.HTTPConnection(server.address, timeout=10)
    connection.connect()
    port = connection.sock.getsockname()[1]
    for _ in range(3):
        for method in ("GET", "HEAD"):
            connection.request(method, "/v2/")
            response = connection.getresponse()
            assert response.read() == (b"{}" if method == "GET" else b"")
            assert connection.sock.getsockname()[1] == port
    connection.close()


def test_request_url_has_the_client_s_host(server, registry):
    raw(server, b"GET /v2/?a=1 HTTP/1.1\r\nHost: name.test:99\r\nConnection: close\r\n\r\n")
    assert registry.requests[-1].url == "http://name.test:99/v2/?a=1"


def test_interrupted_upload_is_not_stored(server, transport):
    with transport.send(HttpRequest("POST", f"{server.url}/v2/app/blobs/uploads/")) as response:
        location = response.headers["Location"]
    raw(
        server,
        f"PUT {location}&digest={DIGEST} HTTP/1.1\r\nHost: x\r\n".encode()
        + b"Content-Length: %d\r\n\r\n" % len(CONTENT)
        + CONTENT[:-1],
    )
    with transport.send(HttpRequest("HEAD", f"{server.url}/v2/app/blobs/{DIGEST}")) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: x\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"Content-Length: 3, 4\r\n\r\nabcd",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding:\r\n\r\n",
    ],
)
def test_body_of_ambiguous_length_is_refused(server, framing):
    answer = raw(server, b"POST /v2/app/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n" + framing)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close" in answer
    assert b'"SIZE_INVALID"' in answer


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET http://[/v2/ HTTP/1.1\r\nHost: x",
        b"GET /v2/ HTTP/1.1\r\nHost: [",
        b"GET /v2/ HTTP/1.1\r\nHost: x/y?z",
        b"GET /v2/ HTTP/1.1\r\nContent-Length : 3",
        b"GET /v2/ HTTP/1.1\r\nno field\r\nContent-Length: 3",
        b"GET /v2/ HTTP/1.1\r\nFrom Content-Length: 3",
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\nFrom Content-Length: 3",
        b"GET /v2/ HTTP/1.1\r\nX: y\r\n Content-Length: 3",
        b"GET /v2/ HTTP/1.1\r\nX: y\rContent-Length: 3",
        b"GET /v2/ HTTP/1.1\r\nX: y\r\rContent-Length: 3",
        b"GET /v2/ HTTP/1.1\r\nX: \0",
        b"GET /v2/ HTTP/1.1\r\nX(y): z",
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\nHost: y",
    ],
)
def test_malformed_request_is_refused(server, request_head):
    second = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = raw(server, request_head + b"\r\n\r\n" + second)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in answer


def test_content_type_of_several_parts_is_no_malformed_header(server):
    head = b"GET /v2/ HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    answer = raw(server, head + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 6, 6", b"Content-Length: 6\r\nContent-Length: 6"]
)
def test_equal_lengths_are_one_length(server, framing):
    answer = raw(
        server,
        f"POST /v2/app/blobs/uploads/?digest={Digest.of(b'abcdef')} HTTP/1.1\r\n".encode()
        + b"Host: x\r\nConnection: close\r\n"
        + framing
        + b"\r\n\r\nabcdef",
    )
    assert answer.startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize("chunks", [b"x\r\n", b"-3\r\nabc\r\n", b"5\r\nabc", b"3\r\nabcdef", b""])
def test_invalid_chunks_are_refused(server, chunks):
    digest = Digest.of(b"abc")
    answer = raw(
        server,
        f"POST /v2/app/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: x\r\n".encode()
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + chunks,
    )
    assert not answer.startswith(b"HTTP/1.1 2")


def test_chunks_with_extensions_and_trailers_are_read(server):
    digest = Digest.of(b"abcdef")
    answer = raw(
        server,
        f"POST /v2/app/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: x\r\n".encode()
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"3;name=value\r\nabc\r\n03\r\ndef\r\n0\r\nTrailer: x\r\n\r\n"
        + b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert answer.count(b"HTTP/1.1 ") == 2


def test_each_tag_has_a_field_of_its_own():
    manifest = encode_index(manifests=[])
    path = f"/v2/app/manifests/{manifest.digest}?tag=v1&tag=v2"
    with RegistryServer(EmbeddedRegistry()) as server:
        connection = http.client.HTTPConnection(server.address, timeout=10)
        connection.request("PUT", path, manifest.content)
        response = connection.getresponse()
        connection.close()
    assert response.headers.get_all("OCI-Tag") == ["v1", "v2"]


def test_connection_is_usable_after_an_early_response():
    with RegistryServer(EmbeddedRegistry(users={"u": "p"})) as server:
        connection = http.client.HTTPConnection(server.address, timeout=10)
        for _ in range(2):
            connection.request("PUT", "/v2/app/manifests/v1", body=b"x" * 100_000)
            response = connection.getresponse()
            assert (response.status, b"UNAUTHORIZED" in response.read()) == (401, True)
            assert not response.will_close
        connection.close()


def test_response_body_is_streamed():
    released = threading.Event()

    class Slow:
        def send(self, request):
            return HttpResponse(200, body=self)

        def __init__(self):
            self.pieces = [b"first", b"second", b""]

        def read(self, size=-1):
            if len(self.pieces) == 2:
                assert released.wait(10)
            return self.pieces.pop(0)

        def close(self):
            pass

    with RegistryServer(Slow()) as server, Urllib3Transport() as transport:
        response = transport.send(HttpRequest("GET", server.url))
        with response:
            assert response.body.read(5) == b"first"
            released.set()
            assert response.body.read() == b"second"


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "9"}])
def test_an_answer_that_fails_midway_is_visibly_cut_off(headers, caplog):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            if not (piece := super().read(size)):
                raise FileAccessError("read", "blob", "the disk failed")
            return piece

    class Server:
        def send(self, request):
            return HttpResponse(200, headers, body=Failing(b"piece"))

    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with RegistryServer(Server()) as server:
        answer = raw(server, request * 2)
    assert answer.count(b"HTTP/1.1 200") == 1  # the connection was closed
    assert answer.endswith(b"piece" if headers else b"5\r\npiece\r\n")
    assert "the disk failed" in caplog.text


def test_unexpected_error_ends_one_connection(caplog):
    class Odd:
        def send(self, request):
            if request.url.endswith("/odd"):
                raise KeyError("odd")
            return HttpResponse(200, {"Content-Length": "2"}, body=io.BytesIO(b"ok"))

    with RegistryServer(Odd()) as server:
        assert raw(server, b"GET /odd HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        assert raw(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"ok")
    assert "KeyError" in caplog.text


def test_server_stops_with_idle_connections_and_ends_its_threads(registry):
    before = threading.active_count()
    with RegistryServer(registry) as server:
        connection = http.client.HTTPConnection(server.address, timeout=10)
        connection.request("GET", "/v2/")
        connection.getresponse().read()
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(server.address.split(":")[1])), 10)
    connection.close()


def test_server_speaks_tls(registry, tmp_path):
    certificates = write_certificates(tmp_path)
    tls = ssl_context(ca_bundle=str(certificates.ca_file))
    with (
        RegistryServer(registry, host="localhost", tls=certificates.server_context()) as server,
        Urllib3Transport(tls=lambda _: tls) as transport,
    ):
        assert server.url == f"https://{server.address}"
        assert upload(transport, server.url, CONTENT, DIGEST) == 201
    assert registry.requests[0].url.startswith(f"https://{server.address}/")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "registry.test", ""])
def test_non_loopback_addresses_are_refused(registry, host):
    with pytest.raises(InvalidConfigurationError):
        RegistryServer(registry, host=host)


# --- Other clients ------------------------------------------------------------------------


def test_skopeo_pushes_and_pulls(server, skopeo_image, tmp_path):
    skopeo = require_program("skopeo")
    image = f"docker://{server.address}/some/image:v1"
    options = [skopeo, "--insecure-policy", "copy", "-q"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    for arguments in (
        ["--dest-tls-verify=false", f"oci:{skopeo_image}:v1", image],
        ["--src-tls-verify=false", image, f"oci:{tmp_path / 'pulled'}:v1"],
    ):
        subprocess.run([*options, *arguments], check=True, env=environment, timeout=60)
    pulled = json.loads((tmp_path / "pulled" / "index.json").read_bytes())
    pushed = json.loads((skopeo_image / "index.json").read_bytes())
    assert pulled["manifests"][0]["digest"] == pushed["manifests"][0]["digest"]


@pytest.fixture
def skopeo_image(tmp_path):
    """An OCI layout with one image of one layer."""
    layout = tmp_path / "image"
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(content, media_type):
        digest = Digest.of(content)
        (blobs / digest.encoded).write_bytes(content)
        return {"mediaType": media_type, "digest": str(digest), "size": len(content)}

    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [str(DIGEST)]},
    }
    prefix = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{prefix}.manifest.v1+json",
        "config": blob(json.dumps(config).encode(), f"{prefix}.config.v1+json"),
        "layers": [blob(gzip.compress(CONTENT), f"{prefix}.layer.v1.tar+gzip")],
    }
    entry = blob(json.dumps(manifest).encode(), f"{prefix}.manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": "v1"}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return layout


def test_request_that_was_let_continue_is_answered_by_a_server_that_ends(registry, monkeypatch):
    idle_are_closed = threading.Event()
    close_idle, post = server_module._shut_down, Handler.do_POST

    def shut_down(connections):
        close_idle(connections)
        idle_are_closed.set()

    def answer_late(handler):
        idle_are_closed.wait(10)
        post(handler)

    monkeypatch.setattr(server_module, "_shut_down", shut_down)
    monkeypatch.setattr(Handler, "do_POST", answer_late)
    server = RegistryServer(registry, grace=20).__enter__()
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as client:
        try:
            client.sendall(
                f"POST /v2/app/blobs/uploads/?digest={Digest.of(b'x')} HTTP/1.1\r\nHost: x\r\n"
                "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n".encode()
            )
            assert client.recv(100).startswith(b"HTTP/1.1 100 ")
            client.sendall(b"x")
        finally:
            server.__exit__(None, None, None)
        assert client.recv(1000).startswith(b"HTTP/1.1 201 ")
