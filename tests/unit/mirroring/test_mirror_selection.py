"""What is mirrored: repositories, tags, artifacts; and in which order versions are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.content.sources import BytesSource
from oras_core.errors import InvalidInputError
from oras_core.mirroring.plan import Mirror, Planned, plan_mirror
from oras_core.mirroring.records import Record
from oras_core.mirroring.selection import Selection, Selector, version_order
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.model.media_types import OCI_IMAGE_CONFIG
from oras_core.model.platform import Platform
from oras_core.packing.manifest import pack_manifest
from oras_core.testing.contracts.content_access import push_artifact, push_document
from oras_core.testing.faults import Refused, requests_for
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.mirror_world import DESTINATION, SOURCE, World, differences, jobs_of, mirror, run


def tagged(world, **selection):
    """Return the names that the plan has, as REPOSITORY:TAG."""
    return sorted(
        f"{job.source.partition('/')[2]}:{entry.tag}"
        for job in jobs_of(world, **selection)
        for entry in job.tags
    )


@pytest.fixture
def world():
    world = World()
    world.push("team/app", "v1", "v2", "latest")
    world.push("team/tools/cli", "v1")
    world.push("other", "v1")
    return world


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"repositories": ("other",)}, ["other:v1"]),
        ({"repositories": ("team/*",), "tags": ("latest",)}, ["team/app:latest"]),
        ({"repositories": ("team/**",), "tags": ("v1",)}, ["team/app:v1", "team/tools/cli:v1"]),
        ({"exclude_repositories": ("team/**",)}, ["other:v1"]),
        ({"repositories": ("other", "team/app"), "tags": ("v?",), "exclude_tags": ("v2",)},
         ["other:v1", "team/app:v1"]),
        ({"repositories": ("app",)}, []),
        ({"tags": ("none",)}, []),
    ],
)  # fmt: skip
def test_names_and_patterns_select(world, selection, expected):
    assert tagged(world, **selection) == expected


def test_named_repositories_need_no_catalog(world):
    world.transports[SOURCE] = Refused(world.source, when=requests_for(path="_catalog"), status=401)
    assert tagged(world, repositories=("other",)) == ["other:v1"]
    [record] = plan_mirror(mirror(), world)
    assert isinstance(record, Record)
    assert "name the repositories instead" in record.failure.message


def test_an_excluded_name_is_excluded_also_without_a_catalog(world):
    names = Selector(Selection(("a", "b"), exclude_repositories=("b",))).named_repositories
    assert names == ("a",)


def test_a_planned_repository_is_not_read_again(world):
    before = len(world.source.requests)
    known = Planned(f"{SOURCE}/other", f"{DESTINATION}/other")
    events = list(plan_mirror(mirror(), world, is_planned=lambda planned: planned == known))
    assert known not in events
    assert len([event for event in events if isinstance(event, Planned)]) == 2
    requests = world.source.requests[before:]
    assert [r.path for r in requests if "/other/" in r.path] == []


# --- Dates, types, newest -----------------------------------------------------------------


def dated(world, name, tag, created, artifact_type="application/vnd.example"):
    repository = world.repository(name)
    push_artifact(repository, b"{}")
    manifest = pack_manifest(
        [],
        artifact_type=artifact_type,
        annotations={"org.opencontainers.image.created": created} if created else {},
    )
    push_document(repository, manifest)
    repository.tag(manifest.descriptor.plain(), tag)


def test_artifacts_are_selected_by_date():
    world = World()
    dated(world, "app", "old", "2024-05-01T00:00:00Z")
    dated(world, "app", "new", "2026-05-01T00:00:00+02:00")
    dated(world, "app", "undated", None)
    dated(world, "app", "odd", "yesterday")
    since = datetime(2026, 1, 1, tzinfo=UTC)
    assert tagged(world, since=since) == ["app:new"]
    assert tagged(world, newest=2) == ["app:new", "app:old"]


def test_artifacts_are_selected_by_type():
    world = World()
    dated(world, "app", "sbom", None, "application/spdx+json")
    dated(world, "app", "model", None, "application/vnd.model")
    assert tagged(world, artifact_types=("application/vnd.model",)) == ["app:model"]


def test_the_date_of_an_image_is_that_of_its_config_also_within_an_index():
    world = World()
    repository = world.repository("image")
    config = b'{"created": "2026-03-01T00:00:00Z", "os": "linux", "architecture": "amd64"}'
    descriptor = Descriptor.of(config, OCI_IMAGE_CONFIG)
    repository.push(descriptor, BytesSource(config))
    manifest = codec.encode_manifest(config=descriptor, layers=())
    push_document(repository, manifest)
    index = codec.encode_index(manifests=[manifest.descriptor])
    push_document(repository, index)
    repository.tag(manifest.descriptor.plain(), "v1")
    repository.tag(index.descriptor.plain(), "v2")
    assert tagged(world, since=datetime(2026, 2, 1, tzinfo=UTC)) == ["image:v1", "image:v2"]
    assert tagged(world, since=datetime(2026, 4, 1, tzinfo=UTC)) == []
    assert tagged(world, artifact_types=(OCI_IMAGE_CONFIG,)) == ["image:v1", "image:v2"]


def test_the_newest_versions_are_selected_without_a_manifest():
    world = World()
    world.push("app", "v1.9", "v1.10", "v1.10-rc1", "latest")
    before = len(world.source.requests)
    assert tagged(world, newest=2, newest_by="version") == ["app:v1.10", "app:v1.10-rc1"]
    requests = world.source.requests[before:]
    assert {r.method for r in requests if "/manifests/" in r.path} == {"HEAD"}


@pytest.mark.parametrize(
    "names",
    [
        ("latest", "1.0-rc1", "1.0", "1.0.1", "1.2", "1.10", "2"),
        ("v1.0.0-alpha", "v1.0.0-beta", "v1.0.0", "v1.0.1"),
        ("2024-01-09", "2024-01-10", "2024-11-01"),
        ("1.0~beta", "1.0"),
    ],
)
def test_versions_sort_as_people_count(names):
    shuffled = {*names}
    assert sorted(shuffled, key=version_order) == list(names)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=4).map(tuple), st.booleans())
def test_versions_of_numbers_sort_as_tuples(numbers, v):
    other = (*numbers[:-1], numbers[-1] + 1)
    one, two = (("v" if v else "") + ".".join(map(str, some)) for some in (numbers, other))
    assert version_order(one) < version_order(two)


# --- Platforms and referrers --------------------------------------------------------------


def test_one_platform_of_an_index_is_mirrored_and_verified():
    world = World()
    repository = world.repository("image")
    entries = []
    for architecture in ("amd64", "arm64"):
        document = push_artifact(repository, architecture.encode() * 3000)
        platform = Platform("linux", architecture)
        entries.append(Descriptor(
            document.media_type, document.digest, len(document.content), platform=platform
        ))  # fmt: skip
    index = codec.encode_index(manifests=entries)
    push_document(repository, index)
    repository.tag(index.descriptor.plain(), "v1")
    world.push("image", "plain")
    lone = codec.encode_index(manifests=entries[:1])
    push_document(repository, lone)
    repository.tag(lone.descriptor.plain(), "v2")
    arm = mirror(platform=Platform.parse("linux/arm64"))
    report = run(world, None, arm)
    assert report.is_complete
    assert (report.totals.done_tags, report.totals.left_out) == (2, 1)
    copied = world.repository("image", DESTINATION)
    assert copied.resolve("v1").digest == entries[1].digest
    assert sorted(copied.tags()) == ["plain", "v1"]
    assert not copied.exists(entries[0].plain())
    assert differences(world, mirrors=(arm,)) == []


@pytest.mark.parametrize(
    ("types", "kept"), [(None, 2), ((), 0), (("application/vnd.example",), 2), (("a/b",), 0)]
)
def test_referrers_are_selected_by_type(types, kept):
    world = World()
    subject = world.push("app", "v1")
    for name in (b"one", b"two"):
        world.push("app", subject=subject.descriptor, blobs=(name,))
    one = mirror(referrer_types=types)
    assert run(world, None, one).is_complete
    copied = world.repository("app", DESTINATION)
    assert len(list(copied.referrers(subject.descriptor))) == kept
    assert differences(world, mirrors=(one,)) == []


def test_lists_of_referrers_are_no_tags_to_mirror():
    """Without the referrers API, lists have tags of their own; the destination writes its own."""
    world = World(source=EmbeddedRegistry(referrers=False))
    subject = world.push("app", "v1")
    world.push("app", subject=subject.descriptor, blobs=(b"signature",))
    assert len(list(world.repository("app").tags())) == 2
    assert tagged(world) == ["app:v1"]
    run(world)
    copied = world.repository("app", DESTINATION)
    assert len(list(copied.referrers(subject.descriptor))) == 1


# --- Names --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "destination", "selection"),
    [
        ("not a host", "b.example", {}),
        ("a.example", "b.example/Upper", {}),
        ("a.example/", "b.example", {}),
        ("a.example/one", "b.example", {}),
        ("a.example/one", "b.example/two", {"repositories": ("x",)}),
    ],
)
def test_malformed_mirrors_are_refused(source, destination, selection):
    with pytest.raises(InvalidInputError):
        Mirror(source, destination, Selection(**selection))


def test_a_date_without_a_time_zone_is_refused():
    with pytest.raises(InvalidInputError, match="time zone"):
        Selection(since=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the fault


def test_repositories_keep_their_names_below_a_prefix():
    assert Mirror("a.example", "b.example/x").destination_of("c/d") == "b.example/x/c/d"
    assert Mirror("a.example/c", "b.example/x").destination_of("c") == "b.example/x"
