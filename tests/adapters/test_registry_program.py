"""The program `python -m oras_adapters.registry_server`: options, endings, and storage."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection

import bcrypt
import pytest

from oras_adapters.registry_server.program import main
from oras_core.model import media_types
from oras_core.model.codec import encode_manifest
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.paths import is_unfinished
from support.certificates import write_certificates
from support.programs import require_program

CONTENT = b"content " * 1000
DIGEST = Digest.of(CONTENT)
BLOB = f"/v2/app/blobs/{DIGEST}"

pytestmark = pytest.mark.slow


class Running:
    """A registry in a process of its own."""

    def __init__(self, process, address, tls=None):
        self.process = process
        self.address = address
        self.tls = tls

    def connection(self):
        if self.tls is not None:
            return HTTPSConnection(self.address, timeout=20, context=self.tls)
        return HTTPConnection(self.address, timeout=20)

    def ask(self, method, path, body=None, **headers):
        """Return status, header and body of an answer."""
        connection = self.connection()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def push(self, content, repository="app", **headers):
        digest = Digest.of(content)
        path = f"/v2/{repository}/blobs/uploads/?digest={digest}"
        assert self.ask("POST", path, content, **headers)[0] == 201
        return digest

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.communicate(timeout=30)


@contextmanager
def running(*arguments, tls=None):
    process = subprocess.Popen(
        [sys.executable, "-m", "oras_adapters.registry_server", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            address = process.stdout.readline().strip()
            assert address, process.stderr.read()
            yield Running(process, address, tls)
        finally:
            process.kill()


def basic(login):
    return {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}


# --- What it says --------------------------------------------------------------------------


def test_the_help_tells_a_newcomer_what_to_type(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    shown = capsys.readouterr().out
    assert caught.value.code == 0
    assert "no other machine can reach it" in shown
    assert "python -m oras_adapters.registry_server --port 5001" in shown
    for option in ("--storage", "--memory", "--user", "--htpasswd", "--token-auth", "--tls"):
        assert option in shown


def test_requests_are_logged_without_their_query(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running() as registry:
        registry.push(CONTENT)
        registry.ask("GET", f"{BLOB}?secret=hidden")
        assert list(tmp_path.rglob(DIGEST.encoded))
        output, errors = registry.end()
    assert registry.process.returncode == 0
    assert output == ""
    lines = [line.split(" ", 2)[2] for line in errors.splitlines()]
    assert lines[0] == (f"the registry listens at http://{registry.address}, for this machine only")
    assert lines[1] == "it stores blobs in a temporary folder"
    # Each connection has a thread, so the line of the push may come second.
    pulled, pushed = sorted(line for line in lines[2:] if line != "the registry ends")
    assert pushed.startswith("POST /v2/app/blobs/uploads/ 201 0 bytes ")
    assert pulled.startswith(f"GET {BLOB} 200 {len(CONTENT)} bytes ")
    assert "hidden" not in errors
    assert list(tmp_path.iterdir()) == []


# --- Endings -------------------------------------------------------------------------------


def test_a_request_in_progress_is_answered_before_the_end():
    with running("--memory", "--quiet") as registry:
        host, _, port = registry.address.rpartition(":")
        with (
            socket.create_connection((host, int(port)), 20) as idle,
            socket.create_connection((host, int(port)), 20) as busy,
        ):
            busy.sendall(
                f"POST /v2/app/blobs/uploads/?digest={DIGEST} HTTP/1.1\r\nHost: x\r\n"
                f"Expect: 100-continue\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode()
            )
            assert busy.recv(100).startswith(b"HTTP/1.1 100 ")  # the request is in progress
            busy.sendall(CONTENT[:10])
            registry.process.send_signal(signal.SIGTERM)
            assert idle.recv(1) == b""  # the registry is ending
            busy.sendall(CONTENT[10:])
            answer = b"".join(iter(lambda: busy.recv(1000), b""))
        assert registry.process.communicate(timeout=30) == ("", "")
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert registry.process.returncode == 0


SIGNAL_WHILE_LOCKED = """
import signal, threading

class Event(threading.Event):
    def wait(self, timeout=None):
        with self._cond:
            signal.raise_signal(signal.SIGTERM)
        return super().wait(timeout)

threading.Event = Event
from oras_adapters.registry_server.program import main
main(["--memory", "--quiet"])
"""


def test_signal_during_a_wait_for_an_event_ends_the_registry():
    """A handler that sets the event would wait for the lock that the event's wait holds."""
    done = subprocess.run(
        [sys.executable, "-c", SIGNAL_WHILE_LOCKED], capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""


# --- Logins and TLS ------------------------------------------------------------------------


def test_users_of_the_command_line_and_switches():
    manifest = encode_manifest(config=Descriptor.of(b"{}", media_types.OCI_EMPTY), layers=[])
    users = ("--user", "a:b", "--user", "c:d:e")
    with running(*users, "--sparse", "--no-referrers") as registry:
        statuses = [
            registry.ask("GET", "/v2/", **headers)[0]
            for headers in ({}, basic("a:b"), basic("c:d:e"), basic("a:x"), basic("x:b"))
        ]
        headers = {"Content-Type": manifest.media_type, **basic("a:b")}
        pushed = registry.ask("PUT", "/v2/app/manifests/v1", manifest.content, **headers)
        listed = registry.ask("GET", f"/v2/app/referrers/{manifest.digest}", **headers)
    assert statuses == [401, 200, 200, 401, 401]
    assert (pushed[0], listed[0]) == (201, 404)


def test_users_of_an_htpasswd_file_over_tls_with_a_given_certificate(tmp_path):
    users, pem = tmp_path / "users", tmp_path / "both.pem"
    users.write_text("# team\n\n")
    command = [require_program("htpasswd"), "-B", "-b", users, "alice", "secret"]
    subprocess.run(command, check=True, capture_output=True)
    files = write_certificates(tmp_path)
    pem.write_bytes(files.server_certificate.read_bytes() + files.server_key.read_bytes())
    tls = ssl.create_default_context(cafile=files.ca_file)
    with running("--htpasswd", users, "--tls", pem, tls=tls) as registry:
        statuses = [
            registry.ask("GET", "/v2/", **basic(login))[0]
            for login in ("alice:secret", "alice:secret", "alice:x", "bob:secret")
        ]
    assert statuses == [200, 200, 401, 401]


def test_bearer_tokens_over_tls_with_a_certificate_for_this_run(tmp_path):
    ca_file = tmp_path / "ca.pem"
    options = ("--user", "alice:secret", "--token-auth", "--tls", "--ca-file", ca_file)
    with running(*options) as registry:
        registry.tls = ssl.create_default_context(cafile=ca_file)
        status, headers, _ = registry.ask("POST", "/v2/app/blobs/uploads/")
        assert status == 401
        assert headers["WWW-Authenticate"].startswith("Bearer realm=")
        query = "/token?service=embedded-registry&scope=repository:app:pull,push"
        status, _, body = registry.ask("GET", query, **basic("alice:secret"))
        assert status == 200
        registry.push(CONTENT, Authorization=f"Bearer {json.loads(body)['token']}")
        _, errors = registry.end()
    assert f"clients must trust the certificate in {ca_file}" in errors


# --- Storage -------------------------------------------------------------------------------


def test_the_storage_keeps_content_and_has_one_registry_at_a_time(tmp_path, capsys):
    skopeo = require_program("skopeo")
    config = Descriptor.of(b"{}", media_types.OCI_IMAGE_CONFIG)
    manifest = encode_manifest(config=config, layers=[])
    path, headers = "/v2/team/app/manifests/v1", {"Content-Type": manifest.media_type}
    with running("--storage", tmp_path) as registry:
        registry.push(b"{}", "team/app")
        assert registry.ask("PUT", path, manifest.content, **headers)[0] == 201
        command = [skopeo, "inspect", "--raw", f"oci:{tmp_path}/team/app:v1"]
        shown = subprocess.run(command, check=True, capture_output=True)
        assert shown.stdout == manifest.content
        with pytest.raises(SystemExit):
            main(["--storage", str(tmp_path)])
        assert "another registry uses this folder" in capsys.readouterr().err
        registry.end(signal.SIGINT)
    assert registry.process.returncode == 0
    with running("--storage", tmp_path, "--read-only") as registry:
        assert registry.ask("GET", path)[2] == manifest.content
        assert registry.ask("DELETE", path)[0] == 405


class Pusher(threading.Thread):
    """Pushes artifacts to a repository, in chunks, until the registry is gone."""

    def __init__(self, registry, number, seed):
        super().__init__()
        self.registry = registry
        self.repository = f"/v2/app/{number % 2}"
        self.tag = f"v{number}"
        self.random = random.Random(seed)
        self.acknowledged = {}
        self.attempted = {}

    def run(self):
        try:
            while True:
                self.push_artifact()
        except (OSError, HTTPException):
            pass  # the registry was killed

    def push_artifact(self):
        layer = self.random.randbytes(self.random.randrange(300_000))
        manifest = encode_manifest(
            config=self.push_blob(b"{}"),
            layers=[self.push_blob(layer)],
        )
        headers = {"Content-Type": manifest.media_type}
        for name in (manifest.digest, self.tag):
            path = f"{self.repository}/manifests/{name}"
            self.send("PUT", path, manifest.content, path, manifest.content, **headers)

    def push_blob(self, content):
        digest, half = Digest.of(content), len(content) // 2
        _, headers, _ = self.registry.ask("POST", f"{self.repository}/blobs/uploads/")
        _, headers, _ = self.registry.ask("PATCH", headers["Location"], content[:half])
        place = f"{headers['Location']}&digest={digest}"
        self.send("PUT", place, content[half:], f"{self.repository}/blobs/{digest}", content)
        return Descriptor(media_types.OCTET_STREAM, digest, len(content))

    def send(self, method, url, body, path, content, **headers):
        self.attempted[path] = content
        assert self.registry.ask(method, url, body, **headers)[0] == 201
        self.acknowledged[path] = content


def test_a_killed_registry_serves_what_it_acknowledged(tmp_path):
    acknowledged, attempted = {}, {}
    kills = 3
    for number in range(kills + 1):
        with running("--storage", tmp_path, "--quiet") as registry:
            assert not [path for path in tmp_path.rglob("*") if is_unfinished(path.name)]
            assert not [*(tmp_path / "_uploads").glob("*")]
            for path, content in acknowledged.items():
                status, _, body = registry.ask("GET", path)
                assert status == 200
                # A tag may name the manifest whose acknowledgement the kill has cut off.
                assert body in (content, attempted[path])
            if number == kills:
                break
            pushers = [Pusher(registry, thread, 10 * number + thread) for thread in range(4)]
            for pusher in pushers:
                pusher.start()
            goal = random.Random(number).randrange(10, 60)
            while sum(len(pusher.acknowledged) for pusher in pushers) < goal:
                assert registry.process.poll() is None
                pushers[0].join(0.001)
            registry.process.kill()
            for pusher in pushers:
                pusher.join(30)
        for pusher in pushers:
            acknowledged |= pusher.acknowledged
            attempted |= pusher.attempted
    assert len(acknowledged) >= 30


# --- What it refuses -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--host", "0.0.0.0"], "loopback addresses only"),
        (["--port", "99999"], "port must be 0-65535"),
        (["--user", "nobody"], "expected NAME:PASSWORD"),
        (["--storage", "/dev/null/x"], "/dev/null/x"),
        (["--storage", "x", "--memory"], "not allowed with"),
        (["--user", "a:b", "--htpasswd", "x"], "not allowed with"),
        (["--token-auth"], "needs --user or --htpasswd"),
        (["--htpasswd", "/dev/null/x"], "cannot be read"),
        (["--tls", "/dev/null"], "private key"),
        (["--ca-file", "x"], "needs --tls"),
    ],
)
def test_wrong_options_are_explained(arguments, reason, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert reason in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("line", ["alice", "alice:secret", "alice:$apr1$x$y", ":$2y$05$x"])
def test_other_hashes_than_bcrypt_are_refused(line, capsys, tmp_path):
    file = tmp_path / "users"
    file.write_text(f"bob:{bcrypt.hashpw(b'x', bcrypt.gensalt(4)).decode()}\n{line}\n")
    with pytest.raises(SystemExit):
        main(["--htpasswd", str(file)])
    shown = capsys.readouterr().err
    assert "line 2" in shown
    assert "htpasswd -B" in shown
