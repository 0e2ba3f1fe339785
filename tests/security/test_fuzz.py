"""Every parser gives a value or a documented error, within bounds, whatever it is given.

A short run; `tests/security/fuzz.py` runs as long as it is told.
"""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.fuzz_targets import TARGETS
from support.fuzzing import MAX_INPUT, mutations

SECONDS = 2.0
"""What the largest input may take, on a machine that does other things too."""


@pytest.mark.parametrize("name", TARGETS)
def test_parser_returns_a_value_or_a_documented_error(name):
    target = TARGETS[name]

    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(mutations(target))
    def run(data):
        target.check(data)

    run()


@pytest.mark.parametrize("name", TARGETS)
def test_valid_input_is_parsed(name):
    for seed in TARGETS[name].seeds:
        TARGETS[name].check(seed)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=8)
@given(data=st.data())
def test_parse_time_is_bounded(name, data):
    """The same piece over and over is what turns a pattern quadratic."""
    target = TARGETS[name]
    pieces = st.sampled_from([*target.tokens, *target.seeds])
    piece = b"".join(data.draw(st.lists(pieces, min_size=1, max_size=3)))
    content = data.draw(pieces) + piece * (MAX_INPUT // len(piece))
    start = time.thread_time()
    target.check(content)
    assert time.thread_time() - start < SECONDS
