"""R10, R18, R23, R35: where the client goes, and what it takes along."""

from __future__ import annotations

import pytest
from attrs import evolve

from oras_core.content.sources import BytesSource
from oras_core.errors import InvalidInputError, UnsafeRedirectError
from oras_core.model.hosts import reach_of
from oras_core.model.limits import Limits
from oras_core.ports.http import HttpRequest
from oras_core.registry.transports.redirects import RedirectFollower, origin_of, resolve_location
from support.scripted_transport import Answer, ScriptedTransport

BASE = "https://r.example/v2/a/blobs/uploads/?state=x"


def to(location, status=307):
    return Answer(status, {"Location": location})


# --- Origins ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Example.ORG/a?b#c", "https://example.org"),
        ("https://example.org:443", "https://example.org"),
        ("http://example.org:80/", "http://example.org"),
        ("http://example.org:443/", "http://example.org:443"),
        ("https://user:pw@example.org:8443/", "https://example.org:8443"),
        ("HTTP://[::1]:5000/v2/", "http://[::1]:5000"),
    ],
)
def test_origin_is_scheme_host_and_port(url, origin):
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url", ["", "/v2/", "ftp://a/", "https://", "https://a:99999/", "file:///a"]
)
def test_url_without_an_origin_is_an_error_without_secrets(url):
    with pytest.raises(InvalidInputError):
        origin_of(url)


def test_an_unusable_url_is_not_shown_whole():
    with pytest.raises(InvalidInputError) as caught:
        origin_of("ftp://user:secret@a/b?sig=secret")
    assert "secret" not in str(caught.value)


# --- Locations ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "url"),
    [
        (
            "/v2/a/blobs/uploads/1?_state=a%3Db==",
            "https://r.example/v2/a/blobs/uploads/1?_state=a%3Db==",
        ),
        ("1", "https://r.example/v2/a/blobs/uploads/1"),
        ("?state=y&flag", "https://r.example/v2/a/blobs/uploads/?state=y&flag"),
        ("https://r.example:443/x", "https://r.example:443/x"),
        ("https://cdn.example/x?sig=a/b+c%2F#part", "https://cdn.example/x?sig=a/b+c%2F"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("https://cdn.example", "https://cdn.example"),
        ("  /spaces around  ", "https://r.example/spaces%20around"),
        ("https://8.8.8.8/x", "https://8.8.8.8/x"),
        ("/up/../x", "https://r.example/x"),
    ],
)
def test_a_location_is_resolved(location, url):
    assert resolve_location(BASE, location) == url


@pytest.mark.parametrize(
    "location",
    [
        "",
        " ",
        "http://r.example/x",
        "http://localhost/x",
        "file:///etc/passwd",
        "ftp://r.example/",
        "javascript:alert(1)",
        "data:text/plain,x",
        "localhost:5000/x",
        "https://user:pw@r.example/",
        "https://r.example@evil.example/",
        "https://r.example\\@evil.example/",
        "https://r.example/\nx",
        "https://r.ex\tample/",
        "https://r.example:port/",
        "https://r.example:99999/",
        "https://[::1/",
        "https://[nonsense]/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://%31%32%37.0.0.1/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.localhost/",
        "https://127.0.0.1/",
        "https://127.8.9.1/",
        "https://127.1/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0.0.0.0/",
        "https://0/",
        "https://[::]/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://[fd00:ec2::254]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fe80::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://2852039166/",
        "https://224.0.0.1/",
    ],
)
def test_public_registry_cannot_redirect_into_private_networks(location):
    with pytest.raises(UnsafeRedirectError):
        resolve_location(BASE, location)


@pytest.mark.parametrize(
    ("registry", "location", "allowed"),
    [
        ("http://localhost:5000", "http://127.0.0.1:5000/x", True),
        ("http://127.0.0.1:5000", "http://localhost:9000/x", True),
        ("http://[::1]:5000", "http://127.0.0.1/x", True),
        ("http://localhost:5000", "http://10.0.0.1/x", True),
        ("http://localhost:5000", "https://cdn.example/x", True),
        ("http://localhost:5000", "http://169.254.169.254/x", False),
        ("https://10.0.0.1", "https://10.0.0.2/x", True),
        ("https://10.0.0.1", "https://[fd00::1]/x", True),
        ("https://10.0.0.1", "https://127.0.0.1/x", False),
        ("https://10.0.0.1", "https://169.254.169.254/x", False),
        ("https://10.0.0.1", "http://10.0.0.1/x", False),
        ("http://10.0.0.1", "https://10.0.0.1/x", True),
        ("http://r.example", "http://cdn.example/x", True),
    ],
)
def test_redirect_stays_within_the_reach_of_the_registry(registry, location, allowed):
    if allowed:
        assert resolve_location(registry, location) == location
    else:
        with pytest.raises(UnsafeRedirectError):
            resolve_location(registry, location)


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("example.org", "public"),
        ("localhost.example.org", "public"),
        ("1.2.3.4.5", "public"),
        ("256.1.1.1", "public"),
        ("deadbeef", "public"),
        ("0x", "loopback"),
        ("1.1.1.1", "public"),
        ("2606:4700::1111", "public"),
        ("fe80::1%eth0", "link-local"),
        ("64:ff9b::808:808", "public"),
        ("64:ff9b::7f00:1", "loopback"),
        ("::ffff:8.8.8.8", "public"),
        ("2002:808:808::", "public"),
        ("", "public"),
    ],
)
def test_reach_of_a_host(host, reach):
    assert reach_of(host) == reach


def test_a_refusal_names_both_sides_without_queries():
    with pytest.raises(UnsafeRedirectError) as caught:
        resolve_location("https://r.example/a?sig=secret", "http://cdn.example/b?sig=secret")
    assert caught.value.source == "https://r.example/a"
    assert caught.value.target == "http://cdn.example/b"
    assert "unencrypted" in caught.value.reason
    assert "secret" not in str(caught.value)


# --- Following ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_get_and_head_follow_redirects_with_the_same_method(method, status):
    transport = ScriptedTransport(to("/b?x=1", status), Answer(200, body=b"here"))
    response = RedirectFollower(transport).send(HttpRequest(method, "https://r.example/a"))
    assert transport.lines == [f"{method} https://r.example/a", f"{method} https://r.example/b?x=1"]
    assert response.url == "https://r.example/b?x=1"
    assert response.body.read() == b"here"


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("status", "follows"), [(307, True), (308, True), (301, False), (302, False), (303, False)]
)
def test_other_methods_follow_redirects_if_the_body_is_repeatable(method, status, follows):
    steps = [to("/b", status), Answer(201)] if follows else [to("/b", status)]
    transport = ScriptedTransport(*steps)
    body = None if method == "DELETE" else BytesSource(b"blob")
    request = HttpRequest(method, "https://r.example/a", body=body)
    response = RedirectFollower(transport).send(request)
    assert response.status == (201 if follows else status)
    assert [sent.body for sent in transport.requests] == [b"blob" if body else b""] * len(steps)


@pytest.mark.parametrize("status", [200, 201, 202, 300, 304, 404])
def test_a_location_without_redirect_is_not_followed(status):
    transport = ScriptedTransport(to("/b", status))
    request = HttpRequest("GET", "https://r.example/a")
    assert RedirectFollower(transport).send(request).status == status


def test_a_redirect_without_location_is_the_response():
    transport = ScriptedTransport(Answer(307))
    response = RedirectFollower(transport).send(HttpRequest("GET", "https://r.example/a"))
    assert response.status == 307


SENT = {
    "Authorization": "Bearer secret",
    "Cookie": "secret",
    "Proxy-Authorization": "secret",
    "X-Api-Key": "secret",
    "Accept": "*/*",
    "Range": "bytes=5-",
    "User-Agent": "me",
}
HARMLESS = {"Accept": "*/*", "Range": "bytes=5-", "User-Agent": "me"}


@pytest.mark.parametrize(
    "location",
    [
        "https://s3.example/x",
        "https://r.example.evil.example/x",
        "https://sub.r.example/x",
        "https://r.example:8443/x",
        "//s3.example/x",
    ],
)
def test_another_origin_gets_no_secrets(location):
    transport = ScriptedTransport(to(location), Answer(200))
    RedirectFollower(transport).send(HttpRequest("GET", "https://r.example/a", SENT))
    assert dict(transport.requests[0].headers) == SENT
    assert dict(transport.requests[1].headers) == HARMLESS


def test_redirect_back_to_the_first_origin_gets_no_secrets():
    transport = ScriptedTransport(
        to("https://cdn.example/x"), to("https://r.example/y"), Answer(200)
    )
    RedirectFollower(transport).send(HttpRequest("GET", "https://r.example/a", SENT))
    assert dict(transport.requests[2].headers) == HARMLESS


def test_same_origin_keeps_secrets():
    transport = ScriptedTransport(to("https://r.example:443/b"), Answer(200))
    RedirectFollower(transport).send(HttpRequest("GET", "https://r.example/a", SENT))
    assert dict(transport.requests[1].headers) == SENT


def test_form_is_not_sent_to_another_origin():
    form = HttpRequest(
        "POST",
        "https://r.example/token",
        {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        BytesSource(b"refresh_token=secret"),
    )
    with pytest.raises(UnsafeRedirectError):
        RedirectFollower(ScriptedTransport(to("https://evil.example/token"))).send(form)
    transport = ScriptedTransport(to("/token2"), Answer(200))
    assert RedirectFollower(transport).send(form).status == 200


@pytest.mark.parametrize(
    "steps",
    [
        [to("http://r.example/x")],
        [to("https://127.0.0.1/x")],
        [to("https://cdn.example/x"), to("http://cdn.example/x")],
        [to("https://cdn.example/x"), to("https://169.254.169.254/x")],
        [to("file:///etc/passwd")],
    ],
)
def test_an_unsafe_redirect_is_not_followed(steps):
    transport = ScriptedTransport(*steps)
    with pytest.raises(UnsafeRedirectError):
        RedirectFollower(transport).send(HttpRequest("GET", "https://r.example/a"))
    assert transport.finished


def test_loopback_registry_can_redirect_to_loopback():
    transport = ScriptedTransport(
        to("https://cdn.example/x"), to("https://127.0.0.1/x"), Answer(200)
    )
    response = RedirectFollower(transport).send(HttpRequest("GET", "http://localhost:5000/a"))
    assert response.status == 200


def test_redirect_loop_is_an_error():
    transport = ScriptedTransport(*[to("/a")] * 4)
    with pytest.raises(UnsafeRedirectError, match="more than 3"):
        RedirectFollower(transport, Limits(redirects=3)).send(
            HttpRequest("GET", "https://r.example/a")
        )
    assert transport.finished


class Closing:
    def __init__(self, closed, name):
        self.closed, self.name = closed, name

    def read(self, size=-1, /):
        raise AssertionError("the body of a redirect is not wanted")

    def close(self):
        self.closed.append(self.name)


def test_a_redirect_is_closed_before_it_is_followed():
    closed = []

    class Transport(ScriptedTransport):
        def send(self, request):
            assert len(closed) == len(self.requests)
            return evolve(super().send(request), body=Closing(closed, request.url))

    transport = Transport(to("/b"), to("http://evil.example"))
    with pytest.raises(UnsafeRedirectError):
        RedirectFollower(transport).send(HttpRequest("GET", "https://r.example/a"))
    assert closed == ["https://r.example/a", "https://r.example/b"]
