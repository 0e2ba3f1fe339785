"""Each row of docs/from-go-oras.md: the command and the call do the same."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from oras_adapters import compose
from oras_core import AnnotationSet, BytesSource, Content, Descriptor, Digest, Manifest, Platform
from oras_core.errors import OrasError
from oras_core.model.index import Index
from oras_core.model.media_types import OCI_EMPTY
from support.trees import describe

PAGE = Path(__file__).parents[3] / "docs" / "from-go-oras.md"
ROWS = re.findall(
    r"^\| `oras ([^`]+)` \| `((?:client|repository)\.[^`]+)`",
    PAGE.read_text(encoding="utf-8"),
    re.MULTILINE,
)
TYPE = "application/vnd.example"
CREATED = "org.opencontainers.image.created"
UNPACK = "io.deis.oras.content.unpack"


def prepared(client, repository):
    """Write the files that the commands name, and push what they need; return digests."""
    Path("weights").mkdir()
    Path("weights", "layer0.bin").write_bytes(b"weights")
    Path("card.md").write_text("# A model\n")
    Path("sbom.json").write_text("{}")
    Path("config.json").write_text('{"layers": 3}')
    Path("notes.json").write_text('{"$manifest": {"m": "1"}, "card.md": {"l": "2"}}')
    image = client.push(f"{repository}:v1", "card.md")
    second = client.push(f"{repository}:v2", "sbom.json", tags="v3")
    platform = Platform(os="linux", architecture="arm64")
    client.index(f"{repository}:multi", [evolve(image, platform=platform)])
    client.index(f"{repository}:more", [second])
    for subject in ("v1", "multi"):
        for kind in (TYPE, f"{TYPE}.other"):
            found = client.attach(f"{repository}:{subject}", "notes.json", artifact_type=kind)
            place = f"{repository}@{found.digest}"
            client.attach(place, artifact_type=TYPE, annotations={"a": "b"})
    manifest = client.manifest(f"{repository}:v1")
    Path("manifest.json").write_bytes(manifest.content)
    return {"manifest": image.digest, "blob": manifest.layers[0].digest}


def plain(document):
    """Remove from a manifest what differs, as the page says."""
    document.get("annotations", {}).pop(CREATED, None)
    if not document.get("annotations", True):
        del document["annotations"]
    for member in ("artifactType", "platform"):
        document.get("subject", {}).pop(member, None)
    if "layers" in document:
        document["layers"] = [one for one in document["layers"] if one["mediaType"] != OCI_EMPTY]
    for layer in document.get("layers", ()):
        if layer.get("annotations", {}).get(UNPACK):
            layer["digest"] = layer["size"] = layer["annotations"] = "of a folder"
    return document


def state(client, repository):
    """Return all artifacts of a repository by tag, with their referrers."""
    found = {}
    try:
        tags = sorted(client.tags(repository))
    except OrasError:
        return found
    for tag in tags:
        if tag.startswith("sha256-"):
            continue
        place = f"{repository}:{tag}"
        referrers = [
            plain(json.loads(client.manifest(f"{repository}@{one.digest}").content))
            for one in client.referrers(place, recursive=True)
        ]
        described = sorted(json.dumps(one, sort_keys=True) for one in referrers)
        found[tag] = (plain(json.loads(client.manifest(place).content)), described)
    return found


def shown(result):
    """Return what a call gives as the command prints it; None if it prints no value."""
    match result:
        case Manifest() | Index() | Content():
            return result.content.decode()
        case Digest():
            return str(result)
        case bytes():
            return result.decode()
        case Iterator():
            return "\n".join(
                str(one.digest) if isinstance(one, Descriptor) else one for one in result
            )
    return None


def side_of(command, printed):
    """Return the digests or names that a listing prints, in no order; other output as it is."""
    if command.startswith("discover"):
        return set(re.findall(r"sha256:[0-9a-f]{64}", printed))
    if command.startswith("repo "):
        return set(printed.split())
    return printed.strip()


# One registry is enough for the table: the other modules use both.
@pytest.mark.parametrize("world", ["embedded"], indirect=True)
@pytest.mark.parametrize(("command", "call"), [row for row in ROWS if "log" not in row[0][:4]])
def test_command_and_call_do_the_same(world, command, call, client, go, work, monkeypatch):
    printed, results = {}, {}
    on_index = any(word in call for word in ("platform", "update_index"))
    for side in ("go", "ours"):
        folder = work / side
        folder.mkdir()
        monkeypatch.chdir(folder)
        repository = f"{world.repository}-{side}"
        values = prepared(client, repository)
        words = {
            "PLACE": f"{repository}:{'multi' if on_index else 'v1'}",
            "HOST/REPOSITORY": repository,
            "HOST": world.address,
            "DIGEST": str(values["blob" if "blob" in command else "manifest"]),
            "TYPE": TYPE,
        }
        if "restore" in command:
            client.backup(repository, "FILE.tar")
        if side == "go":
            printed[side] = go(*shlex.split(replaced(command, words)), cwd=folder)
        else:
            printed[side] = called(replaced(call, words), client, repository, words["PLACE"])
        places = [repository, f"{repository}-copy"]
        places += ["oci-archive:FILE.tar"] if Path("FILE.tar").exists() else []
        states = [state(client, place) for place in places]
        results[side] = (states, describe(folder / "out"))
    assert results["go"] == results["ours"]
    if command.startswith("discover"):
        printed["ours"] += f" {client.resolve(words['PLACE'], platform=platform_of(call)).digest}"
    if printed["ours"] is not None:
        found = {side: side_of(command, text) for side, text in printed.items()}
        if command == "repo ls HOST":  # which has more by now
            assert found["go"] <= found["ours"]
            assert found["go"]
        else:
            assert found["go"] == found["ours"]


def platform_of(call):
    return "linux/arm64" if "platform" in call else None


def replaced(text, words):
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def called(call, client, repository, place):
    """Run a call of the page; return what it gives as the command prints it."""
    with compose() as parts:
        source = "manifest.json" if "push_manifest" in call else "card.md"
        names = {
            "client": client,
            "place": place,
            "repository": parts.repository(repository),
            "content": Path(source).read_bytes(),
            "AnnotationSet": AnnotationSet,
            "BytesSource": BytesSource,
            "Digest": Digest,
            "Path": Path,
        }
        return shown(eval(call, names))
