"""What a custom backend's transport passes on."""

from __future__ import annotations

import io

from attrs import evolve

from oras._client.backend_transport import BackendAuthorization
from oras_core.ports.http import HttpRequest, HttpResponse


class Backend:
    def authenticate_request(self, original, headers, refresh=False):
        return {**headers, "Authorization": "Basic YTpi"}, True


class Refusing:
    """Refuses what has no authorization, at an attempt that was repeated."""

    def send(self, request):
        known = "Authorization" in request.headers
        response = HttpResponse(404 if known else 401, body=io.BytesIO())
        return response if known else evolve(response, repeated=True)


def test_a_challenge_does_not_hide_that_a_request_was_repeated():
    transport = BackendAuthorization(Backend())(Refusing(), "https://r.io")
    response = transport.send(HttpRequest("DELETE", "https://r.io/v2/a/manifests/v1"))
    assert (response.status, response.repeated) == (404, True)
