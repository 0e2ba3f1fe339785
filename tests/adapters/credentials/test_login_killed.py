"""A login that is killed at any point leaves the whole old or the whole new configuration.

A separate program logs in repeatedly. Each time it is killed one step later: at every line of
code that writes the file, at every byte on the disk, and at every system call that Python reports.
"""

from __future__ import annotations

import json
import sys

import pytest

from support.processes import run_python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it forks and sends signals")

PROGRAM = """
from __future__ import annotations
import json, os, pathlib, resource, signal, sys
from pathlib import Path
import shutil, tempfile

from oras_adapters.credentials import docker_config
from oras_adapters.credentials.docker_config import DockerConfigStore
from oras_core.verbs import login
from oras_core.ports.credentials import Credential
from oras_core.registry.registry import RemoteRegistry
from oras_core.credentials import StaticCredentials
from oras_core.testing import EmbeddedRegistry

how, folder, old = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
config = folder / "docker" / "config.json"
ALICE = Credential("alice", "open sesame")
registry = RemoteRegistry(
    "r.example",
    EmbeddedRegistry(users={"alice": "open sesame"}),
    credentials=StaticCredentials(ALICE),
)

def log_in():
    login.login(registry, ALICE, DockerConfigStore(config))

def begin():
    shutil.rmtree(folder / "docker", ignore_errors=True)
    if old:
        config.parent.mkdir()
        config.write_text(old)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def by_line(step):
    files = {module.__file__ for module in (docker_config, login, pathlib, tempfile)}
    touching = ("open", "write_text", "write_bytes", "replace", "rename", "unlink", "mkdir")
    def trace(frame, event, _):
        nonlocal step
        code = frame.f_code
        if code.co_filename not in files:
            return None
        if code.co_filename == pathlib.__file__ and code.co_name not in touching:
            return None
        step -= 1
        if step < 0:
            die()
        return trace
    sys.settrace(trace)

def by_call(step):
    def hook(event, _):
        nonlocal step
        if event.startswith(("open", "os.", "fcntl.", "tempfile.")) and event != "os.kill":
            step -= 1
            if step < 0:
                die()
    sys.addaudithook(hook)
    # Reported to no hook.
    for name in ("fsync", "close"):
        call = getattr(os, name)
        def counted(*arguments, name=name, call=call):
            hook(f"os.{name}", ())
            result = call(*arguments)
            hook(f"os.{name}", ())
            return result
        setattr(os, name, counted)

def by_byte(step):
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel kills a process that writes too much
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (step, step))

begin()
log_in()
new = config.read_text()
results = {"old": 0, "new": 0, "steps": 0, "litter": 0}
while True:
    begin()
    child = os.fork()
    if child == 0:
        {"line": by_line, "call": by_call, "byte": by_byte}[how](results["steps"])
        log_in()
        sys.settrace(None)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    found = config.read_text() if config.exists() else ""
    assert found in (old, new), (results["steps"], found)
    results["new" if found == new else "old"] += 1
    results["litter"] += bool(config.parent.is_dir() and list(config.parent.glob(".*.tmp")))
    if os.waitstatus_to_exitcode(status) == 0:
        assert found == new
        break
    assert os.waitstatus_to_exitcode(status) in (-signal.SIGKILL, -signal.SIGXFSZ)
    # The next login succeeds: no lock is held, and no partial file is read.
    log_in()
    assert json.loads(config.read_text()) == json.loads(new)
    results["steps"] += 1
print(json.dumps(results))
"""

OLD = json.dumps(
    {"auths": {"other.example": {"auth": "eDp5"}}, "credHelpers": {"gcr.io": "gcloud"}, "x": [1]}
)


@pytest.mark.parametrize("old", ["", OLD], ids=["no-file", "file"])
@pytest.mark.parametrize(("how", "least"), [("line", 60), ("call", 8), ("byte", 60)])
def test_killed_login_leaves_a_whole_configuration(tmp_path, how, least, old):
    results = json.loads(run_python("-c", PROGRAM, how, str(tmp_path), old))
    assert results["steps"] >= least
    # Both outcomes occur, or nothing was shown; and a kill in the middle of writing happened.
    assert results["old"] > 1
    assert results["new"] >= 1
    assert results["litter"] > 0
