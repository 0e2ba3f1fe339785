"""What the user guide leaves to its reader: what was there before a block, what comes of it."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

__all__ = ["ROWS", "Instead", "Row"]


@frozen
class Row:
    """A block that is run.

    Attributes:
        after: earlier blocks that the reader has run in the same console.
        before: code that the block takes for granted.
        then: code that says what must hold afterwards.
        registry: which one stands for the guide's: `open`, `htpasswd`, `token` or `tags`.
        files: contents by path, in the working directory.
        environment: variables.
        shown: a block of console output to which the variables after this one are compared.
        errors: what must appear on standard error.
    """

    after: tuple[str, ...] = ()
    before: str = ""
    then: str = ""
    registry: str = "open"
    files: Mapping[str, str] = field(factory=dict)
    environment: Mapping[str, str] = field(factory=dict)
    shown: str = ""
    errors: str = ""


@frozen
class Instead:
    """A block that is not run in a console of Python; `what` stands for it."""

    what: str


ARTIFACT = {"artifact.txt": "hello dinosaur\n"}

# --- Objects ------------------------------------------------------------------------------

LAYERS = Row(
    before="blobs = ['prices.json', 'web/prices.csv']",
    files={"prices.json": "{}", "web/prices.csv": "1,2\n"},
    then="""
assert [layer["annotations"] for layer in layers] == [
    {"org.opencontainers.image.title": "prices.json"},
    {"org.opencontainers.image.title": "prices.csv"},
]
assert [layer["size"] for layer in layers] == [2, 4]
assert {layer["mediaType"] for layer in layers} == {"org.dinosaur.tools.blobish"}
""",
)

MANIFEST = Row(
    after=("Example of creating layers: python", "Example of creating a config: python 1"),
    then="""
# "Given a client, you would use self.upload_manifest(manifest, package) to push your manifest
# […] Note that you should do blobs (layers) and the config first."
import oras.client
client, package = oras.client.OrasClient(insecure=True), "localhost:5000/dinosaur/made:v1"
for blob, layer in zip(blobs, layers):
    client._check_200_response(client.upload_blob(blob, package, layer))
client._check_200_response(client.upload_blob(config_file, package, conf))
client._check_200_response(client.upload_manifest(manifest, package))
assert client.get_manifest(package) == manifest
assert manifest["annotations"] == {"org.dinosaur.tool.food": "avocado"}
""",
)

# --- Push ---------------------------------------------------------------------------------

BASIC_PUSH = Row(before="import oras.client", files=ARTIFACT)

ARCHIVES = Row(
    then="assert all(os.path.exists(path) for path in archives)",
    before="import os",
    files={"pakages-0.0.16.tar.gz": "not really one", "sbom.json": "{}"},
)

CUSTOM_PUSH = Row(
    after=("Example of custom push: python 1",),
    files={"folder/inside.txt": "inside"},
    then="""
from pathlib import Path
archives["folder"] = "application/vnd.oci.image.layer.v1.tar+gzip"
sbom = os.path.abspath("sbom.json")
annotations = {"$manifest": {"a": "b"}, "$config": {"c": "d"}, sbom: {"e": "f"}}
client, target = Registry(insecure=True), "localhost:5000/dinosaur/custom:v1"
response = client.push(target, archives, annotations)
assert response.status_code in (200, 201)
manifest = client.get_manifest(target)
title = oras.defaults.annotation_title
assert [layer["annotations"] for layer in manifest["layers"]] == [
    {title: "pakages-0.0.16.tar.gz"}, {title: "sbom.json", "e": "f"}, {title: "folder"}
]
assert [layer["mediaType"] for layer in manifest["layers"]] == list(archives.values())
assert manifest["annotations"] == {"a": "b"}
assert manifest["config"] == {**oras.oci.ManifestConfig()[0], "annotations": {"c": "d"}}
paths = client.pull(target, outdir="out")
assert Path(paths[1]).read_text() == "{}"
assert (Path(paths[2]) / "inside.txt").read_text() == "inside"
response = client.push(container=target, archives={})
""",
)

LIST_PUSH = Row(
    registry="htpasswd",
    environment={"ORAS_USER": "myuser", "ORAS_PASS": "myuser"},
    files={"root/prices.json": "{}", "root/folder/inside.txt": "inside"},
    errors="Path is/not/there does not exist or is not defined.",
    then="""
client = get_oras_client()
assert (client.auth.username, client.auth.password) == ("myuser", "myuser")
target = "localhost:5000/dinosaur/listed:v1"
archives = [
    {"path": "root/prices.json", "title": "p.json", "media_type": "a/b", "annotations": {"c": "d"}},
    {"path": "root/folder"},
    {"path": "is/not/there"},
]
response = client.push(target, archives)
title = oras.defaults.annotation_title
layers = client.get_manifest(target)["layers"]
assert layers[0]["annotations"] == {"c": "d", title: "p.json"}
assert layers[1]["annotations"] == {title: "folder"}
assert [layer["mediaType"] for layer in layers] == ["a/b", "org.dinosaur.tool.datatype"]
import os
del os.environ["ORAS_USER"]
try:
    get_oras_client()
except SystemExit as left:
    assert "ORAS_USER or ORAS_PASS is missing" in str(left)
else:
    raise AssertionError("no credentials, and yet a client")
""",
)

ASSEMBLED_PUSH = Row(
    after=("Example of custom push with more intuitive list: python 1",),
    registry="htpasswd",
    environment={"ORAS_USER": "myuser", "ORAS_PASS": "myuser"},
    files={"cache/one.txt": "one", "cache/two.txt": "zwei"},
    then="""
here = os.getcwd()
push("localhost:5000/dinosaur/assembled:v1", "cache")
assert os.getcwd() == here
client = get_oras_client()
layers = client.get_manifest("localhost:5000/dinosaur/assembled:v1")["layers"]
found = {
    layer["annotations"]["org.opencontainers.image.title"]: layer["annotations"]["size"]
    for layer in layers
}
assert found == {"one.txt": "3", "two.txt": "4"}
assert sorted(os.path.basename(path) for path in client.pull(
    "localhost:5000/dinosaur/assembled:v1", outdir="out"
)) == ["one.txt", "two.txt"]
""",
)

# --- Pull ---------------------------------------------------------------------------------

BASIC_PULL = Row(
    before="""
import oras.client
client = oras.client.OrasClient(insecure=True)
pushed = client.push("localhost:5000/dinosaur/artifact:v1", files=["artifact.txt"], quiet=True)
""",
    files=ARTIFACT,
    then="""
from pathlib import Path
res
assert Path(res[0]).read_text() == "hello dinosaur\\n"
""",
)

INSPECT = Row(
    before="""
import oras.client
writer = oras.client.OrasClient(insecure=True)
files = ["info.json:org.example.info", "artifact.txt"]
pushed = writer.push("localhost:5000/dinosaur/inspected:v1", files=files, quiet=True)
""",
    files={**ARTIFACT, "info.json": '{"name": "dinosaur"}'},
    then="""
from pathlib import Path
organized = []
class Client(oras.client.OrasClient):
    inspect = inspect

    def _organize_layers(self, manifest):
        layers = super()._organize_layers(manifest)
        organized.append(layers)
        return layers

client, name = Client(insecure=True), "localhost:5000/dinosaur/inspected:v1"
client.inspect(name)
(layers,) = organized
assert list(layers) == ["org.example.info", "application/vnd.oci.image.layer.v1.tar"]
# "Specifically the function self.get_blob will allow you to do that, or self.download_blob"
digest = layers["org.example.info"][0]["digest"]
assert client.get_blob(name, digest).json() == {"name": "dinosaur"}
path = client.download_blob(name, digest, "out/info.json")
assert Path(path).read_text() == '{"name": "dinosaur"}'
""",
)

CUSTOM_PULL = Row(
    files={"prices.json": "[1]", "web.json": "[2]", "other.txt": "other"},
    then="""
from pathlib import Path
client, package = Registry(insecure=True), "localhost:5000/dinosaur/prices:v1"
files = ["prices.json:aws.prices", "web.json:aws.prices", "other.txt:aws.other"]
pushed = client.push(package, files=files, quiet=True)
paths = client.download_layers("downloads", package, "aws.prices")
assert [Path(path).read_text() for path in paths] == ["[1]", "[2]"]
assert [os.path.relpath(path) for path in paths] == [
    os.path.join("downloads", name) for name in ("prices.json", "web.json")
]
assert client.download_layers(
    download_dir="downloads", package=client.get_container(package), media_type="aws.none"
) == []
""",
)

# --- Authentication -----------------------------------------------------------------------

LOGGED_IN = """
pushed = client.push("localhost:5000/dinosaur/private:v1", files=["artifact.txt"], quiet=True)
assert pushed.status_code == 201
"""

REMEMBERED = """
another = oras.client.OrasClient()
assert another.get_tags("localhost:5000/dinosaur/private") == ["v1"]
"""

LOGGED_OUT = """
for one in (client, oras.client.OrasClient()):
    try:
        one.push("localhost:5000/dinosaur/private:v1", files=["artifact.txt"], quiet=True)
    except ValueError as refused:
        assert refused.status == 401
    else:
        raise AssertionError("logged out, and yet pushed")
"""

# --- All of them, in the guide's order ----------------------------------------------------

ROWS: Mapping[str, Row | Instead] = {
    "Local Development Registry: bash 1": Instead("the fixture open_registry"),
    "Local Development Registry: bash 2": Instead("the test of the password file"),
    "Local Development Registry: bash 3": Instead("the fixture htpasswd_registry"),
    "Create a Client Class: python 1": Row(
        files=ARTIFACT,
        then="""
client = MyProvider(insecure=True)
pushed = client.push("localhost:5000/dinosaur/mine:v1", files=["artifact.txt"], quiet=True)
assert client.get_tags("localhost:5000/dinosaur/mine") == ["v1"]
""",
    ),
    "Create a Client Class: python 2": Row(
        registry="htpasswd",
        files=ARTIFACT,
        then="""
client = MyProvider(insecure=True)
status = client.login(username="myuser", password="myuser", hostname="localhost:5000")
assert status == {"Status": "Login Succeeded"}
"""
        + LOGGED_IN
        + 'client.logout("localhost:5000")\n',
    ),
    "Example of creating a config: python 1": Row(shown="Example of creating a config: console 1"),
    "Example of creating a config: console 1": Instead("what the block before it gives"),
    "Example of creating a config: python 2": Row(
        before="import oras.oci",
        files={"config.json": '{"size": 3891}'.ljust(3891)},
        shown="Example of creating a config: console 2",
    ),
    "Example of creating a config: console 2": Instead("what the block before it gives"),
    "Example of creating layers: python": LAYERS,
    "Example of creating a manifest: python": MANIFEST,
    "Tags: python 1": Row(
        registry="tags", then="assert client.hostname == 'ghcr.io' and client.prefix == 'https'"
    ),
    "Tags: python 2": Row(
        registry="tags",
        after=("Tags: python 1",),
        then="assert tags == [f'v{number:04}' for number in range(1005)]",
    ),
    "Tags: python 3": Row(
        registry="tags",
        after=("Tags: python 1",),
        then="assert tags == [f'v{number:04}' for number in range(1100)]",
    ),
    "Example of basic push: python": BASIC_PUSH,
    "Example of custom push: python 1": ARCHIVES,
    "Example of custom push: python 2": CUSTOM_PUSH,
    "Example of custom push with more intuitive list: python 1": LIST_PUSH,
    "Example of custom push with more intuitive list: python 2": ASSEMBLED_PUSH,
    "Example of basic pull: python": BASIC_PULL,
    "Pull Interactions: python": INSPECT,
    "Example of custom pull: python": CUSTOM_PULL,
    "Authentication: python 1": Row(registry="token", files=ARTIFACT, then=LOGGED_IN),
    "Authentication: python 2": Row(registry="htpasswd", files=ARTIFACT, then=LOGGED_IN),
    "Example using basic auth: python 1": Row(
        registry="htpasswd", files=ARTIFACT, then=LOGGED_IN + REMEMBERED
    ),
    "Example using basic auth: python 2": Row(
        registry="htpasswd",
        after=("Example using basic auth: python 1",),
        files=ARTIFACT,
        then=LOGGED_OUT,
    ),
    "Debugging: code": Row(errors="This is my debug message!"),
}
