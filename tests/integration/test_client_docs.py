"""The pages on the clients: their examples run on every registry, and they are short."""

from __future__ import annotations

import asyncio
import filecmp
import os
import pty
import re
import subprocess
import sys
import threading
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import trio

import oras
from oras_adapters import HostSettings, RegistryServer, Settings, TlsSettings
from oras_core.testing import EmbeddedRegistry
from support.certificates import write_certificates
from support.docker_registry import guarded_registry, open_registry
from support.modules import require_module
from support.stalling_proxy import StallingProxy

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("client.md", "how-to/asyncio.md")
MB = 1000 * 1000
FOLDER_MB = int(os.environ.get("ORAS_FOLDER_MB", "3"))
"""The size of the folder that is pushed: `tox -e folder` pushes 300 MB."""

CARD = b"# A model\n"
MAX_IMPORTS, MAX_LINES = 3, 12


def examples():
    """Return the only example of each section, by its heading."""
    text = "\n".join((DOCS / page).read_text(encoding="utf-8") for page in PAGES)
    found = re.findall(r"^##? ([^\n]+)\n(.*?)(?=^##? |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    pattern = re.compile(r"^```python\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
    assert all(len(pattern.findall(section)) <= 1 for _, section in found)
    return {heading: pattern.findall(text)[0] for heading, text in found if pattern.search(text)}


EXAMPLES = examples()


@contextmanager
def embedded(_):
    with RegistryServer(EmbeddedRegistry()) as server:
        yield server.address


@contextmanager
def docker(folder):
    with open_registry(folder) as registry:
        yield registry.address


@pytest.fixture(params=[embedded, docker])
def registry(request, tmp_path, monkeypatch):
    """A registry, and a working directory with a folder of weights."""
    work = tmp_path / "work"
    (work / "weights").mkdir(parents=True)
    for number in range(3):
        with (work / "weights" / f"layer{number}.bin").open("wb") as file:
            for _ in range(FOLDER_MB // 3):
                file.write(os.urandom(MB))
    (work / "card.md").write_bytes(CARD)
    (work / "sbom.json").write_text('{"components": []}')
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(tmp_path))
    with request.param(tmp_path) as address:
        yield address


def run(heading, address, names=None):
    names = {"__name__": heading} if names is None else names
    code = EXAMPLES[heading].replace("localhost:5001", address)
    exec(compile(code, heading, "exec"), names)
    return names


@pytest.fixture
def pushed(registry):
    """A registry with the model of the page."""
    run("Push, list, pull, delete", registry)
    return registry


@pytest.mark.parametrize("heading", EXAMPLES)
def test_each_task_takes_few_lines(heading):
    lines = [line for line in EXAMPLES[heading].splitlines() if line.strip()]
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    assert len(imports) <= MAX_IMPORTS
    assert len(lines) <= MAX_LINES


def test_push_list_pull_delete(registry, capsys, tmp_path):
    names = run("Push, list, pull, delete", registry)
    assert capsys.readouterr().out == "['v1', 'v2']\n"
    assert [path.as_posix() for path in names["pulled"].files] == [
        "elsewhere/weights",
        "elsewhere/card.md",
    ]
    assert_equal_folders(Path("weights"), Path("elsewhere", "weights"))
    with oras.Client() as client:
        assert not client.exists(f"{registry}/team/model:v1")
        assert client.exists(f"{registry}/team/model:v2")


def assert_equal_folders(one, other):
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    assert filecmp.cmpfiles(one, other, names, shallow=False) == (names, [], [])


def test_the_bar_moves_while_a_folder_is_packed_and_pushed(registry):
    require_module("rich")
    code = EXAMPLES["Push, list, pull, delete"].replace("localhost:5001", registry)
    shown = run_on_terminal("-c", code)
    assert "['v1', 'v2']" in shown
    assert "preparing weights" in shown
    # Each sum of bytes that was shown: the bar of all blobs moves, and arrives.
    sums = re.findall(r"all .*? ([\d.]+/[\d.]+ \w+)", shown)
    assert len(set(sums)) > 1
    done, total = sums[-1].split()[0].split("/")
    assert done == total


def run_on_terminal(*arguments):
    """Run Python on a terminal of 120 columns; return what it shows."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "30"}
    process = subprocess.Popen([sys.executable, *arguments], stdout=theirs, env=environment)
    os.close(theirs)
    shown = bytearray()
    with suppress(OSError):  # Linux reports the end of a terminal so
        while block := os.read(ours, 65536):
            shown += block
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def test_attach_discover_read(pushed):
    assert run("Attach, discover, read", pushed)["content"] == b'{"components": []}'


def test_open_a_file(pushed):
    names = run("Open a file", pushed)
    assert (names["word"], names["whole"]) == (b"A mod", b"# A model\n")


def test_push_pull_and_list_from_asyncio(pushed):
    assert run("Use asyncio or trio", pushed)["tags"] == ["v2", "v3"]
    assert Path("from-asyncio", "card.md").read_bytes() == CARD


def test_serve_a_file_from_asyncio(pushed):
    names = run("Serve a file", pushed)

    async def main():
        server = await asyncio.start_server(names["answer"], "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            content = await asyncio.to_thread(fetched, f"http://127.0.0.1:{port}/")
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})  # the handler
        await names["client"].close()
        return content

    assert asyncio.run(main()) == b"# A model\n"
    assert not [t for t in threading.enumerate() if t.name.startswith("oras-")]


def test_a_thread_of_trio_ends_with_its_task(pushed, tmp_path):
    in_thread = run("trio", pushed)["in_thread"]
    ended = threading.Event()

    def pull(client, place):
        try:
            client.pull(place, tmp_path / "out")
        finally:
            ended.set()

    async def main():
        with oras.Client() as client, StallingProxy(pushed, down=0) as proxy:
            assert await in_thread(client.read, f"{pushed}/team/model:v2", "card.md") == CARD
            with trio.fail_after(30):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(in_thread, pull, client, f"{proxy.address}/team/model:v2")
                    await trio.to_thread.run_sync(proxy.stalled.acquire)
                    nursery.cancel_scope.cancel()
            assert await trio.to_thread.run_sync(ended.wait, 2)

    trio.run(main)


def fetched(url):
    with urllib.request.urlopen(url) as response:
        return response.read(int(response.headers["Content-Length"]))


def test_errors_say_what_to_do(pushed):
    assert run("Errors", pushed)["advice"].startswith("To do: check the name")


@contextmanager
def two_embedded(folder):
    """Two registries with users, over TLS by an authority of their own."""
    certificates = write_certificates(folder)
    with ExitStack() as running:
        yield (
            [
                running.enter_context(
                    RegistryServer(
                        EmbeddedRegistry(users={user: f"{user}-secret"}),
                        host="localhost",
                        tls=certificates.server_context(demands_client=False),
                    )
                ).address
                for user in ("reader", "writer")
            ],
            certificates.ca_file,
        )


@pytest.mark.parametrize("kind", ["embedded", "docker"])
def test_mirror_with_a_private_authority_and_separate_credentials(
    kind, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "card.md").write_text("# A model\n")
    with ExitStack() as running:
        if kind == "embedded":
            addresses, authority = running.enter_context(two_embedded(tmp_path))
            authorities = authority.read_text()
        else:
            folders = [tmp_path / name for name in ("one", "two")]
            for folder in folders:
                folder.mkdir()
            registries = [
                running.enter_context(
                    guarded_registry(folder, {user: f"{user}-secret"}, auth="htpasswd", tls="tls")
                )
                for folder, user in zip(folders, ("reader", "writer"), strict=True)
            ]
            addresses = [one.address for one in registries]
            authorities = "".join(one.ca_file.read_text() for one in registries)
        (tmp_path / "ca.pem").write_text(authorities)
        encrypted = {addresses[0]: HostSettings(plain_http=False)}
        trust = Settings(tls=TlsSettings(extra_authorities=("ca.pem",)), hosts=encrypted)
        account = {addresses[0]: ("reader", "reader-secret")}
        with oras.Client(trust, credentials=account) as client:
            for name in ("model", "data", "tools"):
                client.push(f"{addresses[0]}/team/{name}:v1", ["card.md"], tags=["latest"])
        code = EXAMPLES["Mirror"].replace("localhost:5002", addresses[1])
        exec(code.replace("localhost:5001", addresses[0]), {})
    rows = [line.split(" ", 1) for line in capsys.readouterr().out.splitlines()]
    assert [name for name, _ in rows] == ["team/model", "team/data", "team/tools"] * 2
    assert all(row.startswith("2 tags, 2 created: moved ") for _, row in rows[:3])
    assert all(row.startswith("2 tags, 0 created: moved 0 (0 bytes)") for _, row in rows[3:])
