"""When registries that fail are asked again, on a clock of the test."""

from __future__ import annotations

import pytest

from oras_core.mirroring.claims import Claims
from oras_core.mirroring.hosts import Hosts, RetryRules
from oras_core.model.digest import Digest


class Clock:
    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def hosts(clock):
    return Hosts(RetryRules(backoff=2.0, max_backoff=10.0, max_failures=5), clock)


def test_pauses_double_up_to_the_longest(hosts, clock):
    pauses = []
    for _ in range(5):
        hosts.note_failure("a")
        pauses.append(hosts.remaining("a"))
        clock.now += pauses[-1]
    assert pauses == [2.0, 4.0, 8.0, 10.0, 10.0]
    assert hosts.remaining("a", "b") == 0.0


def test_failures_within_a_pause_do_not_extend_it(hosts, clock):
    hosts.note_failure("a")
    clock.now += 1.0
    hosts.note_failure("a")
    hosts.note_failure("a")
    assert hosts.remaining("a") == 1.0
    clock.now += 1.0
    hosts.note_failure("a")
    assert hosts.remaining("a") == 4.0


def test_a_success_begins_anew(hosts, clock):
    for _ in range(3):
        hosts.note_failure("a")
        clock.now += 20.0
    hosts.note_success("a", "b")
    hosts.note_failure("a")
    assert hosts.remaining("a") == 2.0
    assert (hosts.successes("a"), hosts.successes("b"), hosts.successes("c")) == (1, 1, 0)


def test_a_registry_is_given_up_after_pauses_in_a_row(hosts, clock):
    for _ in range(5):
        assert not hosts.is_given_up("a", "b")
        hosts.note_failure("a")
        clock.now += 20.0
    assert hosts.is_given_up("b", "a")
    assert not hosts.is_given_up("b")
    assert hosts.given_up() == ("a",)


def test_the_longest_of_the_demanded_pauses_counts(hosts):
    hosts.note_pauses({"a": 7.0, "b": 1.0})
    hosts.note_pauses({"a": 3.0})
    assert hosts.remaining("a") == 7.0
    assert hosts.remaining("b") == 1.0
    assert hosts.remaining("b", "a") == 7.0
    assert not hosts.is_given_up("a")


def test_a_job_claims_all_its_blobs_or_none():
    one, two, three = (Digest.of(name) for name in (b"1", b"2", b"3"))
    claims = Claims()
    assert claims.claim("x", "a", [one, two])
    assert not claims.claim("y", "a", [two, three])
    assert claims.claim("z", "a", [three])
    assert claims.claim("y", "b", [two])
    claims.release("y")
    claims.release("x")
    assert claims.claim("y", "a", [one, two])
    claims.release("unknown")
