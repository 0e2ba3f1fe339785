"""What counts as replaced: anything that is not the client's own function."""

from __future__ import annotations

import functools
from unittest import mock

import pytest

import oras.client
from oras._client.hooks import PULL_HOOKS, PUSH_HOOKS, REQUEST_HOOK, is_overridden
from oras.decorator import ensure_container, retry
from oras.provider import Registry

NAMES = sorted({*PUSH_HOOKS, *PULL_HOOKS, REQUEST_HOOK})


def replacement(self, *args, **kwargs):
    raise AssertionError("only looked at")


@pytest.mark.parametrize("name", NAMES)
def test_client_class_overrides_no_hook(name):
    assert not is_overridden(oras.client.OrasClient(), name)


@pytest.mark.parametrize("name", NAMES)
def test_subclass_without_the_method_overrides_no_hook(name):
    class Mine(Registry):
        def push_all(self):
            """Use the client."""

        def _check_200_response(self, response):
            """Judge otherwise."""

    assert not is_overridden(Mine(), name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "decorate",
    [
        lambda function: function,
        ensure_container,
        retry(),
        staticmethod,
        classmethod,
        functools.cache,
        lambda function: functools.partialmethod(function, 1),
        property,
    ],
    ids=["plain", "ensure_container", "retry", "static", "class", "cache", "partial", "property"],
)
def test_subclass_with_the_method_overrides_the_hook(name, decorate):
    subclass = type("Mine", (Registry,), {name: decorate(replacement)})
    assert is_overridden(subclass(), name)
    assert not is_overridden(subclass(), *(other for other in NAMES if other != name))


@pytest.mark.parametrize("name", NAMES)
def test_mixin_overrides_the_hook_in_resolution_order(name):
    mixin = type("Mixin", (), {name: replacement})
    assert is_overridden(type("Before", (mixin, Registry), {})(), name)
    assert not is_overridden(type("Behind", (Registry, mixin), {})(), name)


@pytest.mark.parametrize("name", NAMES)
def test_subclass_of_a_subclass_overrides_the_hook(name):
    child = type("Child", (Registry,), {name: replacement})
    assert is_overridden(type("Grandchild", (child,), {})(), name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [mock.Mock(), lambda *_: None, functools.partial(print)])
def test_instance_attribute_overrides_the_hook_for_its_instance(name, value):
    one, other = Registry(), Registry()
    setattr(one, name, value)
    assert is_overridden(one, name)
    assert not is_overridden(other, name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("arguments", [{}, {"autospec": True}], ids=["mock", "autospec"])
@pytest.mark.parametrize("where", ["object", "class"])
def test_mock_overrides_the_hook_while_active(name, arguments, where):
    client = Registry()
    with mock.patch.object(client if where == "object" else Registry, name, **arguments):
        assert is_overridden(client, name)
    assert not is_overridden(client, name)


@pytest.mark.parametrize("name", NAMES)
def test_wrapper_around_the_method_overrides_the_hook(name, monkeypatch):
    original = getattr(Registry, name)

    @functools.wraps(original)
    def wrapper(*args, **kwargs):
        return original(*args, **kwargs)

    monkeypatch.setattr(Registry, name, wrapper)
    assert is_overridden(Registry(), name)
