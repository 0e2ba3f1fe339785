"""Every Python block of the user guide runs, in order, as a reader would run it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oras_adapters.registry_server import RegistryServer
from oras_core.testing import EmbeddedRegistry
from support.console import run_console

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "user-guide.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guide")
    with (
        RegistryServer(EmbeddedRegistry()) as public,
        RegistryServer(EmbeddedRegistry(users={"meteorologist": "cirrus"})) as guarded,
    ):
        addresses = {"localhost:5001": public.address, "localhost:5002": guarded.address}
        parts = []
        for number, (language, text) in enumerate(BLOCKS, start=1):
            if language == "python":
                code = text
                for theirs, ours in addresses.items():
                    code = code.replace(theirs, ours)
                parts.append((f"block {number}", code))
        run = run_console(parts, folder, {})
    output = run.output
    for theirs, ours in addresses.items():
        output = output.replace(ours, theirs)
    return run, output


def test_every_block_runs(ran):
    run, _ = ran
    assert run.status == 0, run.errors


def test_push_prints_the_line_quoted_in_the_guide(ran):
    _, output = ran
    lines = [line for line in output.splitlines() if line.startswith("Successfully")]
    assert lines == ["Successfully pushed localhost:5001/weather/vienna:monday"]
    assert lines[0] in GUIDE


def test_debug_output_of_the_guide_appears(ran):
    run, _ = ran
    assert "The next request is shown in detail." in run.errors


def test_all_other_blocks_are_shell_commands():
    assert {language for language, _ in BLOCKS} == {"python", "sh"}


def test_guide_names_every_call_of_the_specification():
    for name in (
        *("OrasClient", "Registry", "ensure_container", "get_container", "ManifestConfig"),
        *("NewLayer", "NewManifest", "Annotations", "annotation_title", "upload_blob"),
        *("upload_manifest", "get_tags", "delete_tags", "push", "pull", "get_manifest", "get_blob"),
        *("download_blob", "sanitize_path", "make_targz", "workdir", "login", "logout"),
        *("auth_backend", "setup_logger", "_check_200_response"),
    ):
        assert re.search(rf"\b{name}\b", GUIDE), name
