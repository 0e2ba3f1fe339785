"""The benchmark beside other clients works, from the registry's start to the table."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.processes import run_python
from support.programs import require_program

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "performance.py"
pytestmark = pytest.mark.long

STEPS = [
    "push a file of 1 MiB",
    "push a file of 1 MiB again",
    "pull a file of 1 MiB",
    "pull a file of 1 MiB again",
    "push 10 files of 16 KiB",
    "push 10 files of 16 KiB again",
    "pull 10 files of 16 KiB",
    "pull 10 files of 16 KiB again",
    "push a folder of 10 text files",
    "pull a folder of 10 text files",
    "push 3 files of 16 KiB over a line of 2 ms",
    "pull 3 files of 16 KiB over a line of 2 ms",
    "push a file of 1 MiB over a line of 2 ms at 25 MB/s a connection",
    "pull a file of 1 MiB over a line of 2 ms at 25 MB/s a connection",
    "push a file of 1 MiB, over HTTPS",
    "pull a file of 1 MiB, over HTTPS",
    "push 10 files of 16 KiB, over HTTPS",
    "pull 10 files of 16 KiB, over HTTPS",
    "push a file of 1 MiB, digests kept",
    "push a file of 1 MiB, digests kept again",
    "pull a file of 1 MiB, digests kept",
    "pull a file of 1 MiB, digests kept again",
    "list 20 tags",
    "start and import, nothing else",
]


def quick(*options: str, **environment: str) -> str:
    return run_python(str(BENCHMARK), "--quick", *options, **environment)


def rows_of(printed: str, heading: str) -> list[list[str]]:
    part = printed.partition(f"### {heading}\n")[2].partition("\n#")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.fixture(autouse=True)
def _registry_program():
    require_program("docker-registry")


def test_quick_mode_measures_every_step():
    require_program("curl")
    printed = quick("--clients", "oras-sdk,curl")
    assert "Not measured" not in printed
    assert [row[0] for row in rows_of(printed, "Ratios")] == STEPS
    clients = [row[1] for row in rows_of(printed, "Every number")]
    assert clients == ["curl", "oras-sdk"] * (len(STEPS) - 1) + ["oras-sdk"]
    requests = {(row[0], row[1]): row[-1] for row in rows_of(printed, "Every number")}
    # Two for each file and the config, and one for the manifest.
    assert requests["push 10 files of 16 KiB", "curl"] == "23"
    assert requests["push a file of 1 MiB again", "curl"] == "2"


def test_missing_clients_are_omitted_with_installation_advice(tmp_path):
    program = tmp_path / "docker-registry"
    program.symlink_to(require_program("docker-registry"))
    printed = quick("--only", "tags", PATH=str(tmp_path), ORAS_PEER_PYTHON="")
    assert [row[1] for row in rows_of(printed, "Every number")] == ["oras-sdk"]
    notes = [line for line in printed.splitlines() if line.startswith("Not measured")]
    assert len(notes) == 5
    assert "Not measured: skopeo (Debian: apt-get install skopeo)." in notes


def test_failing_client_is_reported_and_the_others_are_measured(tmp_path):
    curl = tmp_path / "curl"
    curl.write_text('#!/bin/sh\n[ "$1" = --version ] && echo curl 8.0.0 && exit\necho no; exit 7\n')
    curl.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    printed = quick("--only", "line", "--clients", "oras-sdk,curl", PATH=path)
    assert [row[1] for row in rows_of(printed, "Every number")] == ["oras-sdk"] * 2
    assert (
        printed.count("Not measured: curl, 3 files of 16 KiB over a line of 2 ms: ended with 7")
        == 2
    )
