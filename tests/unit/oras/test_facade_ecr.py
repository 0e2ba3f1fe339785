"""`EcrAuth`, over a stand-in of boto3."""

from __future__ import annotations

import base64
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest

from oras.auth import TokenAuth
from oras.auth import utils as auth_utils
from oras.auth.ecr import EcrAuth, MissingBoto3Error
from oras.client import OrasClient
from oras_core.errors import CredentialError
from oras_core.ports.credentials import Credential
from support.auth_world import BasicSite, World
from support.world_client import get, inhabit

SECRETS = ("password1", "sesame")

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
REALM = f"https://{HOST}/"
CHALLENGE = f'Basic realm="{REALM}",service="ecr.amazonaws.com"'
TAGS = "/v2/app/tags/list"


class Refusal:
    def __init__(self, challenge, url=""):
        self.headers = {"Www-Authenticate": challenge} if challenge else {}
        self.url = url


class Aws:
    """Gives password1, password2, … and remembers for which regions."""

    def __init__(self):
        self.regions = []
        self.lifetime = None
        self.error = None

    def client(self, service, region_name):
        assert service == "ecr"
        self.regions.append(region_name)
        return self

    def get_authorization_token(self):
        if self.error:
            raise self.error
        pair = f"AWS:password{len(self.regions)}".encode()
        data = {"authorizationToken": base64.b64encode(pair).decode()}
        if self.lifetime is not None:
            data["expiresAt"] = datetime.now(UTC) + timedelta(seconds=self.lifetime)
        return {"authorizationData": [data]}


@pytest.fixture
def aws(monkeypatch):
    found = Aws()
    module = ModuleType("boto3")
    module.client = found.client
    monkeypatch.setitem(sys.modules, "boto3", module)
    return found


def header(number):
    return {"Authorization": "Basic " + auth_utils.get_basic_auth("AWS", f"password{number}")}


def test_password_is_cached_until_refresh(aws):
    auth, given = EcrAuth(), {"Accept": "x"}
    assert auth._tokens == {}
    for refresh, number in ((False, 1), (False, 1), (True, 2), (False, 2)):
        found, changed = auth.authenticate_request(Refusal(CHALLENGE), given, refresh=refresh)
        assert changed
        assert found == {"Accept": "x", **header(number)}
    assert given == {"Accept": "x"}
    assert list(auth._tokens) == [REALM]
    assert aws.regions == ["eu-west-1"] * 2


@pytest.mark.parametrize(("lifetime", "asked"), [(3600, 1), (60, 2), (-1, 2)])
def test_password_is_renewed_before_it_expires(aws, lifetime, asked):
    aws.lifetime = lifetime
    auth = EcrAuth()
    auth.authorization_token(HOST)
    auth.authorization_token(HOST)
    assert len(aws.regions) == asked


def test_password_without_expiry_is_kept_for_twelve_hours(aws, monkeypatch):
    auth, now = EcrAuth(), time.time()
    auth.authorization_token(HOST)
    for later, asked in ((11.5, 1), (12.5, 2)):
        monkeypatch.setattr(time, "time", lambda later=later: now + later * 3600)
        auth.authorization_token(HOST)
        assert len(aws.regions) == asked


def test_threads_share_one_password_request(aws):
    auth = EcrAuth()
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: auth.authorization_token(HOST), range(20)))
    assert len(found) == len(aws.regions) == 1


@pytest.mark.parametrize(
    "challenge",
    [
        'Bearer realm="https://foo/",service="foo"',
        'Basic realm="https://foo.example/",service="ecr.amazonaws.com"',
        f'Basic realm="https://evil.example/?{REALM}",service="ecr.amazonaws.com"',
    ],
)
def test_bearer_challenges_use_the_token_backend(aws, monkeypatch, challenge):
    asked = []

    def answer(self, original, headers, refresh):
        asked.append(original)
        return {"from": "TokenAuth"}, True

    monkeypatch.setattr("oras.auth.token.TokenAuth.authenticate_request", answer)
    refusal = Refusal(challenge)
    assert EcrAuth().authenticate_request(refusal, {}) == ({"from": "TokenAuth"}, True)
    assert asked == [refusal]
    assert aws.regions == []


def test_password_is_not_sent_to_another_registry(aws):
    auth = EcrAuth()
    refusal = Refusal(CHALLENGE, "https://evil.example/v2/")
    assert auth.authenticate_request(refusal, {}) == ({}, False)
    assert aws.regions == []
    assert auth.authenticate_request(Refusal(CHALLENGE, f"{REALM}v2/"), {})[1]


def test_refusal_without_a_challenge_asks_for_no_password(aws):
    assert EcrAuth().authenticate_request(Refusal(""), None) == ({}, False)
    assert aws.regions == []


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (HOST, "eu-west-1"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
        ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "us-east-1"),
        ("123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "cn-north-1"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws.evil.example", None),
        ("public.ecr.aws", None),
        (f"{HOST}.evil.example", None),
        (f"evil-{HOST}", None),
        ("123456789012.dkr.ecr.a.b.amazonaws.com", None),
    ],
)
def test_ecr_hosts_are_recognised(host, region):
    found = EcrAuth.AWS_ECR_PATTERN.fullmatch(host)
    assert (found and found["region"]) == region


def test_client_gets_its_password_from_aws(aws, monkeypatch):
    world = World(
        {
            f"https://{HOST}": BasicSite("AWS", "password1", challenge=CHALLENGE),
            "https://a.example": BasicSite("AWS", "password1"),
        }
    )
    inhabit(monkeypatch, world)
    client = OrasClient(auth_backend="ecr")
    assert get(client, f"https://{HOST}{TAGS}") == 200
    assert get(client, f"https://{HOST}{TAGS}") == 200
    assert get(client, f"https://a.example{TAGS}") == 401
    assert {seen.authorization for seen in world.to("https://a.example")} == {""}
    assert aws.regions == ["eu-west-1"]


def test_refused_password_is_renewed(aws, monkeypatch):
    site = BasicSite("AWS", "password1", challenge=CHALLENGE)
    inhabit(monkeypatch, World({f"https://{HOST}": site}))
    client = OrasClient(auth_backend="ecr")
    aws.lifetime = 0
    assert get(client, f"https://{HOST}{TAGS}") == 200
    site.wanted = header(2)["Authorization"]
    assert get(client, f"https://{HOST}{TAGS}") == 200
    assert len(aws.regions) == 2


def test_set_basic_auth_is_used_before_aws(aws, monkeypatch):
    inhabit(monkeypatch, World({f"https://{HOST}": BasicSite("AWS", "mine")}))
    client = OrasClient(hostname=HOST, auth_backend="ecr")
    client.auth.set_basic_auth("AWS", "mine")
    assert get(client, f"https://{HOST}{TAGS}") == 200
    assert aws.regions == []


def test_logout_removes_the_cached_password(aws, monkeypatch):
    inhabit(monkeypatch, World({f"https://{HOST}": BasicSite("AWS", "password1")}))
    client = OrasClient(auth_backend="ecr")
    get(client, f"https://{HOST}{TAGS}")
    client.logout(HOST)
    client.auth.authorization_token(HOST)
    assert len(aws.regions) == 2


def test_missing_boto3_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ImportError, match=r"oras-sdk\[ecr\]") as caught:
        EcrAuth().authenticate_request(Refusal(CHALLENGE), {})
    assert isinstance(caught.value, CredentialError)
    assert isinstance(caught.value, MissingBoto3Error)
    inhabit(monkeypatch, World({f"https://{HOST}": BasicSite("AWS", "x", challenge=CHALLENGE)}))
    with pytest.raises(ImportError, match="boto3"):
        OrasClient(auth_backend="ecr").get_tags(f"{HOST}/app")


def test_aws_error_message_is_reported(aws):
    aws.error = RuntimeError("Unable to locate credentials")
    with pytest.raises(CredentialError, match="Unable to locate credentials") as caught:
        EcrAuth().authenticate_request(Refusal(CHALLENGE), {})
    assert caught.value.__cause__ is aws.error


def test_other_hosts_have_no_aws_password(aws):
    auth = EcrAuth()
    assert isinstance(auth, TokenAuth)
    with pytest.raises(ValueError, match="not an ECR registry"):
        auth.authorization_token("a.example")
    auth.keep("a.example", Credential("alice", "sesame"))
    assert auth.username == "alice"
