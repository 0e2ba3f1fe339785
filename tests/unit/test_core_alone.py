"""The core with a transport of ten lines: no socket, no urllib3, no keyring."""

from __future__ import annotations

from support.processes import run_python

PROGRAM = """
import socket, sys

def refuse(*_, **__):
    raise AssertionError("the core opened a socket")

socket.socket = refuse
sys.modules["urllib3"] = None
sys.modules["keyring"] = None

from oras_core.verbs.pull import pull
from oras_core.verbs.push import Directory, File
from oras_core.verbs.push import push as push_artifact
from oras_core.content.sources import BytesSource
from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.registry.registry import RemoteRegistry
from oras_core.testing import MemoryFileTree
import io

MANIFEST = "application/vnd.oci.image.manifest.v1+json"

class Dictionary:
    def __init__(self):
        self.stored = {}
    def send(self, request: HttpRequest) -> HttpResponse:
        name = request.url.rpartition("/")[2].rpartition("digest=")[2].replace("%3A", ":")
        if request.method == "POST":
            return HttpResponse(202, {"Location": "/upload"}, body=io.BytesIO())
        if request.method == "PUT":
            self.stored[name] = request.body.open().read()
            return HttpResponse(201, body=io.BytesIO())
        found = self.stored.get(name, b"")
        headers = {"Content-Type": MANIFEST}
        return HttpResponse(200 if found else 404, headers, body=io.BytesIO(found))

repository = RemoteRegistry("registry.test", Dictionary()).repository("demo/app")
contents = {"hello.txt": b"hello", "b.bin": b"b" * 100000}
files = [File(title, BytesSource(content)) for title, content in contents.items()]
push_artifact(repository, "v1", files, scratch=MemoryFileTree())
folder = MemoryFileTree()
pulled = pull(repository, "v1", folder)
for file, path in zip(files, pulled.files, strict=True):
    assert folder.open(path).read() == file.source.content
loaded = {name.partition(".")[0] for name in sys.modules}
assert "oras_adapters" not in loaded and "oras" not in loaded, loaded
print("pushed and pulled", len(pulled.files))
"""


def test_push_and_pull_need_nothing_but_a_transport():
    assert run_python("-c", PROGRAM) == "pushed and pulled 2\n"
