"""Clients of other projects with the embedded registry: plain HTTP and TLS, Basic and tokens."""

from __future__ import annotations

import hashlib
import json
import subprocess

import pytest

from oras_adapters.files.local_files import LocalFileTree
from oras_adapters.registry_server import RegistryServer
from oras_core.testing import EmbeddedRegistry, TokenService
from support.certificates import write_certificates
from support.peer_oras import run_peer
from support.programs import require_program

pytestmark = pytest.mark.slow

USER, PASSWORD = "alice", "open sesame"
BLOB = b"the content of a blob\n" * 50_000


class World:
    """A registry with storage, as a client sees it."""

    def __init__(self, server, access, storage, ca_file):
        self.access = access
        self.address = server.address
        self.url = server.url
        self.storage = storage
        self.ca_file = ca_file

    def certificates(self, tmp_path):
        """The folder of authorities for skopeo."""
        folder = tmp_path / "authorities"
        folder.mkdir(exist_ok=True)
        (folder / "ca.crt").write_bytes(self.ca_file.read_bytes())
        return folder


@pytest.fixture(scope="module", params=["http-basic", "http-token", "https-basic", "https-token"])
def world(request, tmp_path_factory):
    scheme, access = request.param.split("-")
    folder = tmp_path_factory.mktemp("world")
    certificates = write_certificates(folder)
    users = {USER: PASSWORD}
    registry = EmbeddedRegistry(
        LocalFileTree(folder / "storage", create=True),
        users=users if access == "basic" else None,
        token_service=TokenService(users) if access == "token" else None,
    )
    tls = certificates.server_context() if scheme == "https" else None
    # skopeo takes any port of 127.0.0.1 for plain HTTP, and checks the certificate of localhost.
    host = "localhost" if tls else "127.0.0.1"
    with RegistryServer(registry, host=host, tls=tls) as server:
        yield World(server, access, folder / "storage", certificates.ca_file)


@pytest.fixture
def umoci(tmp_path):
    program = require_program("umoci")

    def run(*arguments):
        done = subprocess.run(
            [program, *arguments], check=False, capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def image(umoci, tmp_path):
    """The OCI layout of an image with one layer, tagged v1."""
    layout = tmp_path / "image"
    umoci("init", "--layout", str(layout))
    umoci("new", "--image", f"{layout}:v1")
    (tmp_path / "file.txt").write_bytes(BLOB)
    umoci("insert", "--rootless", "--image", f"{layout}:v1", "file.txt", "/file.txt")
    return layout


def pushed_by_skopeo(world, skopeo, image, repository, tmp_path):
    options = ["--dest-creds", f"{USER}:{PASSWORD}"]
    if world.url.startswith("https"):
        options += ["--dest-cert-dir", world.certificates(tmp_path)]
    skopeo("copy", *options, f"oci:{image}:v1", f"docker://{world.address}/{repository}:v1")


def test_skopeo(world, skopeo, image, tmp_path):
    pushed_by_skopeo(world, skopeo, image, "skopeo/image", tmp_path)
    options = ["--src-creds", f"{USER}:{PASSWORD}"]
    if world.url.startswith("https"):
        options += ["--src-cert-dir", world.certificates(tmp_path)]
    place = f"docker://{world.address}/skopeo/image:v1"
    skopeo("copy", *options, place, f"oci:{tmp_path}/copy:v1")
    pushed, pulled = (
        json.loads((folder / "index.json").read_bytes())["manifests"][0]["digest"]
        for folder in (image, tmp_path / "copy")
    )
    assert pulled == pushed
    # The storage is a layout, too.
    stored = skopeo("inspect", "--raw", f"oci:{world.storage}/skopeo/image:v1")
    assert "sha256:" + hashlib.sha256(stored.encode()).hexdigest() == pushed


def test_umoci_reads_and_changes_the_storage(world, skopeo, umoci, image, tmp_path):
    pushed_by_skopeo(world, skopeo, image, "umoci/image", tmp_path)
    layout = world.storage / "umoci" / "image"
    assert umoci("ls", "--layout", str(layout)).split() == ["v1"]
    umoci("unpack", "--rootless", "--image", f"{layout}:v1", str(tmp_path / "bundle"))
    assert (tmp_path / "bundle" / "rootfs" / "file.txt").read_bytes() == BLOB
    umoci("config", "--image", f"{layout}:v1", "--tag", "v2", "--config.user", "nobody")
    options = ["--creds", f"{USER}:{PASSWORD}"]
    if world.url.startswith("https"):
        options += ["--cert-dir", world.certificates(tmp_path)]
    place = f"docker://{world.address}/umoci/image"
    assert json.loads(skopeo("list-tags", *options, place))["Tags"] == ["v1", "v2"]
    assert json.loads(skopeo("inspect", "--config", *options, f"{place}:v2"))["config"] == {
        "User": "nobody"
    }


def test_curl(world, tmp_path):
    program = require_program("curl")
    file = tmp_path / "blob"
    file.write_bytes(BLOB)

    def curl(*arguments):
        # Expect: the body is sent only after `100 Continue`, or a second later.
        command = [program, "-sS", "--fail", "--cacert", str(world.ca_file), "--max-time", "20"]
        command += ["-H", "Expect: 100-continue", *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout

    login = ["-u", f"{USER}:{PASSWORD}"]
    if world.access == "token":
        query = "service=embedded-registry&scope=repository:curl/it:pull,push"
        token = json.loads(curl(*login, f"{world.url}/token?{query}"))["token"]
        login = ["-H", f"Authorization: Bearer {token}"]
    base = f"{world.url}/v2/curl/it/blobs"
    digest = f"sha256:{hashlib.sha256(BLOB).hexdigest()}"
    head = curl(*login, "-X", "POST", "-D", "-", "-o", "/dev/null", f"{base}/uploads/")
    location = next(
        line.split(" ", 1)[1].strip()
        for line in head.decode().splitlines()
        if line.lower().startswith("location:")
    )
    curl(*login, "-T", str(file), f"{world.url}{location}&digest={digest}")
    assert curl(*login, f"{base}/{digest}") == BLOB
    assert curl(*login, "-r", "5-9", f"{base}/{digest}") == BLOB[5:10]


ORAS_PY = """
import os, sys
import oras.client
url, access, user, password = sys.argv[1:]
scheme, _, address = url.partition("://")
os.mkdir("source")
os.chdir("source")
with open("report.txt", "wb") as file:
    file.write(b"All measurements are within their limits.")
client = oras.client.OrasClient(
    hostname=address, insecure=scheme == "http", tls_verify=False, auth_backend=access
)
client.auth.set_basic_auth(user, password)
if access == "token":
    # It keeps the token of the first challenge, which is not for a push.
    scope = {"service": "embedded-registry", "scope": "repository:oras-py/report:pull,push"}
    answer = client.session.get(url + "/token", params=scope, auth=(user, password), verify=False)
    client.auth.set_token_auth(answer.json()["token"])
client.push(target=f"{address}/oras-py/report:v1", files=["report.txt"])
os.chdir("..")
(pulled,) = client.pull(target=f"{address}/oras-py/report:v1", outdir="copy")
with open(pulled, "rb") as file:
    assert file.read() == b"All measurements are within their limits."
assert client.get_tags(f"{address}/oras-py/report:v1") == ["v1"]
"""


def test_oras_py(world, peer_oras, tmp_path):
    run_peer(peer_oras, tmp_path, ORAS_PY, world.url, world.access, USER, PASSWORD)
