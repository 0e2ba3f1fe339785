"""Names of registries: the spellings of one registry are the same registry."""

from __future__ import annotations

import pytest

from oras_core.model.hosts import canonical_registry


@pytest.mark.parametrize(
    ("registry", "canonical"),
    [
        ("r.example", "r.example"),
        ("R.Example", "r.example"),
        ("r.example.", "r.example"),
        ("r.example:443", "r.example"),
        ("R.EXAMPLE.:443", "r.example"),
        ("r.example.:5000", "r.example:5000"),
        ("r.example:80", "r.example:80"),
        ("[::1]:5000", "[::1]:5000"),
        ("[::1]:443", "[::1]"),
        ("[::1]", "[::1]"),
        ("docker.io", "docker.io"),
        ("Index.Docker.io.", "docker.io"),
        ("registry-1.docker.io:443", "docker.io"),
    ],
)
def test_spellings_of_a_registry_have_one_canonical_form(registry, canonical):
    assert canonical_registry(registry) == canonical
    assert canonical_registry(canonical) == canonical
