"""One program, its credential store swapped by configuration: docker, keyring, a third party's."""

from __future__ import annotations

import json
import textwrap
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest

from oras_adapters.factory import compose
from oras_adapters.registry_server import RegistryServer
from oras_adapters.settings.settings import load_settings
from oras_core.errors import InvalidConfigurationError
from oras_core.ports.credentials import Credential
from oras_core.testing import EmbeddedRegistry
from support.credential_helpers import make_helper
from support.processes import run_python

SECRETS = ("open sesame",)

# Not one line of it knows of stores.
PROGRAM = """
import sys
from pathlib import Path
import oras.client

action, registry = sys.argv[1:]
client = oras.client.OrasClient(hostname=registry)
if action == "login":
    client.login("alice", "open sesame")
elif action == "logout":
    client.logout(registry)
else:
    Path("report.txt").write_text("fine")
    client.push(f"{registry}/team/report:v1", files=["report.txt"], quiet=True)
    print(client.get_tags(f"{registry}/team/report"))
"""

VAULT = """
import json, os
from pathlib import Path
from oras_core.ports.credentials import Credential

class Vault:
    def __init__(self):
        self.path = Path(os.environ["VAULT_FILE"])

    def entries(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def get(self, registry):
        entry = self.entries().get(registry.partition("/")[0])
        return entry and Credential(*entry)

    def put(self, registry, credential):
        entry = [credential.username, credential.password]
        self.path.write_text(json.dumps({**self.entries(), registry: entry}))

    def delete(self, registry):
        entries = self.entries()
        entries.pop(registry, None)
        self.path.write_text(json.dumps(entries))

def broken():
    raise RuntimeError("the vault is out of order")

def nothing():
    return None
"""


@pytest.fixture
def site(tmp_path):
    """A folder with an installed package that registers stores."""
    folder = tmp_path / "site"
    info = folder / "acme_vault-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "acme_vault.py").write_text(VAULT)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-vault\nVersion: 1.0\n")
    points = {
        "acme": "acme_vault:Vault",
        "acme-broken": "acme_vault:broken",
        "acme-missing": "acme_vault:Missing",
        "acme-nothing": "acme_vault:nothing",
        "acme-uninstalled": "acme_other:Vault",
    }
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[oras.credential_stores]", *lines, ""]))
    return folder


@pytest.fixture
def installed(site, monkeypatch):
    monkeypatch.syspath_prepend(str(site))


@pytest.fixture
def registry():
    with RegistryServer(EmbeddedRegistry(users={"alice": "open sesame"})) as server:
        yield server.address


@pytest.fixture
def run(tmp_path, site, monkeypatch, registry):
    """Run the program under a settings file; give what it prints."""
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    make_helper(tmp_path, "working")

    def run(settings, action, *, at=registry, **environment):
        file = tmp_path / "settings.toml"
        file.write_text(textwrap.dedent(settings))
        return run_python(
            str(tmp_path / "program.py"),
            action,
            at,
            ORAS_CONFIG=str(file),
            HOME=str(tmp_path),
            PATH=str(tmp_path),
            VAULT_FILE=str(tmp_path / "vault.json"),
            XDG_DATA_HOME=str(tmp_path / "data"),
            PYTHON_KEYRING_BACKEND="keyrings.alt.file.PlaintextKeyring",
            **environment,
        )

    return run


STORES = {
    "docker": ".docker/config.json",
    "keyring": "data/python_keyring/keyring_pass.cfg",
    "acme": "vault.json",
    "helper:working": "docker-credential-working.json",
    "podman": "podman.json",
}


@pytest.mark.parametrize("store", STORES)
def test_settings_select_the_credential_store(tmp_path, run, registry, store):
    settings = f'[credentials]\nstores = ["{store}"]\nauth_file = "{tmp_path}/podman.json"\n'
    kept = {name: tmp_path / path for name, path in STORES.items()}
    assert "401" in refused(run, settings)
    run(settings, "login")
    assert [name for name, path in kept.items() if path.exists()] == [store]
    assert run(settings, "push") == "['v1']\n"
    names = [*STORES]
    another = names[(names.index(store) + 1) % len(names)]
    assert "401" in refused(run, f'[credentials]\nstores = ["{another}"]\n')
    run(settings, "logout")
    assert "401" in refused(run, settings)


def test_chain_and_environment_variable_select_the_credential_store(tmp_path, run, registry):
    run('[credentials]\nstores = ["docker"]\n', "login", ORAS_CREDENTIAL_STORES="acme,docker")
    assert list(json.loads((tmp_path / "vault.json").read_text())) == [registry]
    assert not (tmp_path / ".docker").exists()
    chain = '[credentials]\nstores = ["docker", "acme"]\n'
    assert run(chain, "push") == "['v1']\n"
    run(chain, "login")
    assert registry in json.loads((tmp_path / ".docker" / "config.json").read_text())["auths"]
    run(chain, "logout")
    # It is gone from every store of the chain.
    assert json.loads((tmp_path / "vault.json").read_text()) == {}
    assert json.loads((tmp_path / ".docker" / "config.json").read_text())["auths"] == {}


def test_concurrent_logins_of_processes_lose_no_credential(tmp_path, run):
    settings = '[credentials]\nstores = ["docker"]\n'
    with ExitStack() as stack:
        servers = [
            stack.enter_context(RegistryServer(EmbeddedRegistry(users={"alice": "open sesame"})))
            for _ in range(4)
        ]
        addresses = [server.address for server in servers]
        with ThreadPoolExecutor(len(servers)) as threads:
            log_in = partial(run, settings, "login")
            list(threads.map(lambda address: log_in(at=address), addresses))
        config = json.loads((tmp_path / ".docker" / "config.json").read_text())
        assert sorted(config["auths"]) == sorted(addresses)
        with ThreadPoolExecutor(len(servers)) as threads:
            list(threads.map(lambda address: run(settings, "logout", at=address), addresses))
    assert json.loads((tmp_path / ".docker" / "config.json").read_text()) == {"auths": {}}


def test_environment_store_is_read_only(run, registry):
    settings = '[credentials]\nstores = ["environment"]\n'
    robot = {"ORAS_REGISTRY": registry}
    assert run(settings, "push", ORAS_USER="alice", ORAS_PASS="open sesame", **robot) == "['v1']\n"
    elsewhere = {"ORAS_USER": "alice", "ORAS_PASS": "open sesame", "ORAS_REGISTRY": "r.example"}
    assert "401" in refused(run, settings, **elsewhere)


def refused(run, settings, **environment):
    with pytest.raises(AssertionError) as caught:
        run(settings, "push", **environment)
    return str(caught.value)


# --- Names that are wrong -----------------------------------------------------------------


def composed(name):
    return compose(load_settings({"ORAS_CREDENTIAL_STORES": name})).credentials


@pytest.mark.usefixtures("installed")
def test_unknown_store_error_lists_the_known_stores():
    with pytest.raises(InvalidConfigurationError) as caught:
        composed("keychain")
    assert str(caught.value).endswith(
        "there is no store 'keychain'; known are docker, podman, keyring, environment, "
        "helper:NAME, acme, acme-broken, acme-missing, acme-nothing, acme-uninstalled"
    )


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "acme-broken",
            "acme_vault:broken cannot be made: RuntimeError: the vault is out of order",
        ),
        ("acme-missing", "'acme-missing' of acme_vault:Missing cannot be made: AttributeError"),
        ("acme-uninstalled", "of acme_other:Vault cannot be made: ModuleNotFoundError"),
        ("acme-nothing", "'acme-nothing' of acme_vault:nothing is no store: it has no get, put,"),
    ],
)
def test_broken_store_package_is_named_with_its_error(name, reason):
    with pytest.raises(InvalidConfigurationError) as caught:
        composed(name)
    assert reason in str(caught.value)
    assert "credentials.stores" in str(caught.value)


@pytest.mark.usefixtures("installed")
def test_third_party_store_is_created_only_if_selected(monkeypatch, tmp_path):
    monkeypatch.setenv("VAULT_FILE", str(tmp_path / "vault.json"))
    store = composed("acme")
    store.put("r.example", Credential("alice", "open sesame"))
    assert composed("acme").get("r.example/team/app").username == "alice"
    code = "import sys, oras.client; print('acme_vault' in sys.modules)"
    assert run_python("-c", code) == "False\n"
