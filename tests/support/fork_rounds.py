"""Two processes that share nothing but their past: rounds of forks in which both use one client.

    python -X dev -W error tests/support/fork_rounds.py [--rounds N] [--tls] [--threads N]

In each round the parent has used a client, forks, and both processes then ask for different tags
and push different blobs. The status is 1 if one of them gets a wrong answer, an error, or none
within a minute. Background threads of the parent hold locks and connections while it forks.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from contextlib import ExitStack
from pathlib import Path

import oras.client
from oras_adapters.factory import Composition, compose
from oras_adapters.settings.settings import HostSettings, Settings, TlsSettings
from oras_core.content.sources import BytesSource
from oras_core.model.annotations import AnnotationSet
from oras_core.testing import EmbeddedRegistry
from oras_core.verbs.push import File
from oras_core.verbs.push import push as push_artifact

TAGS = ("v0", "v1", "v2")
SECONDS = 60


class Rounds:
    """The client and the repository of all rounds."""

    def __init__(self, composition: Composition, address: str, certificate: str | None) -> None:
        """Push an artifact for each tag."""
        self.reference = f"{address}/demo"
        self.repository = composition.repository(self.reference)
        self.client = oras.client.OrasClient(tls_verify=certificate or True)
        self.expected = {}
        for tag in TAGS:
            file = File(f"{tag}.txt", BytesSource(tag.encode()))
            push_artifact(
                self.repository,
                tag,
                [file],
                annotations=AnnotationSet({"$manifest": {"tag": tag}}),
            )
            self.expected[tag] = self.repository.resolve(tag).digest

    def check(self, tag: str) -> None:
        """Ask for a tag by both clients.

        Raises:
            AssertionError: if an answer is that of another request.
        """
        assert self.repository.resolve(tag).digest == self.expected[tag]
        manifest = self.client.get_manifest(f"{self.reference}:{tag}")
        assert manifest["annotations"]["tag"] == tag, manifest

    def run(self, number: int) -> bool:
        """Fork once; return whether both processes got their own answers."""
        self.check(TAGS[0])
        child = os.fork()
        if child == 0:
            self._end(lambda: [self.check(TAGS[1]) for _ in range(2)])
        ok = True
        try:
            for _ in range(2):
                self.check(TAGS[2])
        except Exception:  # noqa: BLE001 - counted as wrong
            traceback.print_exc()
            ok = False
        _, status = os.waitpid(child, 0)
        if status:
            print(f"round {number}: the child ended with status {status}", file=sys.stderr)  # noqa: T201
        return ok and status == 0

    @staticmethod
    def _end(work) -> None:
        status = 1
        try:
            signal.alarm(SECONDS)  # ends a child that hangs
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - tells the parent
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)


def busily(rounds: Rounds, ended: threading.Event, failures: list[BaseException]) -> None:
    """Use the client in a thread until `ended`."""
    try:
        while not ended.is_set():
            for tag in TAGS:
                rounds.check(tag)
    except BaseException as error:  # noqa: BLE001 - reported by the main thread
        failures.append(error)


def main(arguments: list[str] | None = None) -> int:
    """Run the rounds; return the status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args(arguments)
    # Python 3.12 warns of what is tested here.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        os.environ.update(HOME=folder, XDG_CONFIG_HOME=folder)
        address, certificate = serve(stack, Path(folder), tls=options.tls)
        tls = TlsSettings(ca_bundle=certificate or "")
        settings = Settings(tls=tls, hosts={address: HostSettings(plain_http=not options.tls)})
        composition = stack.enter_context(compose(settings))
        rounds = Rounds(composition, address, certificate)
        ended, failures = threading.Event(), []
        arguments_ = (rounds, ended, failures)
        threads = [threading.Thread(target=busily, args=arguments_) for _ in range(options.threads)]
        for thread in threads:
            thread.start()
        start = time.monotonic()
        wrong = sum(not rounds.run(number) for number in range(options.rounds))
        ended.set()
        for thread in threads:
            thread.join()
        for failure in failures:
            traceback.print_exception(failure)
        rounds.client.connections.close()
    print(f"{options.rounds} rounds, {wrong} wrong, {time.monotonic() - start:.1f} s")  # noqa: T201 - a program
    return 1 if wrong or failures else 0


def serve(stack: ExitStack, folder: Path, *, tls: bool) -> tuple[str, str | None]:
    """Run a registry in a process of its own; return its address and its authority."""
    from support.certificates import write_certificates

    certificates = write_certificates(folder) if tls else None
    reading, writing = os.pipe()
    server = os.fork()
    if server == 0:
        serve_until_killed(writing, certificates and certificates.server_context())
    os.close(writing)
    stack.callback(os.waitpid, server, 0)
    stack.callback(os.kill, server, signal.SIGKILL)
    with open(reading, encoding="ascii") as pipe:
        address = pipe.readline().strip()
    return address, certificates and str(certificates.ca_file)


def serve_until_killed(descriptor: int, context) -> None:
    """Run a registry and write its address to a pipe."""
    from oras_adapters.registry_server import RegistryServer

    with RegistryServer(EmbeddedRegistry(), host="localhost", tls=context) as server:
        os.write(descriptor, f"{server.address}\n".encode())
        os.close(descriptor)
        signal.pause()


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    sys.exit(main())
