"""Lists on registries that limit the size of a page (R27)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

import oras.client
from oras_adapters.registry_server import RegistryServer
from oras_core.errors import RegistryError
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.retries import RetryPolicy
from oras_core.testing.contracts.content_access import push_artifact
from oras_core.testing.faults import Refused
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.scripted_transport import Answer

MAXIMUM = 3
TAGS = [f"v{number}" for number in range(8)]
ONCE = RetryPolicy(attempts=1)


class LimitedPages:
    """A registry that answers `status` to a page size above `MAXIMUM`, or sends fewer entries."""

    def __init__(self, status=None, *, fields=None, body=b'{"errors":[{"code":"UNSUPPORTED"}]}'):
        self.registry = EmbeddedRegistry()
        self.refusal = Answer(status, fields or {}, body) if status else None
        self.sizes = []

    def send(self, request):
        url = urlsplit(request.url)
        if not url.path.endswith(("/tags/list", "/_catalog")):
            return self.registry.send(request)
        size = int(parse_qs(url.query).get("n", ["0"])[0])
        self.sizes.append(size)
        if size > MAXIMUM and self.refusal is not None:
            return self.refusal.response(request)
        limited = request.url if 0 < size <= MAXIMUM else self._with_size(url)
        return self.registry.send(type(request)("GET", limited, request.headers))

    def _with_size(self, url):
        query = parse_qs(url.query) | {"n": [str(MAXIMUM)]}
        return url._replace(query="&".join(f"{k}={v[0]}" for k, v in query.items())).geturl()


@pytest.fixture(params=[400, 413, 416, 422, None], ids=["400", "413", "416", "422", "fewer"])
def server(request):
    server = LimitedPages(request.param)
    app = repository(server)
    manifest = push_artifact(app, b"a")
    for tag in TAGS:
        app.tag(manifest.descriptor, tag)
    server.sizes.clear()
    return server


def repository(server, name="app"):
    registry = RemoteRegistry("localhost:5000", server, plain_http=True, retry_policy=ONCE)
    return registry.repository(name)


@pytest.mark.parametrize("page_size", [None, 1, MAXIMUM, MAXIMUM + 1, 1005, 10**9])
def test_r27_every_tag_is_listed_once_whatever_the_page_size(server, page_size):
    assert list(repository(server).tags(page_size)) == TAGS


def test_r27_a_refused_page_size_is_left_out_for_all_pages(server):
    assert list(repository(server).tags(1005)) == TAGS
    pages = -(-len(TAGS) // MAXIMUM)
    after = [0, *[MAXIMUM] * (pages - 1)]
    assert server.sizes == ([1005, *after] if server.refusal else [1005, *after[1:]])


def test_r27_repositories_are_listed_whatever_the_page_size(server):
    for name in ("b", "c", "d", "e"):
        push_artifact(repository(server, name), b"a")
    registry = RemoteRegistry("localhost:5000", server, plain_http=True, retry_policy=ONCE)
    assert list(registry.catalog(1005)) == ["app", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("wanted", "expected"), [(None, 8), (1, 1), (4, 4), (8, 8), (9, 8), (1005, 8)]
)
def test_n_is_the_number_of_tags_that_the_caller_wants(server, wanted, expected):
    with RegistryServer(server) as served:
        client = oras.client.OrasClient(hostname=served.address, insecure=True)
        assert client.get_tags(f"{served.address}/app", N=wanted) == TAGS[:expected]


def test_a_refusal_that_does_not_concern_the_page_size_is_an_error():
    refusing = Refused(EmbeddedRegistry(), status=400, code="NAME_INVALID")
    with pytest.raises(RegistryError, match="NAME_INVALID"):
        list(repository(refusing).tags(1005))
