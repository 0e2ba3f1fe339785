"""The registries of the integration tests start, answer, and tell what they were asked."""

from __future__ import annotations

import hashlib
import json
import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from support import docker_registry
from support.docker_registry import DockerRegistry, RegistryConfig
from support.peer_oras import run_peer

AGENT = "dance/1"


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    """A client that neither retries nor follows."""
    with urllib3.PoolManager(headers={"User-Agent": AGENT}, retries=False, timeout=10.0) as manager:
        yield manager


@pytest.fixture
def trusting_pool(tls_registry: DockerRegistry) -> Iterator[urllib3.PoolManager]:
    """A client that trusts the authority of `tls_registry`."""
    with urllib3.PoolManager(retries=False, timeout=10.0, ca_certs=tls_registry.ca_file) as manager:
        yield manager


def basic(registry: DockerRegistry) -> dict[str, str]:
    return urllib3.make_headers(basic_auth=f"{registry.username}:{registry.password}")


def challenge_of(response: urllib3.BaseHTTPResponse) -> dict[str, str]:
    assert response.status == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")
    return dict(re.findall(r'(\w+)="([^"]*)"', response.headers["WWW-Authenticate"]))


def push_blob(
    pool: urllib3.PoolManager, upload: urllib3.BaseHTTPResponse, content: bytes, authorization: str
) -> urllib3.BaseHTTPResponse:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return pool.request(
        "PUT",
        f"{upload.headers['Location']}&digest={digest}",
        body=content,
        headers={"Authorization": authorization, "Content-Type": "application/octet-stream"},
    )


def test_open_registry_answers(open_registry, pool):
    assert pool.request("GET", f"{open_registry.url}/v2/").status == 200


def test_access_log_counts_requests_and_connections(open_registry, pool, repository_name):
    with open_registry.recording() as requests:
        pool.request("GET", f"{open_registry.url}/v2/")
        pool.request("GET", f"{open_registry.url}/v2/{repository_name}/tags/list?n=7")
    assert [(r.method, r.path, r.query, r.status, r.user_agent) for r in requests] == [
        ("GET", "/v2/", "", 200, AGENT),
        ("GET", f"/v2/{repository_name}/tags/list", "n=7", 404, AGENT),
    ]
    assert len({r.remote_address for r in requests}) == 1


def test_htpasswd_registry_demands_credentials(htpasswd_registry, pool):
    url = f"{htpasswd_registry.url}/v2/"
    with htpasswd_registry.recording() as requests:
        refused = pool.request("GET", url)
        admitted = pool.request("GET", url, headers=basic(htpasswd_registry))
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic ")
    assert admitted.status == 200
    assert [r.status for r in requests] == [401, 200]


def test_token_registry_takes_a_token_for_basic_credentials(token_registry, pool, repository_name):
    uploads = f"{token_registry.url}/v2/{repository_name}/blobs/uploads/"
    challenge = challenge_of(pool.request("POST", uploads))
    with token_registry.token_server.recording() as token_requests:
        answer = pool.request(
            "GET",
            challenge["realm"],
            fields={"service": challenge["service"], "scope": challenge["scope"]},
            headers=basic(token_registry),
        ).json()
    authorization = f"Bearer {answer['token']}"
    upload = pool.request("POST", uploads, headers={"Authorization": authorization})
    assert upload.status == 202
    assert push_blob(pool, upload, b"content", authorization).status == 201
    assert answer["expires_in"] == 300
    (asked,) = token_requests
    assert (asked.method, asked.authorization, asked.status) == ("GET", True, 200)
    (scope,) = asked.scopes
    resource, _, actions = scope.rpartition(":")
    assert resource == f"repository:{repository_name}"
    assert set(actions.split(",")) == {"pull", "push"}  # the registry names them in any order


def token_by_form(
    pool: urllib3.PoolManager, registry: DockerRegistry, **form: str
) -> urllib3.BaseHTTPResponse:
    return pool.request(
        "POST",
        registry.token_server.realm,
        fields={"service": registry.token_server.service, "client_id": "test", **form},
        encode_multipart=False,
    )


def test_token_registry_takes_a_token_for_an_identity_token(token_registry, pool):
    writer = token_registry.token_server.refresh_token_for(token_registry.username)
    catalog = f"{token_registry.url}/v2/_catalog"
    scope = challenge_of(pool.request("GET", catalog))["scope"]
    answer = token_by_form(
        pool, token_registry, grant_type="refresh_token", refresh_token=writer, scope=scope
    ).json()
    admitted = pool.request(
        "GET", catalog, headers={"Authorization": f"Bearer {answer['access_token']}"}
    )
    assert admitted.status == 200
    assert answer["refresh_token"] == writer


def test_password_grant_gives_an_identity_token_that_works(token_registry, pool):
    login = token_by_form(
        pool,
        token_registry,
        grant_type="password",
        username=token_registry.username,
        password=token_registry.password,
        access_type="offline",
    ).json()
    renewed = token_by_form(
        pool, token_registry, grant_type="refresh_token", refresh_token=login["refresh_token"]
    )
    assert renewed.status == 200


def test_unknown_identity_token_is_refused(token_registry, pool):
    refused = token_by_form(
        pool, token_registry, grant_type="refresh_token", refresh_token="invented"
    )
    assert (refused.status, refused.json()["error"]) == (400, "invalid_grant")


def test_wrong_password_gets_no_token(token_registry, pool):
    server = token_registry.token_server
    refused = pool.request(
        "GET",
        server.realm,
        fields={"service": server.service},
        headers=urllib3.make_headers(basic_auth=f"{token_registry.username}:wrong"),
    )
    assert refused.status == 401


@pytest.mark.parametrize(("repository", "status"), [("public/thing", 404), ("private/thing", 401)])
def test_anonymous_user_can_pull_public_repositories(token_registry, pool, repository, status):
    tags = f"{token_registry.url}/v2/{repository}/tags/list"
    challenge = challenge_of(pool.request("GET", tags))
    answer = pool.request(
        "GET",
        challenge["realm"],
        fields={"service": challenge["service"], "scope": challenge["scope"]},
    ).json()
    asked = pool.request("GET", tags, headers={"Authorization": f"Bearer {answer['token']}"})
    assert asked.status == status


def test_token_server_can_issue_expired_tokens(token_registry, pool, repository_name):
    server = token_registry.token_server
    scope = f"repository:{repository_name}:pull"
    with server.under(lifetime=-120, expires_in=None):
        answer = pool.request(
            "GET",
            server.realm,
            fields={"service": server.service, "scope": scope},
            headers=basic(token_registry),
        ).json()
    refused = pool.request(
        "GET",
        f"{token_registry.url}/v2/{repository_name}/tags/list",
        headers={"Authorization": f"Bearer {answer['token']}"},
    )
    assert "expires_in" not in answer
    assert challenge_of(refused)["error"] == "invalid_token"


def test_tls_registry_is_trusted_only_with_its_authority(tls_registry, trusting_pool, pool):
    assert trusting_pool.request("GET", f"{tls_registry.url}/v2/").status == 200
    with pytest.raises(urllib3.exceptions.SSLError):
        pool.request("GET", f"{tls_registry.url}/v2/")


def test_mutual_tls_registry_demands_a_client_certificate(mutual_tls_registry):
    context = ssl.create_default_context(cafile=mutual_tls_registry.ca_file)
    url = f"{mutual_tls_registry.url}/v2/"
    with (
        urllib3.PoolManager(ssl_context=context, retries=False) as stranger,
        pytest.raises(urllib3.exceptions.HTTPError),
    ):
        stranger.request("GET", url)
    context.load_cert_chain(*mutual_tls_registry.client_certificate)
    with urllib3.PoolManager(ssl_context=context, retries=False) as known:
        assert known.request("GET", url).status == 200


def test_tls_token_registry_names_a_realm_over_https(tls_token_registry):
    with urllib3.PoolManager(ca_certs=tls_token_registry.ca_file, retries=False) as pool:
        challenge = challenge_of(pool.request("GET", f"{tls_token_registry.url}/v2/"))
        assert challenge["realm"].startswith("https://localhost:")
        answer = pool.request(
            "GET",
            challenge["realm"],
            fields={"service": challenge["service"]},
            headers=basic(tls_token_registry),
        ).json()
        admitted = pool.request(
            "GET",
            f"{tls_token_registry.url}/v2/",
            headers={"Authorization": f"Bearer {answer['token']}"},
        )
    assert admitted.status == 200


def test_registry_leaves_no_process_and_no_files(tmp_path, pool):
    with docker_registry.token_registry(tmp_path, {"user": "secret"}) as registry:
        urls = (registry.url, registry.token_server.realm)
        pool.request("GET", registry.token_server.realm)
    assert list(tmp_path.iterdir()) == []
    for url in urls:
        with pytest.raises(urllib3.exceptions.HTTPError):
            pool.request("GET", url)


def test_registry_that_cannot_start_says_why(tmp_path):
    config = RegistryConfig(tmp_path, auth={"nonsense": {"realm": "x"}})
    with pytest.raises(RuntimeError, match="nonsense"), DockerRegistry(config):
        pass
    assert list(tmp_path.iterdir()) == []


def test_skopeo_copies_into_the_registry(skopeo, open_registry, repository_name, tmp_path):
    layout = tmp_path / "layout"
    reference = f"{open_registry.address}/{repository_name}:v1"
    write_image(layout)
    skopeo("copy", f"oci:{layout}:v1", f"docker://{reference}")
    assert '"v1"' in skopeo("list-tags", f"docker://{open_registry.address}/{repository_name}")


def test_skopeo_error_has_its_output(skopeo, open_registry, repository_name):
    with pytest.raises(RuntimeError, match=r"404|repository name not known"):
        skopeo("list-tags", f"docker://{open_registry.address}/{repository_name}")


def write_image(layout: Path) -> None:
    """Write the smallest image that skopeo takes: a config and no layer."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def add(media_type: str, content: bytes) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    config = add(
        "application/vnd.oci.image.config.v1+json",
        b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}',
    )
    manifest = add(
        "application/vnd.oci.image.manifest.v1+json",
        json.dumps({"schemaVersion": 2, "config": config, "layers": []}).encode(),
    )
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "v1"}
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))


def test_peer_is_oras_py(peer_oras, tmp_path):
    told = run_peer(peer_oras, tmp_path, "import oras; print(oras.__file__)")
    assert "site-packages" in told
    assert str(peer_oras.parent.parent) in told
