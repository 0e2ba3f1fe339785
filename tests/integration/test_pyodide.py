"""The core in Pyodide: Python in WebAssembly without threads and sockets, over `fetch`."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from oras_adapters.client.client import Client
from oras_adapters.registry_server import RegistryServer
from oras_core.testing import EmbeddedRegistry
from support.programs import skip_or_fail

RECIPE = Path(__file__).parents[2] / "examples" / "browser"
PYODIDE = "pyodide@0.28.3"
MODULES = ("oras_core", "attr", "attrs", "cattrs", "cattr", "typing_extensions")

RUN = """
import {{ loadPyodide }} from "pyodide";
const python = await loadPyodide();
const folders = {folders};
folders.forEach((folder, number) => {{
  const mounted = "/packages/" + number;
  python.FS.mkdirTree(mounted);
  python.mountNodeFS(mounted, folder);
  python.runPython(`import sys; sys.path.append("${{mounted}}")`);
}});
try {{
  await python.runPythonAsync({program});
}} catch (error) {{
  console.error(error.message);
  process.exitCode = 1;
}}
"""

PROGRAM = """
import threading
from pathlib import PurePosixPath
from fetch_transport import FetchTransport
from oras_core import FileStore, MemoryStore, RemoteRegistry, copy, pull, push
from oras_core.content.sources import BytesSource
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.verbs.push import File

try:
    threading.Thread(target=print).start()
    raise AssertionError("threads can be started here")
except RuntimeError:
    pass

registry = RemoteRegistry("{address}", FetchTransport(redirect="manual"), plain_http=True)
repository = registry.repository("team/page")
assert list(repository.tags()) == ["v1"]
tree = MemoryFileTree()
pull(repository, "v1", tree)
assert tree.open(PurePosixPath("report.txt")).read() == {report!r}, tree
push(repository, "v2", File("answer.bin", BytesSource(b"x" * 300_000)))
store = MemoryStore()
copied = copy(repository, "v2", store)
print(copied.root.digest)
"""


def folders_of(*modules: str) -> list[str]:
    """Return the folders that make the modules importable."""
    origins = [importlib.util.find_spec(module).origin for module in modules]
    return sorted(
        {str(Path(origin).parents[Path(origin).name == "__init__.py"]) for origin in origins}
    )


@pytest.mark.long
def test_core_pushes_and_pulls_in_pyodide(tmp_path):
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        pytest.skip("node and npm are not installed (Debian: apt-get install nodejs npm)")
    install = subprocess.run(
        [npm, "install", "--no-fund", "--no-audit", PYODIDE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if install.returncode != 0:
        skip_or_fail(f"npm cannot install {PYODIDE}: {install.stderr}")
    report = os.urandom(200_000)
    (tmp_path / "report.txt").write_bytes(report)
    with RegistryServer(EmbeddedRegistry()) as server, Client() as client:
        place = f"{server.address}/team/page"
        client.push(f"{place}:v1", [tmp_path / "report.txt"])
        program = PROGRAM.format(address=server.address, report=report)
        script = tmp_path / "run.mjs"
        folders = [*folders_of(*MODULES), str(RECIPE)]
        script.write_text(RUN.format(folders=json.dumps(folders), program=json.dumps(program)))
        run = subprocess.run(
            [node, "--experimental-wasm-stack-switching", str(script)],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert run.returncode == 0, (run.stdout + run.stderr)[-2000:]
        assert run.stdout.strip() == str(client.resolve(f"{place}:v2").digest)
        assert client.read(f"{place}:v2", "answer.bin") == b"x" * 300_000
