"""`auth_backend="ecr"` with the real boto3, over an AWS that answers as recorded."""

from __future__ import annotations

import base64
import json
import time

import pytest

from oras.client import OrasClient
from support.auth_world import Reply, World, basic
from support.modules import require_module
from support.processes import run_python
from support.recording_transport import Reply as Answer
from support.recording_transport import serving
from support.world_client import get, inhabit

SECRETS = ("aws-secret-key", "password-one", "password-two")
HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
ORIGIN = f"https://{HOST}"
URL = f"{ORIGIN}/v2/app/tags/list"


def issued(password, lifetime=43_200):
    token = base64.b64encode(f"AWS:{password}".encode()).decode()
    data = {
        "authorizationToken": token,
        "expiresAt": time.time() + lifetime,
        "proxyEndpoint": ORIGIN,
    }
    return Answer(
        200,
        {"Content-Type": "application/x-amz-json-1.1"},
        json.dumps({"authorizationData": [data]}).encode(),
    )


@pytest.fixture
def aws(monkeypatch, tmp_path):
    """AWS on the loopback interface: gives one password after the other; what it received."""
    answers = [issued("password-one"), issued("password-two")]
    with serving(lambda _: answers.pop(0)) as (address, received):
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", f"http://{address}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws-secret-key")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        yield received


class Ecr:
    """Takes one password; of another it says that it has expired, by 403."""

    password = "password-one"

    def __call__(self, seen):
        challenge = f'Basic realm="{ORIGIN}/",service="ecr.amazonaws.com"'
        if not seen.authorization:
            return Reply(401, (("WWW-Authenticate", challenge),), b"Not Authorized")
        if seen.authorization != basic("AWS", self.password):
            said = {"code": "DENIED", "message": "Your authorization token has expired."}
            return Reply(403, body=json.dumps({"errors": [said]}).encode())
        return Reply(200, body=b'{"name": "app", "tags": []}')


def test_boto3_is_called_once_and_again_after_the_password_expires(aws, monkeypatch):
    require_module("boto3")
    ecr = Ecr()
    world = World({ORIGIN: ecr})
    inhabit(monkeypatch, world)
    client = OrasClient(auth_backend="ecr")
    assert [get(client, URL), get(client, URL)] == [200, 200]
    ecr.password = "password-two"
    assert get(client, URL) == 200
    one, two = basic("AWS", "password-one"), basic("AWS", "password-two")
    assert [seen.authorization for seen in world.seen] == ["", one, one, one, two]
    assert [(request.method, request.headers["X-Amz-Target"]) for request in aws] == [
        ("POST", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken")
    ] * 2
    assert "/eu-west-1/ecr/aws4_request" in aws[0].headers["Authorization"]


def test_boto3_is_imported_only_by_the_ecr_backend():
    code = """
import sys, oras.client, oras.auth
for backend in ("token", "basic", "ecr"):
    oras.client.OrasClient(auth_backend=backend)
print([name for name in ("boto3", "botocore") if name in sys.modules])
"""
    assert run_python("-c", code) == "[]\n"
