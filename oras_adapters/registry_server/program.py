"""The program `python -m oras_adapters.registry_server`."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory
from typing import Final

from oras_adapters.files.local_files import LocalFileTree, scratch_directory
from oras_adapters.registry_server.certificates import certificate_from, issue_certificate
from oras_adapters.registry_server.htpasswd import HtpasswdLogins
from oras_adapters.registry_server.server import RegistryServer
from oras_core.errors import InvalidConfigurationError, OrasError
from oras_core.model.paths import is_unfinished, sanitize_path
from oras_core.ports.files import FileTree
from oras_core.testing.registry.auth import TokenService
from oras_core.testing.registry.registry import EmbeddedRegistry

__all__ = ["main"]

_LOG = logging.getLogger(__name__)

GRACE: Final = 10.0
"""Seconds that requests in progress get after SIGTERM."""

LOCK: Final = sanitize_path(".oras-registry.lock")

DESCRIPTION: Final = """\
Run an OCI registry on this machine, for development and tests.

It listens on the loopback interface only: no other machine can reach it. Without options, it
takes a free port, demands no login, and stores everything in a temporary folder, which it
removes at the end. It prints HOST:PORT when it is ready, and logs each request to stderr.
Ctrl-C or SIGTERM ends it, after the requests in progress."""

EXAMPLES: Final = """\
examples:
  python -m oras_adapters.registry_server --port 5001
      a registry at localhost:5001 that forgets everything at the end
  python -m oras_adapters.registry_server --port 5001 --storage ./registry
      the same, which keeps its content; `skopeo inspect oci:./registry/team/app:v1` reads it
  python -m oras_adapters.registry_server --user alice:secret --token-auth --tls --ca-file ca.pem
      bearer tokens for alice, over HTTPS; clients trust ca.pem"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m oras_adapters.registry_server",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    address = parser.add_argument_group("address")
    address.add_argument(
        "--host", default="127.0.0.1", help="a loopback address; 127.0.0.1 by default"
    )
    address.add_argument(
        "--port", type=int, default=0, help="the port; 0, the default, for a free one"
    )
    address.add_argument(
        "--tls",
        metavar="PEM",
        nargs="?",
        const="",
        help="speak HTTPS, with the certificate and private key in the file PEM; without PEM, "
        "with a certificate that is issued for this run (needs the extra `testing`)",
    )
    address.add_argument(
        "--ca-file",
        metavar="FILE",
        help="where --tls without PEM writes the certificate that clients must trust",
    )
    content = parser.add_argument_group("content")
    place = content.add_mutually_exclusive_group()
    place.add_argument(
        "--storage",
        metavar="DIR",
        help="keep the content in this folder: an OCI image layout for each repository",
    )
    place.add_argument("--memory", action="store_true", help="store blobs in memory")
    content.add_argument(
        "--read-only", action="store_true", help="refuse every push and every deletion"
    )
    content.add_argument(
        "--sparse", action="store_true", help="accept manifests whose blobs are missing"
    )
    content.add_argument(
        "--no-referrers", action="store_true", help="have no referrers API, as older registries"
    )
    logins = parser.add_argument_group("logins")
    users = logins.add_mutually_exclusive_group()
    users.add_argument(
        "--user",
        metavar="NAME:PASSWORD",
        type=_user,
        action="append",
        help="demand this login; may be repeated. Other users of this machine can see it in "
        "the list of processes",
    )
    users.add_argument(
        "--htpasswd",
        metavar="FILE",
        help="demand a login of this file, made by `htpasswd -B` (needs the extra `testing`)",
    )
    logins.add_argument(
        "--token-auth",
        action="store_true",
        help="demand bearer tokens, which users get for their password; anyone may pull",
    )
    parser.add_argument("--quiet", action="store_true", help="log no requests")
    return parser


def _user(text: str) -> tuple[str, str]:
    name, colon, password = text.partition(":")
    if not (name and colon and password):
        raise argparse.ArgumentTypeError("expected NAME:PASSWORD")
    return name, password


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a registry until SIGINT or SIGTERM; its address is the only line on stdout."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.token_auth and not (options.user or options.htpasswd):
        parser.error("--token-auth needs --user or --htpasswd: nobody could push")
    if options.ca_file and options.tls != "":
        parser.error("--ca-file needs --tls without PEM")
    level = logging.WARNING if options.quiet else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(message)s")
    with ExitStack() as opened:
        try:
            files, place = _storage(options, opened)
            registry = _registry(options, files)
            tls = _tls(options, opened)
            server = RegistryServer(
                registry, host=options.host, port=options.port, tls=tls, grace=GRACE
            )
        except (OrasError, OSError, OverflowError) as error:
            parser.error(str(error))
        signals = opened.enter_context(_signals_to_end())
        with server:
            _LOG.info("the registry listens at %s, for this machine only", server.url)
            _LOG.info("it stores blobs in %s", place)
            sys.stdout.write(f"{server.address}\n")
            sys.stdout.flush()
            signals.recv(1)
            _LOG.info("the registry ends")
    return 0


@contextmanager
def _signals_to_end() -> Iterator[socket.socket]:
    """Handle SIGINT and SIGTERM: each makes a byte arrive at the socket.

    A handler that sets an event is not enough. It waits forever for a lock that the interrupted
    thread holds. It is called late if the signal comes just before that thread waits.
    """
    receiving, sending = socket.socketpair()
    with receiving, sending:
        sending.settimeout(0)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        before = signal.set_wakeup_fd(sending.fileno())
        try:
            yield receiving
        finally:
            signal.set_wakeup_fd(before)


def _storage(options: argparse.Namespace, opened: ExitStack) -> tuple[FileTree | None, str]:
    """Return the folder for the content, and its description."""
    if options.memory:
        return None, "memory"
    if not options.storage:
        return opened.enter_context(scratch_directory()), "a temporary folder"
    files = LocalFileTree(options.storage, create=True)
    lock = files.try_lock(LOCK)
    if lock is None:
        raise InvalidConfigurationError(options.storage, "another registry uses this folder")
    opened.enter_context(lock)
    _remove_unfinished(options.storage)
    return files, os.path.abspath(options.storage)


def _remove_unfinished(root: str) -> None:
    """Remove partial files and upload sessions that a killed registry has left."""
    uploads = os.path.join(root, "_uploads")
    for folder, _, names in os.walk(root):
        for name in names:
            if folder == uploads or is_unfinished(name):
                os.unlink(os.path.join(folder, name))


def _registry(options: argparse.Namespace, files: FileTree | None) -> EmbeddedRegistry:
    users = HtpasswdLogins(options.htpasswd) if options.htpasswd else dict(options.user or ())
    tokens = TokenService(users=users) if options.token_auth else None
    demands_login = bool(options.user or options.htpasswd) and tokens is None
    return EmbeddedRegistry(
        files,
        users=users if demands_login else None,
        token_service=tokens,
        referrers=not options.no_referrers,
        sparse=options.sparse,
        read_only=options.read_only,
    )


def _tls(options: argparse.Namespace, opened: ExitStack) -> ssl.SSLContext | None:
    if options.tls is None:
        return None
    if options.tls:
        return certificate_from(options.tls)
    folder = opened.enter_context(TemporaryDirectory(prefix="oras-"))
    ca_file = options.ca_file or os.path.join(folder, "ca.pem")
    context = issue_certificate(ca_file)
    _LOG.info("clients must trust the certificate in %s", ca_file)
    return context
