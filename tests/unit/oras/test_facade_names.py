"""The names that a user sees, and those that programs for oras-py import all the same."""

from __future__ import annotations

import importlib
import json
import pydoc
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

import oras.auth.ecr
import oras.client
import oras.layout.layout
import oras.provider
from support.modules import require_module

# `oras_py_names.json` lists all names in the modules and classes of oras-py 0.2.43, private
# ones and imported ones included.
NAMES = json.loads(Path(__file__).with_name("oras_py_names.json").read_text(encoding="utf-8"))

LEFT_OUT = {
    "oras": {"tests"},  # its test-suite
    "oras.layout.layout.Layout": {  # steps of an implementation that is not ours
        "_create_layer_dict",
        "_process_manifest",
        "_pull_index_blobs",
        "_pull_manifest_blobs",
    },
}


def find(path):
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("module", NAMES["modules"])
def test_modules_have_every_name_of_oras_py(module):
    names = set(NAMES["modules"][module].split()) - LEFT_OUT.get(module, set())
    found = importlib.import_module(module)
    assert {name for name in names if not hasattr(found, name)} == set()


@pytest.mark.parametrize("path", NAMES["classes"])
def test_classes_have_every_member_of_oras_py(path):
    members = set(NAMES["classes"][path].split())
    missing = {name for name in members if not hasattr(find(path), name)}
    left_out = LEFT_OUT.get(f"oras.layout.layout.{path.rpartition('.')[2]}", set())
    assert missing == left_out & members


def test_names_imported_by_known_programs_exist():
    from oras.auth.ecr import container_type as in_ecr
    from oras.layout.layout import _validate_index_json, logger, read_json, write_json
    from oras.provider import PathAndOptionalContent, container_type, decorator, login

    assert in_ecr is container_type is oras.types.container_type
    assert decorator is oras.decorator
    assert login is oras.main.login
    assert PathAndOptionalContent is oras.utils.fileio.PathAndOptionalContent
    assert (read_json, write_json) == (oras.utils.read_json, oras.utils.write_json)
    assert logger is oras.logger.logger
    with pytest.raises(FileNotFoundError):
        _validate_index_json(Path("/nonexistent"))


def test_requests_can_be_patched_if_installed():
    require_module("requests")
    with mock.patch("oras.provider.requests") as patched:
        assert oras.provider.requests is patched
    assert oras.provider.requests.__name__ == "requests"


def test_incidental_name_of_a_missing_library_is_an_attribute_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(AttributeError, match=r"module 'oras\.provider' has no 'requests'"):
        oras.provider.requests  # noqa: B018


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        oras.provider.nothing  # noqa: B018


def test_incidental_names_are_not_imported_until_used():
    program = (
        "import sys, oras.client, oras.provider, oras.auth.ecr, oras.layout.layout\n"
        "print(sorted({'requests', 'jsonschema', 'subprocess', 'tarfile'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"


def visible(module):
    return [name for name in dir(module) if not name.startswith("__")]


def test_dir_lists_the_public_names():
    assert visible(oras.client) == ["OrasClient"]
    assert visible(oras.provider) == ["Registry", "logger", "temporary_empty_config"]
    for module in ("auth", "container", "decorator", "layout", "oci", "types", "utils.request"):
        found = importlib.import_module(f"oras.{module}")
        assert visible(found) == sorted(found.__all__)


def test_help_of_the_client_shows_its_methods():
    text = pydoc.plain(pydoc.render_doc(oras.client))
    assert "class Registry" in text
    for method in ("push(", "pull(", "login(", "get_tags("):
        assert method in text
