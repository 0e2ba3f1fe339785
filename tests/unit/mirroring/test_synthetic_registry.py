"""The synthetic registry of benchmarks/mirroring.py: a plan of it needs no memory for its size."""

from __future__ import annotations

import tracemalloc

from mirror_scale.model import Costs, Model, costs
from mirror_scale.simulation import DESTINATION, SOURCE, Setup, SyntheticRegistries
from mirror_scale.synthetic import Shape

from oras_core.mirroring.job import Job
from oras_core.mirroring.plan import Mirror, plan_mirror


def test_all_tags_are_planned_page_by_page():
    registries = SyntheticRegistries(Setup(Shape(3, 1100), 0.0, 1))
    jobs = [
        event
        for event in plan_mirror(Mirror(SOURCE, DESTINATION), registries, concurrency=1)
        if isinstance(event, Job)
    ]
    assert sum(len(job.tags) for job in jobs) == 3300
    assert len({(job.source, entry.tag) for job in jobs for entry in job.tags}) == 3300


def test_the_memory_of_a_plan_does_not_grow():
    registries = SyntheticRegistries(Setup(Shape(100, 10), 0.0, 1))
    plan = plan_mirror(Mirror(SOURCE, DESTINATION), registries, concurrency=1, tags_per_job=10)
    peaks = []
    tracemalloc.start()
    try:
        for number, _ in enumerate(plan):
            if number in (80, 190):
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.reset_peak()
    finally:
        tracemalloc.stop()
    first, second = peaks
    # The jobs between the two moments have 300 KB.
    assert second - first < 100_000


def test_a_tag_costs_what_the_page_says():
    counted = costs(32)
    assert 3 <= counted.source < 4
    assert 8 <= counted.destination < 11


def test_the_longest_of_three_counts():
    model = Model(Costs(3, 9, 0.01), 0.1, tags_per_job=32, concurrency=16, requests=None)
    assert round(model.seconds(320, workers=1), 3) == 28.0  # ten jobs of 28 answers
    assert round(model.seconds(320, workers=4), 3) == 8.4  # three jobs, one after the other
    assert round(model.seconds(32_000, workers=100, jobs=100), 3) == 3.2  # processors


def test_the_limit_is_shared_between_the_workers_and_the_plan():
    limited = Model(Costs(3, 9, 0.01), 0.1, 32, 16, requests=90.0)
    assert limited.seconds(320, workers=4, jobs=4) == 40.0  # four of five shares
    # The stages of a lone job have 32, 32, 102, 64 and 64 requests to one registry, and two
    # answers in a row.
    assert round(limited.job(workers=4), 3) == round(294 / 18 + 0.2, 3)


def test_the_stages_of_the_model_have_the_requests_of_a_job():
    """One at a time, and a second for each: the duration is the number of requests."""
    counted = costs(32)
    model = Model(counted, 1.0, tags_per_job=32, concurrency=1)
    assert model.job(workers=1) == 32 * (counted.source + counted.destination)
