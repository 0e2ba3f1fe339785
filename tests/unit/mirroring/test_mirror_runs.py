"""Runs of a mirror: planned, carried out by threads, kept in a ledger, verified."""

from __future__ import annotations

import json
import pickle

import pytest

from oras_core.errors import InvalidInputError
from oras_core.mirroring.job import Job, job_from_text
from oras_core.mirroring.plan import Mirror, plan_mirror
from oras_core.mirroring.working import run_job
from support.mirror_world import ALONE, DESTINATION, SOURCE, World, differences, mirror, run


@pytest.fixture
def world():
    world = World()
    for number in range(6):
        name = f"team/app{number}"
        shared = b"shared" * 1000
        document = world.push(name, "v1", "latest", blobs=(shared, f"own {name}".encode() * 900))
        world.push(name, subject=document.descriptor, blobs=(b"signature" * number,))
        world.push(name, "v2", blobs=(shared, f"second {name}".encode() * 900))
    return world


def test_every_repository_is_mirrored(world):
    report = run(world)
    assert report.is_complete
    assert report.totals.repositories == 6
    assert report.totals.done_tags == 18
    assert differences(world) == []


def test_a_second_run_moves_nothing(world):
    run(world)
    before = len(world.uploads())
    report = run(world)
    assert (report.totals.moved, report.totals.mounted, report.totals.bytes) == (0, 0, 0)
    assert report.totals.done_tags == 18
    assert len(world.uploads()) == before


def test_a_blob_that_repositories_share_is_moved_once_and_mounted(world):
    report = run(world, threads=4)
    uploads = [digest for digest in world.uploads() if "44136fa3" not in digest]
    assert len(uploads) == len(set(uploads))
    assert report.totals.mounted == 5


def test_jobs_are_small_and_survive_pickles_and_text(world):
    jobs = [e for e in plan_mirror(mirror(), world, tags_per_job=2) if isinstance(e, Job)]
    assert [len(job.tags) for job in jobs] == [2, 1] * 6
    for job in jobs:
        assert pickle.loads(pickle.dumps(job)) == job
        assert job_from_text(job.text()) == job
        assert len(pickle.dumps(job)) < 2000


@pytest.mark.parametrize("platform", ["", 0, False, [], "linux/amd64"], ids=repr)
def test_text_with_a_platform_of_another_type_is_not_a_job(world, platform):
    job = next(event for event in plan_mirror(mirror(), world) if isinstance(event, Job))
    members = json.loads(job.text())
    members["choice"]["platform"] = platform
    with pytest.raises(InvalidInputError, match="not a job of a mirror"):
        job_from_text(json.dumps(members))


@pytest.mark.parametrize("name", ["source", "destination", "tags", "choice"])
@pytest.mark.parametrize("value", [None, 5, {}], ids=repr)
def test_text_with_a_member_of_another_type_is_not_a_job(world, name, value):
    job = next(event for event in plan_mirror(mirror(), world) if isinstance(event, Job))
    with pytest.raises(InvalidInputError, match="not a job of a mirror"):
        job_from_text(json.dumps({**json.loads(job.text()), name: value}))


def test_a_job_can_be_run_alone_and_again(world):
    job = next(e for e in plan_mirror(mirror(), world) if isinstance(e, Job))
    first = run_job(job, world, options=ALONE)
    second = run_job(job, world, options=ALONE)
    assert (first.tags, first.failure, second.failure) == (3, None, None)
    assert first.moved > 0
    assert second.moved == second.bytes == 0


def test_one_repository_is_mirrored_under_another_name(world):
    one = Mirror(f"{SOURCE}/team/app1", f"{DESTINATION}/copies/app")
    report = run(world, None, one)
    assert report.is_complete
    assert sorted(world.repository("copies/app", DESTINATION).tags()) == ["latest", "v1", "v2"]
