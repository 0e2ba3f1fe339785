from __future__ import annotations

import json
import time

import pytest

from oras_core.errors import RegistryError, SizeLimitError, UnsafeRedirectError
from oras_core.model.limits import Limits
from oras_core.ports.http import Headers
from oras_core.registry.pagination import next_link, paginate
from support.scripted_transport import Answer, ScriptedTransport

URL = "https://reg.io/v2/app/tags/list?n=2"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (
            '</v2/app/tags/list?last=b&n=2>; rel="next"',
            "https://reg.io/v2/app/tags/list?last=b&n=2",
        ),
        ('<https://reg.io/v2/x>; rel="next"', "https://reg.io/v2/x"),
        ('<?last=b>; rel="next"', "https://reg.io/v2/app/tags/list?last=b"),
        ('<list?last=b>; rel="next"', "https://reg.io/v2/app/tags/list?last=b"),
        ("</x>; rel=next", "https://reg.io/x"),
        ("</x>;rel=NEXT", "https://reg.io/x"),
        ('</x> ; title="a, <b>; rel=prev" ; rel="last next"', "https://reg.io/x"),
        ('</y>; rel="prev", </x>; rel="next"', "https://reg.io/x"),
        ('</x,y>; rel="next"', "https://reg.io/x,y"),
        ('</y>; rel="prev"', None),
        ('</y>; rel="nextpage"', None),
        ("</y>", None),
        ("garbage", None),
        ("", None),
    ],
)
def test_r27_link_header_names_the_next_page(link, expected):
    assert next_link(Headers({"Link": link}), URL) == expected


def test_page_without_a_link_is_the_last():
    assert next_link(Headers(), URL) is None


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example.org/x",
        "https://reg.io:8443/x",
        "http://reg.io/x",
        "//evil.example.org/x",
        "file:///etc/passwd",
        "http://169.254.169.254/",
        "https://reg.io@evil.example.org/",
    ],
)
def test_r27_the_next_page_is_at_the_same_origin(target):
    with pytest.raises(UnsafeRedirectError):
        next_link(Headers({"Link": f'<{target}>; rel="next"'}), URL)


def page(tags, following=None):
    headers = {"Link": f'<{following}>; rel="next"'} if following else {}
    return Answer(200, headers, json.dumps({"name": "app", "tags": tags}).encode())


def listed(*answers, limits=None):
    transport = ScriptedTransport(*answers)
    pages = paginate(transport, URL, "list tags", limits=limits or Limits())
    return [tag for page in pages for tag in page.strings("tags")], transport


def test_empty_pages_are_followed():
    tags, transport = listed(page(["a", "b"], "/2"), page([], "/3"), page(["c"]))
    assert tags == ["a", "b", "c"]
    assert transport.lines == [f"GET {URL}", "GET https://reg.io/2", "GET https://reg.io/3"]


def test_pages_are_requested_on_demand():
    transport = ScriptedTransport(page(["a"], "/2"))
    pages = paginate(transport, URL, "list tags", limits=Limits())
    assert next(pages).strings("tags") == ["a"]
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    ("tags", "expected"),
    [(None, []), ([None, "a", None], ["a"]), ([1, {}, "a"], ["a"]), ([], [])],
)
def test_r27_listings_of_known_registries_are_read(tags, expected):
    assert listed(page(tags))[0] == expected


def test_r27_a_missing_member_is_an_empty_list():
    assert listed(Answer(200, {}, b'{"name":"app"}'))[0] == []


@pytest.mark.parametrize("tags", ["abc", {"a": 1}, 7])
def test_member_that_is_not_a_list_is_an_error(tags):
    with pytest.raises(RegistryError, match="'tags' is not a list"):
        listed(page(tags))


def test_r27_html_with_200_is_an_error():
    with pytest.raises(RegistryError, match="text/html"):
        listed(Answer(200, {"Content-Type": "text/html"}, b"<html>Sign in</html>"))


@pytest.mark.parametrize("links", [[URL], ["/2", "/2"], ["/2", "/3", "/2"], ["/2", URL]])
def test_r27_cycle_of_pages_is_an_error(links):
    with pytest.raises(UnsafeRedirectError, match="already been read"):
        listed(*(page(["a"], link) for link in links))


def test_r27_number_of_pages_is_limited():
    endless = [page([], f"/{number}") for number in range(10)]
    with pytest.raises(SizeLimitError, match="limit of 4 pages"):
        listed(*endless, limits=Limits(pages=4))


def test_page_size_is_limited():
    with pytest.raises(SizeLimitError):
        listed(page(["a" * 100]), limits=Limits(listing_body=100))


@pytest.mark.parametrize("piece", [" ", ",", ", ", ";", " ;", "<", "<a>;x ", '<a>;x="'])
def test_a_long_link_field_is_read_in_linear_time(piece):
    headers = Headers([("Link", piece * (64_000 // len(piece)))])
    start = time.thread_time()
    assert next_link(headers, "https://registry.example/v2/") is None
    assert time.thread_time() - start < 2
