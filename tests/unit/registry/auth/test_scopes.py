"""R4, R5: what a token allows, and what a request needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.registry.auth.scope import (
    Scope,
    covers,
    format_scopes,
    merge_scopes,
    parse_scopes,
    required_scopes,
)

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("repository:a/b:pull", Scope("repository", "a/b", ("pull",))),
        ("repository:a:push,pull,push", Scope("repository", "a", ("pull", "push"))),
        ("repository:host:5000/a:pull", Scope("repository", "host:5000/a", ("pull",))),
        ("repository(plugin):a:pull", Scope("repository(plugin)", "a", ("pull",))),
        ("registry:catalog:*", Scope("registry", "catalog", ("*",))),
        ("repository:a:delete,*,pull", Scope("repository", "a", ("*",))),
        ("repository:a:", Scope("repository", "a")),
        ("aws", Scope("aws")),
        ("https://vault.example/.default", Scope("https://vault.example/.default")),
        (":", Scope(":")),
        ("a:b", Scope("a:b")),
    ],
)
def test_scopes_are_parsed(text, scope):
    assert Scope.parse(text) == scope


@given(st.text(st.characters(exclude_categories=["Zs", "Cc"]), min_size=1))
def test_printed_scope_parses_to_the_same_scope(text):
    scope = Scope.parse(text)
    assert Scope.parse(str(scope)) == scope


def test_several_scopes_are_separated_by_spaces():
    scopes = parse_scopes("  repository:a:pull   repository:b:push,pull ")
    assert format_scopes(scopes) == "repository:a:pull repository:b:pull,push"


def test_scopes_keep_their_order_and_actions_are_merged():
    merged = merge_scopes(
        parse_scopes("repository:b:pull"),
        parse_scopes("repository:a:pull repository:b:push"),
    )
    assert format_scopes(merged) == "repository:b:pull,push repository:a:pull"


@pytest.mark.parametrize(
    ("held", "wanted", "enough"),
    [
        ("repository:a:pull,push", "repository:a:pull", True),
        ("repository:a:*", "repository:a:delete,pull", True),
        ("repository:a:pull repository:b:pull", "repository:b:pull repository:a:pull", True),
        ("repository:a:pull", "", True),
        ("", "", True),
        ("aws", "aws", True),
        ("repository:a:pull", "repository:a:pull,push", False),
        ("repository:a:pull,push", "repository:a:*", False),
        ("repository:a:pull", "repository:b:pull", False),
        ("repository:a:pull", "registry:a:pull", False),
        ("", "repository:a:pull", False),
        ("aws", "repository:a:pull", False),
    ],
)
def test_token_covers_a_subset_of_its_scopes(held, wanted, enough):
    assert covers(parse_scopes(held), parse_scopes(wanted)) is enough


@pytest.mark.parametrize(
    ("method", "path", "scopes"),
    [
        ("GET", "/v2/", ""),
        ("GET", "/v2", ""),
        ("GET", "/token?scope=repository:a:pull", ""),
        ("GET", "/v2/_catalog?n=3", "registry:catalog:*"),
        ("GET", "/v2/a/tags/list?n=1&last=b", "repository:a:pull"),
        ("HEAD", "/v2/a/b/manifests/latest", "repository:a/b:pull"),
        ("GET", f"/v2/a/blobs/{DIGEST}", "repository:a:pull"),
        ("GET", f"/v2/a/referrers/{DIGEST}?artifactType=x", "repository:a:pull"),
        ("PUT", "/v2/a/manifests/latest", "repository:a:pull,push"),
        ("DELETE", f"/v2/a/manifests/{DIGEST}", "repository:a:*"),
        ("DELETE", f"/v2/a/blobs/{DIGEST}", "repository:a:*"),
        ("POST", "/v2/a/blobs/uploads/", "repository:a:pull,push"),
        ("POST", "/v2/a/blobs/uploads", "repository:a:pull,push"),
        ("PATCH", "/v2/a/blobs/uploads/id?_state=x", "repository:a:pull,push"),
        ("PUT", f"/v2/a/blobs/uploads/id/part/2?digest={DIGEST}", "repository:a:pull,push"),
        ("GET", "/v2/a/blobs/uploads/id", "repository:a:pull,push"),
        ("DELETE", "/v2/a/blobs/uploads/id", "repository:a:pull,push"),
        (
            "POST",
            f"/v2/a/blobs/uploads/?mount={DIGEST}&from=other%2Fb",
            "repository:a:pull,push repository:other/b:pull",
        ),
        ("POST", f"/v2/a/blobs/uploads/?from=a&mount={DIGEST}", "repository:a:pull,push"),
        ("POST", f"/v2/a/blobs/uploads/?mount={DIGEST}", "repository:a:pull,push"),
        ("POST", "/v2/a/blobs/uploads/?from=b", "repository:a:pull,push"),
        ("GET", "/v2/blobs/manifests/tags/blobs/x", "repository:blobs/manifests/tags:pull"),
        ("GET", "/v2/a/blobs/uploads/manifests/x", "repository:a:pull,push"),
        ("GET", "/v2/a:pull%20repository:secret:*/manifests/x", ""),
        ("PUT", "/artifacts-uploads/namespaces/p/repositories/r/uploads/AF", ""),
    ],
)
def test_scopes_required_by_a_request(method, path, scopes):
    assert format_scopes(required_scopes(method, f"https://r.example{path}")) == scopes
