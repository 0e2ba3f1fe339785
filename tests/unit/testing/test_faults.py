"""Each fault shows its misbehaviour, and faults compose."""

from __future__ import annotations

import gzip
import json
import re
from functools import partial
from pathlib import Path

import pytest

from oras_adapters.factory import compose
from oras_adapters.settings.settings import NetworkSettings, Settings
from oras_core import testing
from oras_core.content.sources import BytesSource
from oras_core.credentials import NoCredentials, StaticCredentials
from oras_core.model.digest import Digest
from oras_core.ports.credentials import Credential
from oras_core.ports.http import HttpRequest
from oras_core.testing import faults
from oras_core.testing.faults import access
from oras_core.testing.registry.auth import TokenService
from oras_core.testing.registry.registry import EmbeddedRegistry

ORIGIN = "http://registry.test"
BLOB = bytes(range(256)) * 8
DIGEST = Digest.of(BLOB)
PLACE = f"/v2/team/it/blobs/{DIGEST}"
DOCUMENT = Path(__file__).parents[3] / "docs" / "testing.md"


@pytest.fixture
def registry():
    """A registry that has the blob."""
    embedded = EmbeddedRegistry()
    upload = f"/v2/team/it/blobs/uploads/?digest={DIGEST}"
    assert ask(embedded, "POST", upload, BLOB)[0] == 201
    return embedded


def ask(transport, method, path, body=None, **headers):
    """Return status, header fields and body of an answer."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    url = path if "://" in path else ORIGIN + path
    source = None if body is None else BytesSource(body)
    with transport.send(HttpRequest(method, url, fields, source)) as response:
        return response.status, response.headers, response.body.read()


def read_until_error(transport, kind):
    """Return the bytes of the blob that arrive before the error."""
    found = b""
    with transport.send(HttpRequest("GET", ORIGIN + PLACE)) as response:
        while True:
            try:
                piece = response.body.read(100)
            except kind:
                return found
            assert piece
            found += piece


def test_a_delay_comes_before_the_request(registry):
    waited = []
    slow = faults.Delayed(registry, seconds=3, pause=waited.append)
    assert ask(slow, "GET", PLACE)[0] == 200
    assert waited == [3]


def test_a_refusal_ends_after_its_times(registry):
    busy = faults.Refused(registry, status=429, retry_after=7, times=2)
    answers = [ask(busy, "GET", PLACE) for _ in range(3)]
    assert [status for status, *_ in answers] == [429, 429, 200]
    assert answers[0][1]["Retry-After"] == "7"


def test_a_refusal_names_an_error_code(registry):
    refused = faults.Refused(registry, status=429, code="TOOMANYREQUESTS")
    status, headers, body = ask(refused, "GET", PLACE)
    assert (status, headers["Content-Type"]) == (429, "application/json")
    assert json.loads(body)["errors"][0]["code"] == "TOOMANYREQUESTS"


def test_a_refusal_concerns_the_selected_requests_only(registry):
    selected = faults.requests_for("GET", path="/blobs/")
    failing = faults.Refused(registry, status=503, when=selected)
    assert ask(failing, "GET", PLACE)[0] == 503
    assert ask(failing, "HEAD", PLACE)[0] == 200
    assert ask(failing, "GET", "/v2/")[0] == 200


def test_a_script_gives_each_request_its_fault(registry):
    fail = partial(faults.Refused, status=500)
    scripted = faults.Scripted(
        registry, [None, fail, None], when=faults.requests_for(path="/blobs/")
    )
    assert [ask(scripted, "GET", PLACE)[0] for _ in range(4)] == [200, 500, 200, 200]
    assert ask(scripted, "GET", "/v2/")[0] == 200


@pytest.mark.parametrize("after", [0, 1, 150, len(BLOB)])
def test_a_response_is_reset_at_a_byte(registry, after):
    broken = faults.ResetResponses(registry, after=after)
    assert read_until_error(broken, ConnectionResetError) == BLOB[:after]


def test_read_all_stops_at_the_byte_of_a_reset(registry):
    broken = faults.ResetResponses(registry, after=10)
    with broken.send(HttpRequest("GET", ORIGIN + PLACE)) as response:
        assert response.body.read() == BLOB[:10]
        with pytest.raises(ConnectionResetError):
            response.body.read()


def test_a_response_is_reset_before_its_header(registry):
    broken = faults.ResetResponses(registry, times=1)
    with pytest.raises(ConnectionResetError):
        ask(broken, "GET", PLACE)
    assert registry.requests[-1].status == 200
    assert ask(broken, "GET", PLACE)[0] == 200


def test_a_request_is_reset_at_a_byte(registry):
    broken = faults.ResetRequests(registry, after=100)
    with pytest.raises(ConnectionResetError):
        ask(broken, "POST", f"/v2/team/it/blobs/uploads/?digest={DIGEST}", BLOB)
    assert ask(broken, "GET", PLACE)[0] == 200


def test_a_response_stalls_at_a_byte(registry):
    waited = []
    stalled = faults.StalledResponses(registry, after=150, seconds=9, pause=waited.append)
    assert read_until_error(stalled, TimeoutError) == BLOB[:150]
    assert waited == [9]


def test_referrers_api_is_removed(registry):
    old = faults.WithoutReferrers(registry)
    assert ask(registry, "GET", f"/v2/team/it/referrers/{DIGEST}")[0] == 200
    assert ask(old, "GET", f"/v2/team/it/referrers/{DIGEST}")[0] == 404


def test_a_mount_becomes_an_upload(registry):
    mount = f"/v2/team/other/blobs/uploads/?mount={DIGEST}&from=team/it"
    assert ask(faults.WithoutMount(registry), "POST", mount)[0] == 202
    assert ask(registry, "POST", mount)[0] == 201


@pytest.mark.parametrize("given", ["tag=v1&last=", "last=&tag="])
def test_ignored_parameters_are_removed_and_empty_ones_are_kept(registry, given):
    ignorant = faults.WithoutParameters(registry, names={"tag"})
    ask(ignorant, "GET", f"/v2/team/it/tags/list?{given}")
    assert registry.requests[-1].query == "last="


def test_ranges_are_ignored(registry):
    assert ask(registry, "GET", PLACE, Range="bytes=0-9")[0] == 206
    status, headers, body = ask(faults.WithoutRange(registry), "GET", PLACE, Range="bytes=0-9")
    assert (status, body) == (200, BLOB)
    assert "Accept-Ranges" not in headers


def test_a_location_becomes_relative(registry):
    redirecting = faults.RedirectedBlobs(registry, host="cdn.test")
    location = ask(faults.RelativeLocations(redirecting), "GET", PLACE)[1]["Location"]
    assert re.fullmatch(re.escape(PLACE) + r"\?token=.+", location)


def test_a_success_has_another_status(registry):
    upload = f"/v2/team/it/blobs/uploads/?digest={DIGEST}"
    other = faults.OtherStatus(registry, status=204)
    assert ask(other, "POST", upload, BLOB)[0] == 204
    assert ask(other, "GET", "/v2/team/it/manifests/absent")[0] == 404


def test_header_fields_are_replaced_and_removed(registry):
    fields = {"Content-Encoding": "gzip", "Docker-Content-Digest": None}
    _, headers, body = ask(faults.OtherHeaders(registry, fields=fields), "GET", PLACE)
    assert headers["Content-Encoding"] == "gzip"
    assert "Docker-Content-Digest" not in headers
    assert body == BLOB


def test_bodies_are_compressed(registry):
    _, headers, body = ask(faults.CompressedBodies(registry), "GET", PLACE)
    assert headers["Content-Encoding"] == "gzip"
    assert "Content-Length" not in headers
    assert gzip.decompress(body) == BLOB


def test_compressed_bodies_are_read_in_pieces(registry):
    compressed = faults.CompressedBodies(registry)
    with compressed.send(HttpRequest("GET", ORIGIN + PLACE)) as response:
        body = b"".join(iter(lambda: response.body.read(7), b""))
    assert gzip.decompress(body) == BLOB


def test_blobs_are_redirected_to_another_host():
    registry = EmbeddedRegistry(users={"a": "b"})
    login = {"Authorization": "Basic YTpi"}
    upload = f"/v2/team/it/blobs/uploads/?digest={DIGEST}"
    assert ask(registry, "POST", upload, BLOB, **login)[0] == 201
    cdn = faults.RedirectedBlobs(registry, host="cdn.test")
    assert ask(cdn, "GET", PLACE)[0] == 401
    status, headers, _ = ask(cdn, "GET", PLACE, **login)
    assert status == 307
    address = headers["Location"]
    assert address.startswith(f"http://cdn.test{PLACE}?token=")
    assert ask(cdn, "GET", address)[::2] == (200, BLOB)
    assert ask(cdn, "GET", address, Range="bytes=5-9")[::2] == (206, BLOB[5:10])
    assert ask(cdn, "GET", address.partition("?")[0])[0] == 401


def test_the_port_of_a_redirected_request_is_kept(registry):
    cdn = faults.RedirectedBlobs(registry, host="localhost")
    location = ask(cdn, "GET", f"http://127.0.0.1:5000{PLACE}")[1]["Location"]
    assert location.startswith("http://localhost:5000/")


def test_a_token_expires_after_its_uses():
    service = TokenService(users={"a": "b"})
    registry = EmbeddedRegistry(token_service=service)
    expiring = faults.ExpiringTokens(registry, uses=1)
    token = ask(registry, "GET", "/token?scope=repository:team/it:pull")[2]
    text = re.search(rb'"token": ?"([^"]+)"', token)[1].decode()
    bearer = {"Authorization": f"Bearer {text}"}
    first = ask(expiring, "GET", "/v2/team/it/tags/list", **bearer)
    second = ask(expiring, "GET", "/v2/team/it/tags/list", **bearer)
    assert first[0] == 404
    assert second[0] == 401
    assert second[1]["WWW-Authenticate"].startswith("Bearer ")


def test_the_oldest_tokens_are_forgotten(registry, monkeypatch):
    monkeypatch.setattr(access, "MAX_REMEMBERED", 2)
    expiring = faults.ExpiringTokens(registry, uses=1)
    for token in ("a", "b", "c", "a"):
        ask(expiring, "GET", PLACE, Authorization=f"Bearer {token}")
    assert list(expiring._used) == ["Bearer c", "Bearer a"]


@pytest.mark.parametrize("outer", ["tokens", "redirects"])
def test_the_other_host_of_a_redirect_uses_no_token(registry, outer):
    def expiring(transport):
        return faults.ExpiringTokens(transport, uses=1)

    def redirecting(transport):
        return faults.RedirectedBlobs(transport, host="cdn.test")

    order = (redirecting, expiring) if outer == "tokens" else (expiring, redirecting)
    transport = order[1](order[0](registry))
    status, headers, _ = ask(transport, "GET", PLACE, Authorization="Bearer t")
    assert status == 307
    for _ in range(2):
        assert ask(transport, "GET", headers["Location"])[2] == BLOB


@pytest.fixture
def read_back(tmp_path):
    """Push and read a file by a client over a transport."""

    def call(transport, credentials=None):
        file = tmp_path / "file.bin"
        file.write_bytes(BLOB)
        composition = compose(
            Settings(network=NetworkSettings()),
            credentials=credentials or NoCredentials(),
            transport=transport,
        )
        with composition.client() as client:
            client.push("registry.test/team/new:v1", {"file.bin": str(file)})
            return client.read("registry.test/team/new:v1", "file.bin")

    return call


def test_a_client_passes_composed_faults(read_back):
    transport = EmbeddedRegistry(token_service=TokenService(users={"a": "b"}))
    transport = faults.WithoutReferrers(faults.WithoutRange(faults.WithoutMount(transport)))
    transport = faults.RedirectedBlobs(transport, host="cdn.test")
    transport = faults.ExpiringTokens(transport, uses=6)  # threads share a token
    transport = faults.Refused(transport, status=503, retry_after=0, times=2)
    transport = faults.Refused(transport, status=405, when=faults.requests_for("HEAD"))
    assert read_back(transport, StaticCredentials(Credential("a", "b"))) == BLOB


def test_the_table_lists_every_fault():
    listed = set(re.findall(r"^\| `(\w+)`", DOCUMENT.read_text("utf-8"), re.MULTILINE))
    assert set(faults.__all__) - {"Fault"} <= listed


def test_every_fault_is_a_public_name_of_oras_core_testing():
    assert set(faults.__all__) <= set(testing.__all__)
