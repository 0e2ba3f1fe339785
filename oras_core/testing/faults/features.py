"""Registries that lack a feature of the distribution spec."""

from __future__ import annotations

from collections.abc import Set
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from attrs import define, evolve, field

from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.testing.faults.fault import RANGE_FIELDS, Fault, empty_answer, requests_for

__all__ = ["WithoutMount", "WithoutParameters", "WithoutRange", "WithoutReferrers"]


@define(eq=False)
class WithoutReferrers(Fault):
    """Has no referrers API: 404 at its endpoint, and no `OCI-Subject` (R31)."""

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        if requests_for(path=r"^/v2/.+/referrers/[^/]+$")(request):
            return empty_answer(404)
        response = self.transport.send(request)
        return evolve(response, headers=response.headers.without("OCI-Subject"))


@define(eq=False)
class WithoutParameters(Fault):
    """Ignores the parameters `names` of URLs, such as `tag`, as older registries do."""

    names: Set[str] = field(kw_only=True)

    def _concerns(self, request: HttpRequest) -> bool:
        return any(name in self.names for name, _ in _parameters(request))

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        query = urlencode([pair for pair in _parameters(request) if pair[0] not in self.names])
        plain = urlunsplit(urlsplit(request.url)._replace(query=query))
        return self.transport.send(evolve(request, url=plain))


def _parameters(request: HttpRequest) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(request.url).query, keep_blank_values=True)


@define(eq=False)
class WithoutMount(WithoutParameters):
    """Opens an upload session instead of a mount."""

    names: Set[str] = field(default=frozenset({"mount", "from"}), kw_only=True)


@define(eq=False)
class WithoutRange(Fault):
    """Ignores `Range` of downloads: the answer is the whole blob with status 200."""

    def _concerns(self, request: HttpRequest) -> bool:
        return request.method in {"GET", "HEAD"}

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        headers = request.headers.without(*RANGE_FIELDS)
        response = self.transport.send(evolve(request, headers=headers))
        return evolve(response, headers=response.headers.without("Accept-Ranges"))
