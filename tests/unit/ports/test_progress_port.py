"""Whoever passes the news of a copy on passes on all of it."""

from __future__ import annotations

import inspect

import pytest

from oras_core.copying.extended import _SkipNoter
from oras_core.model.descriptor import Descriptor
from oras_core.ports.progress import ProgressListener

NEWS = [name for name in vars(ProgressListener) if not name.startswith("_")]


@pytest.mark.parametrize("news", NEWS)
def test_an_extended_copy_passes_everything_on(news):
    heard = []

    class Listening(ProgressListener):
        def __getattribute__(self, name):
            return lambda *told: heard.append((name, told))

    values = {"descriptor": Descriptor.of(b"", "a/b"), "error": KeyError(), "reason": "exists"}
    wanted = list(inspect.signature(getattr(ProgressListener, news)).parameters)[1:]
    told = tuple(values.get(name, 7) for name in wanted)
    getattr(_SkipNoter(Listening()), news)(*told)
    assert heard == [(news, told)]
