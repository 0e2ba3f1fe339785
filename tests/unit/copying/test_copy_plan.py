from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given

from oras_core.copying.plan import CopyPlan, CopyStep, arrange, node_of
from oras_core.errors import InvalidManifestError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from support.graphs import graphs

TITLE = "org.opencontainers.image.title"


def node(name, title=None):
    annotations = {TITLE: title} if title else None
    return Descriptor.of(name.encode(), "a/b", annotations=annotations)


def edges(**children):
    return {
        node_of(node(name)): [
            child if isinstance(child, Descriptor) else node(child) for child in of
        ]
        for name, of in children.items()
    }


def edges_of(graph):
    return {(digest, True): children for digest, children in graph.edges.items()}


def names(plan, known):
    by_digest = {node(name).digest: name for name in known}
    return [{by_digest[step.descriptor.digest] for step in level} for level in plan.levels]


def test_a_leaf_is_one_step():
    assert arrange([node("r")], {}) == CopyPlan(((CopyStep(node("r")),),))


def test_leaves_come_first():
    plan = arrange([node("r")], edges(r="mn", m="abc", n="cd"))
    assert names(plan, "rmnabcd") == [set("abcd"), set("mn"), {"r"}]


def test_a_node_waits_for_its_deepest_child():
    plan = arrange([node("r")], edges(r="am", m="n", n="a"))
    assert names(plan, "rmna") == [{"a"}, {"n"}, {"m"}, {"r"}]


def test_a_blob_referenced_twice_moves_once():
    plan = arrange([node("r")], edges(r="mm", m="aaa"))
    assert [len(level) for level in plan.levels] == [1, 1, 1]
    assert plan.size == 3


def test_titles_keep_their_order_without_duplicates():
    uses = [node("a", title) for title in ("z", "x", None, "y", "x", "z")]
    plan = arrange([node("r")], edges(r=uses))
    assert plan.levels[0] == (
        CopyStep(node("a", "z"), (node("a", "x"), node("a"), node("a", "y"))),
    )


def test_titles_from_several_manifests_are_kept():
    plan = arrange(
        [node("r")], edges(r="mn", m=[node("a", "x")], n=[node("a", "y"), node("a", "x")])
    )
    assert plan.levels[0] == (CopyStep(node("a", "x"), (node("a", "y"),)),)


def test_the_size_counts_moved_blobs_only():
    sized = [Descriptor("a/b", Digest.of(b"%d" % size), size) for size in (1, 10, 100)]
    root = Descriptor("a/b", Digest.of(b"r"), 1000)
    assert arrange([root], {node_of(root): [*sized, *sized]}).size == 1111
    assert CopyPlan(()).size == 0


@pytest.mark.parametrize(
    "circle", [{"r": "r"}, {"r": "m", "m": "r"}, {"r": "am", "m": "bn", "n": "cm"}]
)
def test_cycle_is_refused(circle):
    with pytest.raises(InvalidManifestError, match="refers to itself"):
        arrange([node("r")], edges(**circle))


def test_a_deep_chain_does_not_recurse():
    chain = [node(f"n{depth}") for depth in range(5000)]
    below = {node_of(upper): [lower] for lower, upper in pairwise(chain)}
    plan = arrange([chain[-1]], below)
    assert [level[0].descriptor for level in plan.levels] == chain


def test_a_wide_lattice_is_walked_once():
    # Where paths are followed instead of nodes there are 2^200 of them.
    layers = [(node(f"a{depth}"), node(f"b{depth}")) for depth in range(200)]
    below = {node_of(upper): list(lower) for lower, uppers in pairwise(layers) for upper in uppers}
    plan = arrange([layers[-1][0]], below)
    assert [len(level) for level in plan.levels] == [2] * 199 + [1]


@given(graphs())
def test_a_plan_is_complete_and_ordered(graph):
    plan = arrange([graph.root], edges_of(graph))
    heights = {
        step.descriptor.digest: height for height, level in enumerate(plan.levels) for step in level
    }
    steps = [step for level in plan.levels for step in level]
    # Each content once, and nothing else.
    assert len(heights) == len(steps)
    assert set(heights) == graph.reachable()
    # Whatever is referred to arrives before what refers to it.
    for digest, height in heights.items():
        for child in graph.edges.get(digest, ()):
            assert heights[child.digest] < height
    # The root comes last, alone; no level is empty.
    assert [step.descriptor for step in plan.levels[-1]] == [graph.root]
    assert all(plan.levels)
    # Every title under which it is wanted.
    for step in steps:
        digest = step.descriptor.digest
        wanted = {
            child.title
            for parent in heights
            for child in graph.edges.get(parent, ())
            if child.digest == digest
        }
        kept = [use.title for use in (step.descriptor, *step.further_titles)]
        assert len(set(kept)) == len(kept)
        assert set(kept) == (wanted or {None})
    assert plan.size == sum(len(graph.contents[digest]) for digest in heights)


@given(graphs())
def test_equal_graphs_give_equal_plans(graph):
    assert arrange([graph.root], edges_of(graph)) == arrange([graph.root], edges_of(graph))
