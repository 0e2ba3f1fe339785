"""The command: rules from a file, registries on sockets, a ledger on disk."""

from __future__ import annotations

import json

import pytest

from oras_adapters.factory import compose
from oras_adapters.mirroring.command import main
from oras_adapters.registry_server import RegistryServer
from oras_core.testing.contracts.content_access import push_artifact
from oras_core.testing.registry.registry import EmbeddedRegistry

RULES = """
[run]
executor = "threads"
workers = 1
jobs = 2

[retry]
backoff = 0.0
attempts = 2
max_failures = 2

[limits."{destination}"]
requests = 100000
bytes = 1000000000
connections = 4

[[mirror]]
source = "{source}"
destination = "{destination}/copies"
repositories = ["team/*"]
"""


@pytest.fixture
def servers():
    with (
        RegistryServer(EmbeddedRegistry()) as source,
        RegistryServer(EmbeddedRegistry()) as destination,
    ):
        yield source, destination


@pytest.fixture
def rules(servers, tmp_path):
    source, destination = (server.address for server in servers)
    path = tmp_path / "mirror.toml"
    path.write_text(RULES.format(source=source, destination=destination))
    with compose() as parts:
        for name in ("team/a", "team/b", "other/c"):
            repository = parts.repository(f"{source}/{name}")
            document = push_artifact(repository, name.encode() * 2000)
            repository.tag(document.descriptor.plain(), "v1")
    return path


def test_a_mirror_is_run_verified_and_run_again(rules, servers, capsys):
    assert main([str(rules), "--json"]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report["complete"]
    assert (report["totals"]["done_tags"], report["totals"]["repositories"]) == (2, 2)
    assert "tags" in captured.err
    assert main([str(rules), "--verify", "--deep"]) == 0
    assert capsys.readouterr().out == "no difference\n"
    assert main([str(rules), "--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "2 tags of 2 repositories are mirrored." in captured.out
    assert "0 blobs and manifests were moved (0 B)" in captured.out
    with compose() as parts:
        found = parts.registry(servers[1].address).catalog()
        assert list(found) == ["copies/team/a", "copies/team/b"]


def test_what_differs_is_told(rules, servers, capsys):
    with compose() as parts:
        repository = parts.repository(f"{servers[1].address}/copies/team/b")
        document = push_artifact(repository, b"another")
        repository.tag(document.descriptor.plain(), "v1")
    assert main([str(rules), "--verify"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert any("team/a: the tag v1 is missing" in line for line in lines)
    assert any("team/b: the tag v1 names another artifact" in line for line in lines)
    assert lines[-1] == "2 differences"
    assert main([str(rules), "--verify", "--json"]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted((one["kind"], one["repository"], one["name"]) for one in found) == [
        ("other", f"{servers[1].address}/copies/team/b", "v1"),
        ("tag", f"{servers[1].address}/copies/team/a", "v1"),
    ]
    assert main([str(rules), "--quiet"]) == 0
    capsys.readouterr()
    assert main([str(rules), "--verify", "--json"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--deep"], "--deep needs --verify"),
        (["--verify", "--retry-failed"], "--retry-failed has no use"),
    ],
)
def test_options_that_do_not_go_together_are_refused(rules, capsys, options, told):
    with pytest.raises(SystemExit, match="2"):
        main([str(rules), *options])
    assert told in capsys.readouterr().err


def test_failed_jobs_of_other_rules_are_not_repeated(rules, capsys):
    assert main([str(rules), "--retry-failed"]) == 2
    assert "begin a run first" in capsys.readouterr().err
    assert main([str(rules), "--quiet"]) == 0
    assert main([str(rules), "--quiet", "--retry-failed"]) == 0
    rules.write_text(rules.read_text().replace("team/*", "other/*"))
    assert main([str(rules), "--quiet", "--retry-failed"]) == 2


def test_rules_that_cannot_be_used_are_told(tmp_path, capsys):
    path = tmp_path / "mirror.toml"
    path.write_text('[[mirror]]\nsource = "a.example"\ndestination = "b.example"\ntag = ["x"]\n')
    assert main([str(path)]) == 2
    error = capsys.readouterr().err
    assert "unknown tag" in error
    assert "exclude_tags" in error
