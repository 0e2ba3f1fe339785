"""Every example does what it says: run as its reader would, against a real registry."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from oras_adapters.registry_server import RegistryServer
from oras_core.testing import EmbeddedRegistry
from support.counting_proxy import CountingProxy
from support.modules import require_module

EXAMPLES = Path(__file__).parents[2] / "examples"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Finished:
    """What a program wrote, with digests and the registry's address made the same for all."""

    def __init__(self, run, address):
        self.status = run.returncode
        self.errors = run.stderr
        text = DIGEST.sub("DIGEST", run.stdout)
        self.lines = text.replace(address, "REGISTRY").splitlines() if address else text.split("\n")


@pytest.fixture
def run(tmp_path):
    """Run an example in an empty home."""

    def call(name, *arguments, text="", timeout=60, **environment):
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        finished = subprocess.run(
            [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            cwd=tmp_path,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "PYTHONPATH": path,
                "HOME": str(tmp_path),
                "TMPDIR": str(tmp_path),
                **environment,
            },
        )
        return Finished(finished, arguments[0] if arguments else "")

    return call


@pytest.fixture
def lines(run):
    """Run an example that must succeed; give what it printed."""

    def call(*arguments, **options):
        finished = run(*arguments, **options)
        assert finished.status == 0, finished.errors
        assert finished.errors == ""
        return finished.lines

    return call


@pytest.fixture
def left_behind(tmp_path):
    yield
    assert sorted(path.name for path in tmp_path.iterdir()) in ([], [".docker"])


pytestmark = pytest.mark.usefixtures("left_behind")


def test_quickstart(lines):
    output = lines("quickstart.py")
    assert "6. All files are equal, byte for byte." in output


def test_custom_provider(lines, open_registry):
    assert lines("custom_provider.py", open_registry.address) == [
        "pushed REGISTRY/examples/recipe:v1 as DIGEST",
        "  text/markdown: recipe.md",
        "  application/vnd.example.pictures.tar+gzip: pictures",
        "pulled copy/recipe.md",
        "pulled copy/pictures",
    ]


def test_mirror(lines, open_registry):
    with RegistryServer(EmbeddedRegistry()) as other:
        first, second, third, changed = lines("mirror.py", open_registry.address, other.address)
    # A common file, two configs, three notes, three manifests, the signature.
    assert re.fullmatch(
        r"first run: 3 tags, 3 created: moved 9 \(.*\), skipped 0, mounted 0", first
    )
    assert second == "second run: 3 tags, 0 created: moved 0 (0 bytes), skipped 4, mounted 0"
    # The corrected notes, and their manifest.
    assert third.startswith("third run: 3 tags, 1 created: moved 2 (")
    assert changed == "tags that changed: v3"


def test_mirror_within_one_registry(lines, open_registry):
    first, *_ = lines("mirror.py", open_registry.address, open_registry.address)
    # No blob moves: the registry mounts them.
    assert first.startswith("first run: 3 tags, 3 created: moved 4 (")
    assert first.endswith("mounted 5")


def test_platforms(lines, open_registry):
    assert lines("platforms.py", open_registry.address) == [
        "DIGEST offers linux/amd64, linux/arm64",
        "I run on linux/arm64.",
    ]


def test_own_token(lines, run, token_registry):
    access = [{"type": "repository", "name": "team/report", "actions": ["pull", "push"]}]
    signer = token_registry.token_server.signer
    arguments = ("own_token.py", token_registry.address, "team/report")
    token = signer.sign("pipeline", "registry.test", access, 300)
    with token_registry.token_server.recording() as asked:
        output = lines(*arguments, REGISTRY_TOKEN=token)
    assert output == [
        "tags of team/report: v1",
    ]
    assert asked == []

    refused = run(*arguments, REGISTRY_TOKEN="not a token")
    assert refused.status != 0
    assert "not a token" not in refused.errors


def test_login_logout(lines, run, htpasswd_registry):
    arguments = ("login_logout.py", htpasswd_registry.address, htpasswd_registry.username)
    assert lines(*arguments, text=f"{htpasswd_registry.password}\n") == [
        "tags: v1",
        "Logged out: the registry asks for a credential.",
    ]
    refused = run(*arguments, text="wrong\n")
    assert refused.status != 0
    assert "rejects writer" in refused.errors
    assert "wrong" not in refused.errors


def test_attach_sbom(lines, open_registry):
    assert lines("attach_sbom.py", open_registry.address) == [
        "application/vnd.example.sbom+json DIGEST",
        "application/vnd.example.signature DIGEST",
        "made by hand: ['sh']",
    ]


def test_promote_by_digest(lines, open_registry):
    with RegistryServer(EmbeddedRegistry()) as other:
        assert lines("promote_by_digest.py", open_registry.address, other.address) == [
            "promoted the tested artifact: True",
            "tags in production: 1.0, stable",
            "attached in production: application/vnd.example.test-report",
        ]


def test_backup_restore(lines, open_registry):
    assert lines("backup_restore.py", open_registry.address) == [
        "backup: v1; equal: True; attached: 1",
        "backup.tar: v1; equal: True; attached: 1",
    ]


def test_push_sources(lines, open_registry):
    assert lines("push_sources.py", open_registry.address) == ["pushed 6 files as DIGEST"]


@pytest.mark.long
def test_async_service(lines, open_registry):
    moved, late = lines("async_service.py", open_registry.address, "8")
    assert moved == "moved 8 MiB and handled 200 requests"
    assert re.fullmatch(r"the event loop was late by \d+ ms at most in 99 %", late)


@pytest.mark.skipif("ORAS_LARGE_BLOBS" not in os.environ, reason="tox -e service moves 1 GiB")
def test_event_loop_stays_responsive_during_a_large_transfer(lines, open_registry):
    _, late = lines("async_service.py", open_registry.address, "1024", timeout=300)
    assert int(re.findall(r"late by (\d+) ms", late)[0]) < 50
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 150 * 1024


# --- Artifacts as data --------------------------------------------------------------------


class RecordingRegistry(EmbeddedRegistry):
    """The embedded registry, with the recording that `DockerRegistry` has."""

    @contextmanager
    def recording(self):
        requests = []
        yield requests
        requests.extend(self.requests)


@pytest.fixture(params=["docker-registry", "embedded"])
def recorded(request):
    """A registry, and a proxy in front of it that counts bytes."""
    if request.param == "docker-registry":
        registry = request.getfixturevalue("open_registry")
        with CountingProxy(registry.address) as proxy:
            yield registry, proxy
    else:
        registry = RecordingRegistry()
        with RegistryServer(registry) as server, CountingProxy(server.address) as proxy:
            yield registry, proxy


def fetched_blobs(requests):
    return [one.path for one in requests if one.method == "GET" and "/blobs/sha256:" in one.path]


@pytest.mark.slow
def test_parquet_column(lines, recorded):
    require_module("pyarrow")
    registry, proxy = recorded
    with registry.recording() as requests, proxy.counting() as count:
        output = lines("data/parquet_column.py", proxy.address)
    assert output == ["50000 prices, 0.50 on average, from a file of 16 MB"]
    # The footer, and the column.
    assert len(fetched_blobs(requests)) <= 3
    assert count.down < 16_000_000 * 0.05


@pytest.mark.slow
def test_zarr_array(lines, recorded):
    require_module("zarr")
    registry, proxy = recorded
    with registry.recording() as requests:
        output = lines("data/zarr_array.py", proxy.address)
    assert output == [
        "read (100, 100) of (1000, 1000), which has 16 chunks",
        "the first number is 200100",
    ]
    # The metadata, and the two chunks that the part is in.
    assert len(fetched_blobs(requests)) == 3


def test_cached_epochs(lines, recorded):
    registry, proxy = recorded
    with registry.recording() as requests:
        output = lines("data/cached_epochs.py", proxy.address, "3")
    assert output == [f"epoch {number}: 4 batches, 320000 bytes" for number in (1, 2, 3)]
    # Each of the files is fetched once. Nothing is sent after the first epoch has fetched them.
    blobs = fetched_blobs(requests)
    assert len(blobs) == len(set(blobs)) == 32
    assert requests[-1].path in blobs
    manifests = [one for one in requests if one.method == "GET" and "/manifests/" in one.path]
    assert len(manifests) == 1


def test_every_example_is_tested():
    source = Path(__file__).read_text(encoding="utf-8")
    paths = {*EXAMPLES.glob("*.py"), *EXAMPLES.glob("data/*.py")}
    names = {path.relative_to(EXAMPLES).as_posix() for path in paths}
    assert names == {name for name in names if f'"{name}"' in source}
