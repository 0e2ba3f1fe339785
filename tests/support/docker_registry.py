"""A real docker-registry of its own for a test: on the loopback interface, gone afterwards."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import bcrypt
from attrs import field, frozen

from support.access_log import LoggedRequest, listening_port, read_requests
from support.certificates import CertificateFiles, write_certificates
from support.programs import require_program
from support.token_server import TokenPolicy, TokenServer

_START_SECONDS = 15.0
_STOP_SECONDS = 5.0
_SETTLE_SECONDS = 5.0
_POLL_SECONDS = 0.003
# The log counts as quiet after this many polls without growth.
_QUIET_POLLS = 5
_PROBE_AGENT = "registry-probe/"
_BCRYPT_COST = 5  # 2 ms a check; the usual 10 would dominate every request


@frozen
class RegistryConfig:
    """What makes one kind of registry: how it is reached, what it demands."""

    directory: Path
    host: str = "127.0.0.1"
    auth: Mapping[str, object] = field(factory=dict, repr=False)
    certificates: CertificateFiles | None = None
    demands_client_certificate: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token_server: TokenServer | None = None
    caches_descriptors: bool = False

    def document(self, storage: Path) -> dict[str, object]:
        """Return the program's configuration, which is YAML and therefore may be JSON."""
        # Port 0 lets the system choose: no other process can take the port in between.
        server: dict[str, object] = {"addr": "127.0.0.1:0", "secret": uuid.uuid4().hex}
        if self.certificates is not None:
            tls: dict[str, object] = {
                "certificate": str(self.certificates.server_certificate),
                "key": str(self.certificates.server_key),
            }
            if self.demands_client_certificate:
                tls["clientcas"] = [str(self.certificates.ca_file)]
            server["tls"] = tls
        stored: dict[str, object] = {
            "filesystem": {"rootdirectory": str(storage)},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        }
        if self.caches_descriptors:
            stored["cache"] = {"blobdescriptor": "inmemory"}
        document: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "info", "formatter": "json", "accesslog": {"disabled": True}},
            "storage": stored,
            "http": server,
        }
        if self.auth:
            document["auth"] = self.auth
        return document


class DockerRegistry:
    """One docker-registry process, which lives as long as the `with` block.

    Skips the test where the program is not installed (see `require_program`).
    """

    def __init__(self, config: RegistryConfig) -> None:
        """Set the registry up; nothing runs before `__enter__`."""
        self.config = config
        self._port: int | None = None

    def __enter__(self) -> DockerRegistry:
        """Start the process and wait until it answers.

        Raises:
            RuntimeError: it ended or did not answer in time; the message holds its log.
        """
        program = require_program("docker-registry")
        self._home = Path(tempfile.mkdtemp(prefix="registry-", dir=self.config.directory))
        self._log = self._home / "log.jsonl"
        configuration = self._home / "config.yml"
        configuration.write_text(json.dumps(self.config.document(self.storage)))
        # The program lets REGISTRY_* variables override its configuration.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "serve", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=environment,
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the process and remove all that it stored."""
        self._stop()

    @property
    def storage(self) -> Path:
        """The folder that holds its content, in the program's own layout."""
        return self._home / "storage"

    @property
    def address(self) -> str:
        """Host and port, as in a reference."""
        return f"{self.config.host}:{self._port}"

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "http" if self.config.certificates is None else "https"

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"{self.scheme}://{self.address}"

    @property
    def username(self) -> str | None:
        """A user with all permissions; None for a registry without logins."""
        return self.config.username

    @property
    def password(self) -> str | None:
        """That user's password."""
        return self.config.password

    @property
    def ca_file(self) -> Path | None:
        """The authority that signed the registry's certificate; None without TLS."""
        certificates = self.config.certificates
        return None if certificates is None else certificates.ca_file

    @property
    def client_certificate(self) -> tuple[Path, Path] | None:
        """Certificate and key that the registry demands from clients; None if it demands none."""
        certificates = self.config.certificates
        if certificates is None or not self.config.demands_client_certificate:
            return None
        return certificates.client_certificate, certificates.client_key

    @property
    def token_server(self) -> TokenServer:
        """The server that issues this registry's tokens.

        Raises:
            LookupError: the registry knows no tokens.
        """
        if self.config.token_server is None:
            raise LookupError(f"the registry {self.address} has no token server")
        return self.config.token_server

    def access_log(self) -> list[LoggedRequest]:
        """Return every request so far in the order of the answers, once the log has settled."""
        self._settle()
        return [
            request
            for request in read_requests(self._log_lines())
            if not request.user_agent.startswith(_PROBE_AGENT)
        ]

    @contextmanager
    def recording(self) -> Iterator[list[LoggedRequest]]:
        """Collect the requests of the block in a list, which is filled when the block ends."""
        recorded: list[LoggedRequest] = []
        start = len(self.access_log())
        try:
            yield recorded
        finally:
            recorded.extend(self.access_log()[start:])

    def _log_lines(self) -> list[bytes]:
        return self._log.read_bytes().splitlines(keepends=True)

    def _log_text(self) -> str:
        return self._log.read_text(errors="replace")

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while (port := listening_port(self._log_lines())) is None:
            if self._process.poll() is not None:
                raise RuntimeError(f"docker-registry ended at its start:\n{self._log_text()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"docker-registry does not listen:\n{self._log_text()}")
            time.sleep(_POLL_SECONDS)
        self._port = port
        self._probe(f"{_PROBE_AGENT}start")

    def _probe(self, user_agent: str) -> None:
        connection: http.client.HTTPConnection
        if self.config.certificates is None:
            connection = http.client.HTTPConnection(self.address, timeout=_START_SECONDS)
        else:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.client_certificate is not None:
                context.load_cert_chain(*self.client_certificate)
            connection = http.client.HTTPSConnection(
                self.address, timeout=_START_SECONDS, context=context
            )
        try:
            connection.request("GET", "/v2/", headers={"User-Agent": user_agent})
            connection.getresponse().read()
        finally:
            connection.close()

    def _settle(self) -> None:
        """Wait until the log holds a request sent just now and has stopped growing.

        The registry logs a large answer only after the client has read it, so that a request
        which the test has finished may still be missing.
        """
        user_agent = f"{_PROBE_AGENT}{uuid.uuid4().hex}"
        self._probe(user_agent)
        deadline = time.monotonic() + _SETTLE_SECONDS
        quiet, size = 0, -1
        while quiet < _QUIET_POLLS:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the log of {self.address} does not settle")
            content = self._log.read_bytes()
            seen = user_agent.encode() in content
            quiet = quiet + 1 if seen and len(content) == size else 0
            size = len(content)
            time.sleep(_POLL_SECONDS)

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._home)


def _first_user(users: Mapping[str, str]) -> tuple[str, str]:
    return next(iter(users.items()))


@contextmanager
def _private_directory(parent: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="secrets-", dir=parent) as name:
        yield Path(name)


def _htpasswd(path: Path, users: Mapping[str, str]) -> dict[str, object]:
    salted = {
        name: bcrypt.hashpw(secret.encode(), bcrypt.gensalt(_BCRYPT_COST)).decode()
        for name, secret in users.items()
    }
    path.write_text("".join(f"{name}:{hashed}\n" for name, hashed in salted.items()))
    return {"htpasswd": {"realm": "registry.test", "path": str(path)}}


@contextmanager
def open_registry(directory: Path) -> Iterator[DockerRegistry]:
    """Run a registry where everybody may do everything, over plain HTTP."""
    with DockerRegistry(RegistryConfig(directory)) as registry:
        yield registry


@contextmanager
def htpasswd_registry(directory: Path, users: Mapping[str, str]) -> Iterator[DockerRegistry]:
    """Run a registry that demands Basic credentials; `users` are passwords by name."""
    with guarded_registry(directory, users, auth="htpasswd", tls="none") as registry:
        yield registry


@contextmanager
def guarded_registry(
    directory: Path, users: Mapping[str, str], *, auth: str, tls: str
) -> Iterator[DockerRegistry]:
    """Run a registry that demands who you are in one of the usual combinations.

    `auth` is `token` or `htpasswd`; `tls` is `none`, `tls` or `mutual`, which also demands a
    certificate of clients, of the token server's too.
    """
    with _private_directory(directory) as secrets:
        certificates = None if tls == "none" else write_certificates(secrets)
        demands = tls == "mutual"
        if auth == "htpasswd":
            username, password = _first_user(users)
            config = RegistryConfig(
                directory,
                host="127.0.0.1" if certificates is None else "localhost",
                auth=_htpasswd(secrets / "htpasswd", users),
                certificates=certificates,
                demands_client_certificate=demands,
                username=username,
                password=password,
            )
            with DockerRegistry(config) as registry:
                yield registry
            return
        context = certificates and certificates.server_context(demands_client=demands)
        with (
            TokenServer(TokenPolicy(users), tls=context) as token_server,
            _registry_with_tokens(directory, token_server, certificates, demands) as registry,
        ):
            yield registry


@contextmanager
def tls_registry(directory: Path) -> Iterator[DockerRegistry]:
    """Run an open registry over HTTPS as `localhost`, with a certificate of `ca_file`."""
    with _private_directory(directory) as secrets:
        config = RegistryConfig(
            directory, host="localhost", certificates=write_certificates(secrets)
        )
        with DockerRegistry(config) as registry:
            yield registry


@contextmanager
def mutual_tls_registry(directory: Path) -> Iterator[DockerRegistry]:
    """Run a registry over HTTPS that speaks only to clients with a certificate of its authority."""
    with _private_directory(directory) as secrets:
        config = RegistryConfig(
            directory,
            host="localhost",
            certificates=write_certificates(secrets),
            demands_client_certificate=True,
        )
        with DockerRegistry(config) as registry:
            yield registry


@contextmanager
def token_registry(directory: Path, users: Mapping[str, str]) -> Iterator[DockerRegistry]:
    """Run a registry that demands bearer tokens, and the server that issues them.

    The repositories below `public/` may be pulled by anybody.
    """
    with guarded_registry(directory, users, auth="token", tls="none") as registry:
        yield registry


@contextmanager
def tls_token_registry(directory: Path, users: Mapping[str, str]) -> Iterator[DockerRegistry]:
    """Run the same over HTTPS: registry and token server are `localhost` on different ports."""
    with guarded_registry(directory, users, auth="token", tls="tls") as registry:
        yield registry


@contextmanager
def _registry_with_tokens(
    directory: Path,
    token_server: TokenServer,
    certificates: CertificateFiles | None,
    demands_client_certificate: bool = False,
) -> Iterator[DockerRegistry]:
    username, password = _first_user(token_server.policy.users)
    with _private_directory(directory) as secrets:
        bundle = secrets / "tokens.pem"
        bundle.write_bytes(token_server.signer.certificate_pem())
        config = RegistryConfig(
            directory,
            host="127.0.0.1" if certificates is None else "localhost",
            auth={
                "token": {
                    "realm": token_server.realm,
                    "service": token_server.service,
                    "issuer": token_server.signer.issuer,
                    "rootcertbundle": str(bundle),
                }
            },
            certificates=certificates,
            demands_client_certificate=demands_client_certificate,
            username=username,
            password=password,
            token_server=token_server,
        )
        with DockerRegistry(config) as registry:
            yield registry
