"""Programs written for oras-py, in the shapes in which people write them, run unchanged.

Each program runs twice, with oras-py and with this library, and says the same.
"""

from __future__ import annotations

import json

import pytest

from support.peer_oras import run_peer
from support.processes import run_python

SESSION_AND_DOWNLOAD = """
import json, os, sys
import requests
import oras.defaults, oras.provider
from oras.decorator import ensure_container
from requests.adapters import HTTPAdapter

target, folder = sys.argv[1:]
os.chdir(folder)


class MirrorRegistry(oras.provider.Registry):
    '''Keeps a session of its own, and reports every download.'''

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.session = requests.Session()
        self.session.headers.update({"User-Agent": "mirror/1.0"})
        self.session.mount("http://", HTTPAdapter(max_retries=3))
        self.downloads = []

    @ensure_container
    def download_blob(self, container, digest, outfile):
        os.makedirs(os.path.dirname(outfile), exist_ok=True)
        with self.get_blob(container, digest, stream=True) as response:
            response.raise_for_status()
            with open(outfile, "wb") as file:
                for chunk in response.iter_content(chunk_size=8192):
                    if chunk:
                        file.write(chunk)
        self.downloads.append(os.path.basename(outfile))
        return outfile


client = MirrorRegistry(insecure=True)
client.push(target=target, files=["one.txt", "two.txt"])
paths = client.pull(target=target, outdir="out")
print(json.dumps({
    "downloads": client.downloads,
    "paths": [os.path.relpath(path) for path in paths],
    "contents": [open(path).read() for path in paths],
    "agent": client.session.headers["User-Agent"],
}))
"""

DO_REQUEST = """
import json, os, sys
import oras.provider

target, folder = sys.argv[1:]
os.chdir(folder)


class CountingRegistry(oras.provider.Registry):
    '''Sends a header of its own, and keeps a record of what was asked.'''

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.methods = set()

    def do_request(self, url, method="GET", data=None, headers=None, json=None, stream=False):
        headers = dict(headers or {})
        headers["X-Request-Source"] = "counting"
        response = super().do_request(
            url, method, data=data, headers=headers, json=json, stream=stream
        )
        self.methods.add(method)
        if response.status_code >= 500:
            raise RuntimeError("the registry is down")
        return response


client = CountingRegistry(insecure=True)
response = client.push(target=target, files=["one.txt"])
paths = client.pull(target=target, outdir="out")
print(json.dumps({
    "status": response.status_code,
    "tags": client.get_tags(target),
    "content": open(paths[0]).read(),
    "methods": sorted(client.methods & {"GET", "POST", "PUT"}),
}))
"""

WRAPPER = """
import json, os, sys
import oras.client

target, folder = sys.argv[1:]
os.chdir(folder)


class ArtifactStore:
    '''Hides the client behind two verbs and one kind of failure.'''

    def __init__(self, registry, tls_verify=True, insecure=False, auth_backend="token"):
        self.registry = registry
        self.client = oras.client.OrasClient(
            hostname=registry, tls_verify=tls_verify, insecure=insecure, auth_backend=auth_backend
        )

    def save(self, name, files, annotations=None):
        try:
            response = self.client.push(
                target=f"{self.registry}/{name}",
                files=files,
                manifest_annotations=annotations or {},
                disable_path_validation=True,
            )
        except (ValueError, FileNotFoundError) as error:
            return f"not saved: {error}"
        return response.headers["Docker-Content-Digest"][:7]

    def load(self, name, outdir):
        try:
            paths = self.client.pull(f"{self.registry}/{name}", outdir=outdir)
        except ValueError as error:
            return str(error).startswith("Issue with http") and ": Not Found" in str(error)
        return [os.path.basename(path) for path in paths]


registry, _, name = target.partition("/")
results = {}
for backend in ("token", "basic"):
    os.environ["ORAS_USER"], os.environ["ORAS_PASS"] = "somebody", "something"
    store = ArtifactStore(registry, insecure=True, auth_backend=backend)
    results[backend] = {
        "saved": store.save(name, ["one.txt"], {"org.example.team": "dinosaurs"}),
        "loaded": store.load(name, "out-" + backend),
        "absent": store.load(name.replace(":", ":absent-"), "out"),
        "missing": store.save(name, ["nowhere.txt"]),
        "annotation": store.client.get_manifest(target)["annotations"]["org.example.team"],
    }
print(json.dumps(results))
"""


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        pytest.param(
            SESSION_AND_DOWNLOAD,
            {
                "downloads": ["one.txt", "two.txt"],
                "paths": ["out/one.txt", "out/two.txt"],
                "contents": ["one", "two"],
                "agent": "mirror/1.0",
            },
            id="a session and download_blob replaced",
        ),
        pytest.param(
            DO_REQUEST,
            {"status": 201, "tags": ["v1"], "content": "one", "methods": ["GET", "POST", "PUT"]},
            id="do_request replaced",
        ),
        pytest.param(
            WRAPPER,
            {
                backend: {
                    "saved": "sha256:",
                    "loaded": ["one.txt"],
                    "absent": True,
                    "missing": "not saved: nowhere.txt does not exist.",
                    "annotation": "dinosaurs",
                }
                for backend in ("token", "basic")
            },
            id="wrapped, and ValueError caught",
        ),
    ],
)
def test_program_for_oras_py_runs_unchanged(
    program, expected, open_registry, repository_name, peer_oras, tmp_path
):
    for name in ("peer", "ours"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "one.txt").write_text("one")
        (folder / "two.txt").write_text("two")
        target = f"{open_registry.address}/{repository_name}-{name}:v1"
        if name == "peer":
            printed = run_peer(peer_oras, folder, program, target, folder)
        else:
            printed = run_python("-c", program, target, str(folder))
        assert json.loads(printed.splitlines()[-1]) == expected, name
