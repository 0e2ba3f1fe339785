"""The rules file: everything that it can say, and how it refuses the rest."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from oras_adapters.mirroring.rules import read_rules
from oras_core.errors import InvalidConfigurationError
from oras_core.mirroring.hosts import RetryRules
from oras_core.mirroring.limits import HostLimits
from oras_core.mirroring.plan import Mirror
from oras_core.mirroring.selection import Selection
from oras_core.model.platform import Platform

EVERYTHING = """
[run]
executor = "dask"
workers = 8
jobs = 2
scheduler = "tcp://scheduler.example:8786"
ledger = "state/mirror.sqlite"
tags_per_job = 10

[retry]
attempts = 3
backoff = 1
max_backoff = 60.5
max_failures = 4

[limits."quay.io"]
requests = 50
bytes = 1e8
connections = 48

[[mirror]]
source = "quay.io"
destination = "mirror.example:5000/quay"
repositories = ["conda-forge/*"]
exclude_repositories = ["conda-forge/test-*"]
tags = ["*-linux-64"]
exclude_tags = ["latest"]
newest = 10
newest_by = "version"
since = 2026-01-31
artifact_types = ["application/vnd.conda"]
platform = "linux/arm64"
referrer_types = ["application/spdx+json"]

[[mirror]]
source = "ghcr.io/team/app"
destination = "mirror.example:5000/app"
since = 2026-01-31T10:00:00+02:00
referrers = false
"""


def test_everything_can_be_said(tmp_path):
    path = tmp_path / "mirror.toml"
    path.write_text(EVERYTHING)
    rules = read_rules(path)
    assert rules.run.ledger == str(tmp_path / "state/mirror.sqlite")
    assert (rules.run.executor, rules.run.workers, rules.run.jobs) == ("dask", 8, 2)
    assert rules.retry == RetryRules(3, 1.0, 60.5, 4)
    assert rules.limits == {"quay.io": HostLimits(50.0, 1e8, 48)}
    first, second = rules.mirrors
    assert first == Mirror(
        "quay.io",
        "mirror.example:5000/quay",
        Selection(
            repositories=("conda-forge/*",),
            exclude_repositories=("conda-forge/test-*",),
            tags=("*-linux-64",),
            exclude_tags=("latest",),
            newest=10,
            newest_by="version",
            since=datetime(2026, 1, 31, tzinfo=UTC),
            artifact_types=("application/vnd.conda",),
            platform=Platform("linux", "arm64"),
            referrer_types=("application/spdx+json",),
        ),
    )
    assert second.selection.referrer_types == ()
    assert second.selection.since == datetime(2026, 1, 31, 8, tzinfo=UTC)


def test_little_need_be_said(tmp_path):
    path = tmp_path / "mirror.toml"
    path.write_text('[[mirror]]\nsource = "a.example"\ndestination = "b.example"\n')
    rules = read_rules(path)
    assert rules.mirrors == (Mirror("a.example", "b.example"),)
    assert (rules.run.executor, rules.limits) == ("threads", {})


TABLE = '[[mirror]]\nsource = "a.example"\ndestination = "b.example"\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"no table \[\[mirror\]\]"),
        ("mirror = 1", r"no table \[\[mirror\]\]"),
        ("mirror = []", r"no table \[\[mirror\]\]"),
        ("mirror = [1]", "mirror"),
        ("[[mirror]", "not TOML"),
        ('[[mirror]]\nsource = "a.example"\n', "destination"),
        (TABLE + 'tags = "v1"\n', "list of strings"),
        (TABLE + "newest = 0\n", "newest"),
        (TABLE + "newest = true\n", "newest"),
        (TABLE + 'newest_by = "age"\n', "'created' or 'version'"),
        (TABLE + 'since = "2026-01-01"\n', "expected a date"),
        (TABLE + 'platform = "linux"\n', "linux"),
        (TABLE + "keep = 3\n", "unknown keep"),
        (TABLE + "[run]\nexecutor = \"ray\"\n", "'threads' or 'processes' or 'dask'"),
        (TABLE + "[run]\nworkers = 0\n", "workers"),
        (TABLE + "[retry]\nattempts = 0\n", "attempts"),
        (TABLE + "[retry]\nbackoff = -1\n", "backoff"),
        (TABLE + "[run]\npassword = \"x\"\n", "unknown password"),
        (TABLE + '[limits."a.example"]\nrequests = "many"\n', "requests"),
        (TABLE + '[limits."a.example"]\nrequests = 0\n', "requests"),
        (TABLE + '[limits."a.example"]\nconnections = 0\n', "connections"),
        (TABLE + '[limits."a.example"]\nspeed = 0\n', "unknown speed"),
        (TABLE.replace("b.example", "b example"), "b example"),
    ],
)  # fmt: skip
def test_other_things_are_refused_by_name(tmp_path, text, reason):
    path = tmp_path / "mirror.toml"
    path.write_text(text)
    with pytest.raises(InvalidConfigurationError, match=reason) as caught:
        read_rules(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InvalidConfigurationError, match="cannot be read"):
        read_rules(tmp_path / "mirror.toml")
