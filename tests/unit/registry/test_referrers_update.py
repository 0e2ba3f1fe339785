"""The change of a list that other clients write at the same time (R30)."""

from __future__ import annotations

import json

import pytest
from attrs import evolve

from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.registry import referrers_update
from oras_core.registry.referrers_list import ReferrersList
from oras_core.registry.referrers_update import ListUpdate


def entry(name):
    return Descriptor.of(name.encode(), "a/b")


def listing(*names):
    return ReferrersList.empty().with_entries(map(entry, names))


class SharedList:
    """A list under a tag; after chosen reads, other clients replace it."""

    def __init__(self, *names, after=None, deleted=()):
        self.current = listing(*names)
        self.after = after or {}
        self.deleted = {entry(name).digest for name in deleted}
        self.reads = 0
        self.writes = 0

    def read(self):
        found = self.current
        self.reads += 1
        if self.reads in self.after:
            self.current = listing(*self.after[self.reads])
        return found

    def write(self, listed):
        self.current = listed
        self.writes += 1

    def changed(self, change):
        return ListUpdate(self.read, self.write, lambda d: d.digest not in self.deleted).run(change)

    def added(self, name):
        return self.changed(lambda listed: listed.with_entries([entry(name)]))

    def holds(self, *names):
        return {e.digest for e in self.current.entries} == {entry(name).digest for name in names}


def test_a_list_that_nobody_else_writes_is_read_three_times():
    shared = SharedList("a")
    assert shared.added("b")
    assert (shared.reads, shared.writes) == (3, 1)
    assert shared.holds("a", "b")


def test_entry_that_is_listed_again_keeps_unknown_members():
    known = json.loads(listing("a", "b").encode())
    known["manifests"][0]["org.example.entry"] = ["kept", True]
    present = ReferrersList.parse(json.dumps(known).encode(), media_types.OCI_INDEX)
    typed = evolve(entry("a"), artifact_type="example/new")
    (first, second) = json.loads(present.with_entries([typed]).encode())["manifests"]
    assert first == {**known["manifests"][0], "artifactType": "example/new"}
    assert second == known["manifests"][1]


def test_an_entry_that_is_listed_already_costs_one_read():
    shared = SharedList("a")
    assert shared.added("a")
    assert (shared.reads, shared.writes) == (1, 0)


def test_an_entry_that_others_wrote_again_is_watched_too():
    # After the write: lost by another client, written again by a second, lost by a third.
    shared = SharedList("a", after={1: "a", 2: ["a", "b", "ours"], 3: ["a", "b"]})
    write = shared.write

    def overwritten_once(listed):
        write(listed)
        if shared.writes == 1:
            shared.current = listing("a", "b")

    shared.write = overwritten_once
    assert shared.added("ours")
    assert shared.holds("a", "b", "ours")


@pytest.mark.parametrize("read", [1, 2])
def test_an_entry_of_another_client_that_vanishes_is_restored(read):
    shared = SharedList("a", "theirs", after={read: ["a"]})
    assert shared.added("ours")
    assert shared.holds("a", "theirs", "ours")


def test_an_entry_whose_manifest_was_deleted_is_not_restored():
    shared = SharedList("a", "theirs", after={2: ["a", "ours"]}, deleted=["theirs"])
    assert shared.added("ours")
    assert shared.holds("a", "ours")


def test_a_removed_entry_stays_removed():
    shared = SharedList("a", "b", after={2: ["a", "b", "c"]})
    assert shared.changed(lambda listed: listed.without(entry("b").digest))
    assert shared.holds("a", "c")


def test_a_list_that_was_seen_is_not_believed_to_be_empty_at_once():
    shared = SharedList("a", "b", after={2: [], 4: ["a", "b", "ours"]})
    assert shared.added("ours")
    assert (shared.writes, shared.holds("a", "b", "ours")) == (1, True)


def test_a_list_is_watched_longer_if_others_write_it():
    shared = SharedList("a", after={2: ["a", "ours", "b"]})
    assert shared.added("ours")
    assert shared.reads == 1 + 1 + referrers_update.CALM_READS
    assert shared.holds("a", "b", "ours")


def test_a_list_is_read_again_if_too_much_time_has_passed_before_the_write(monkeypatch):
    monkeypatch.setattr(referrers_update, "FRESH", -1.0)
    shared = SharedList("a", after={2: ["a", "theirs"]})
    assert shared.added("ours")
    assert shared.writes == 1
    assert shared.holds("a", "theirs", "ours")


def test_a_list_that_is_overwritten_without_end_is_reported():
    shared = SharedList("a", after={read: ["a"] for read in range(1, 1000)})
    assert not shared.added("ours")
    assert shared.writes == referrers_update.MAX_ATTEMPTS
