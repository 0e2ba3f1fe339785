"""The watch over secrets finds what is planted, wherever it is planted, and nothing else."""

from __future__ import annotations

import base64
import gc
import json
import logging
import pickle
import subprocess
import sys
from urllib.parse import quote_plus
from xml.etree import ElementTree as ET

import pytest

import oras.client
from oras_adapters.factory import Composition
from oras_adapters.settings.settings import EnvironmentCredential, Settings, load_settings
from oras_core.credentials import ChainedCredentialStore, StaticCredentials
from oras_core.errors import CredentialError, OrasError
from oras_core.ports.credentials import Credential
from oras_core.ports.http import HttpRequest
from oras_core.registry.auth.token import Token
from oras_core.registry.compose import registry_transport
from support.auth_world import BearerSite, Reply, World
from support.secret_scan import SecretScan, forms

SECRET = "pl4nted s3cret/?"

PLANTED = {
    "record": 'logging.getLogger("oras_core.x").debug("it is %s", SECRET)',
    "header": 'logging.getLogger("oras").info("Basic %s", base64.b64encode(PAIR).decode())',
    "query": 'logging.getLogger("urllib3").debug("GET /?p=" + quote_plus(SECRET))',
    "message": 'raising(CredentialError("read", "store", f"{SECRET} is wrong"))',
    "fact": "error = OrasError('x'); error.detail = [SECRET]; raising(error)",
    "cause": "raising(OrasError('x'), ValueError(SECRET))",
    "context": "context()",
    "swallowed": "swallowed()",
    "fixture": "showing.secret = SECRET",
}

PROGRAM = """
from __future__ import annotations
import base64, logging, pytest
from urllib.parse import quote_plus
from oras_core.errors import CredentialError, OrasError
from support.secret_scan import no_secret_shows

SECRETS = ({secret!r},)
SECRET = SECRETS[0]
PAIR = b"alice:" + SECRET.encode()

class Showing:
    secret = ""
    def __repr__(self):
        return f"Showing({{self.secret}})"

Showing.__module__ = "oras_core.planted"

@pytest.fixture
def showing():
    return Showing()

def raising(error, cause=None):
    with pytest.raises(OrasError):
        raise error from cause

def context():
    with pytest.raises(OrasError):
        try:
            raise ValueError(SECRET)
        except ValueError:
            raise OrasError("x") from None

def swallowed():
    try:
        raise OrasError(SECRET)
    except OrasError:
        pass
"""


@pytest.fixture(scope="module")
def complaints(tmp_path_factory):
    """Run a test for each planted secret and one without; give the complaint about each."""
    folder = tmp_path_factory.mktemp("planted")
    harmless = 'logging.getLogger("oras_core").debug("fine"); raising(OrasError())'
    statements = {**PLANTED, "nothing": harmless}
    tests = (f"def test_{place}(showing):\n    {code}\n" for place, code in statements.items())
    test = folder / "test_planted.py"
    test.write_text("\n\n".join([PROGRAM.format(secret=SECRET), *tests]))
    report = folder / "report.xml"
    arguments = ["-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(folder)]
    subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, f"--junitxml={report}", str(test)],
        env={"PYTHONPATH": ":".join(path or "." for path in sys.path), "PATH": ""},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    complaints = dict.fromkeys(statements, "")
    for case in ET.parse(report).iter("testcase"):
        complaints[case.attrib["name"].removeprefix("test_")] += "".join(case.itertext())
    return complaints


@pytest.mark.parametrize("place", PLANTED)
def test_a_planted_secret_fails_the_test(complaints, place):
    assert "shows" in complaints[place]


def test_test_without_shown_secrets_passes(complaints):
    assert complaints["nothing"] == ""


@pytest.mark.parametrize("before", ["", "a", "ab", "alice:"])
@pytest.mark.parametrize("secret", ["s3cret", "pässword", "1234567", "12345678"])
def test_a_secret_within_base64_is_found(before, secret):
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(f"{before}{secret}:and more".encode()).decode()
        assert any(form in encoded for form in forms(secret))
        assert any(form in encode(f"{before}{secret}".encode()).decode() for form in forms(secret))


def test_secret_in_a_url_is_found():
    assert any(form in quote_plus(SECRET) for form in forms(SECRET))


def test_without_secrets_nothing_is_found():
    scan = SecretScan([SECRET])
    scan.errors.append(OrasError("fine"))
    scan.records.append(logging.makeLogRecord({"msg": "fine %s", "args": ("too",)}))
    assert scan.findings() == []


# --- All that is there --------------------------------------------------------------------


def test_no_object_of_the_library_shows_a_secret(tmp_path, monkeypatch):
    """Let clients of every kind log in, and look at every object that there is then."""
    secrets = ("p4ssword-of-alice", "b34rer-token", "refr3sh-token", "3nvironment-pass")
    password, bearer, refresh, environment = secrets
    monkeypatch.setenv("ORAS_USER", "robot")
    monkeypatch.setenv("ORAS_PASS", environment)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    alice = Credential("alice", password, refresh)
    origin, realm = "https://r.example", "https://auth.example"
    challenge = f'Bearer realm="{realm}/token",service="r"'
    issued = Reply(body=json.dumps({"token": bearer, "refresh_token": refresh}).encode())
    world = World({origin: BearerSite(challenge, valid={bearer}), realm: lambda _: issued})
    store = ChainedCredentialStore([StaticCredentials({"r.example": alice})])
    transport = registry_transport(world, origin=origin, credentials=store)
    assert transport.send(HttpRequest("GET", f"{origin}/v2/a/manifests/1")).status == 200
    settings = load_settings()
    client = oras.client.OrasClient()
    client.auth.set_basic_auth("alice", password)
    client.auth.set_token_auth(bearer)
    kept = [transport, store, client, settings, Composition(settings), Token(bearer, 1.0)]

    scan = SecretScan(secrets)
    scan.objects.extend(
        (type(one).__qualname__, one)
        for one in gc.get_objects()
        if str(type(one).__module__).partition(".")[0] in ("oras", "oras_core", "oras_adapters")
    )
    assert len(scan.objects) > 50
    assert {"Authorizer", "Token", "Credential", "TokenAuth", "GivenCredentials"} <= {
        name for name, _ in scan.objects
    }
    assert scan.findings() == []
    assert kept


@pytest.mark.parametrize(
    "secret",
    [
        Credential("alice", "password"),
        Credential(identity_token="refresh"),
        Token("bearer", 1.0),
        EnvironmentCredential("alice", "password"),
        EnvironmentCredential(token="bearer"),
        Settings(environment=EnvironmentCredential("alice", "password")),
        HttpRequest("GET", "https://r.example/", {"authorization": "Bearer x"}),
    ],
)
def test_object_with_a_secret_is_not_pickled(secret):
    with pytest.raises(TypeError, match="contains a secret"):
        pickle.dumps(secret)


def test_settings_without_secrets_can_be_pickled():
    settings = load_settings({"HOME": "/h", "ORAS_REGISTRY": "r.example"})
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_credential_error_can_be_pickled():
    error = pickle.loads(pickle.dumps(CredentialError("read", "store", "it is locked")))
    assert error.reason == "it is locked"
