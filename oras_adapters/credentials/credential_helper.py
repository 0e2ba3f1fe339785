"""Credential helpers: the programs `docker-credential-NAME` that docker and podman use (R12)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from oras_core.cancellation import LOOK_SECONDS, current_token
from oras_core.credentials import config_key
from oras_core.errors import CredentialHelperError
from oras_core.errors.redaction import redact_text
from oras_core.ports.credentials import Credential, CredentialStore

if TYPE_CHECKING:
    import subprocess

__all__ = ["CredentialHelperStore"]

TIMEOUT: Final = 60.0
"""Timeout in seconds: a helper may ask the user to unlock a keychain."""

TOKEN_USERNAME: Final = "<token>"  # noqa: S105 - the protocol's mark, not a secret
"""The user name that marks a helper's secret as an identity token (R3)."""


@cache
def _not_found() -> re.Pattern[str]:
    """Return what helpers print if they have no credential; each has words of its own (R12)."""
    return re.compile(
        "|".join(
            (
                r"credentials? (?:was |were )?not found",
                r"no (?:stored )?credentials? (?:found )?(?:for|in)\b",
                r"no credentials (?:found|stored|server url|username)",
                r"(?:item|element|secret|entry|password) (?:could |was )?(?:be )?not (?:be )?found",
                r"is not in the password store",
                r"(?:pass|password) store is (?:empty|uninitialized)",
                r"no such (?:credential|secret|entry|item)",
            )
        ),
        re.IGNORECASE,
    )


@cache
def _helper_name() -> re.Pattern[str]:
    return re.compile(r"[A-Za-z0-9._-]+\Z")


class CredentialHelperStore(CredentialStore):
    """Keeps credentials with a helper program. Thread-safe.

    Secrets pass through the program's standard input and output. They never appear in its
    arguments, which every user of the machine can read.
    """

    def __init__(self, name: str, *, timeout: float = TIMEOUT) -> None:
        """Use the program `docker-credential-NAME` on the `PATH`.

        Args:
            name: e.g. `osxkeychain`, `secretservice`, `pass`, `ecr-login`.
            timeout: maximum run time in seconds.

        Raises:
            CredentialHelperError: if the name contains a path or other invalid characters.
        """
        if not _helper_name().match(name) or name.strip(".") == "":
            raise CredentialHelperError(
                "use a credential helper",
                repr(name),
                "its name may hold letters, digits, '.', '_' and '-' only",
            )
        self._program = f"docker-credential-{name}"
        self._timeout = timeout

    def __repr__(self) -> str:
        """Name the program."""
        return f"CredentialHelperStore({self._program!r})"

    def places(self, registry: str) -> tuple[str, ...]:  # noqa: ARG002 - the port's signature
        """Name the program."""
        return (self._program,)

    def get(self, registry: str) -> Credential | None:
        """Return the credential; None if the helper has none.

        Raises:
            CredentialHelperError: if the helper is missing, fails, hangs or sends invalid output.
        """
        operation = f"read the credential for {registry}"
        answer = self._run("get", config_key(_host(registry)), operation, missing_ok=True)
        if answer is None:
            return None
        entry = self._object(answer, operation)
        username, secret = entry.get("Username"), entry.get("Secret")
        if not isinstance(username, str) or not isinstance(secret, str):
            raise self._error(operation, "its output has no Username and Secret")
        if username == TOKEN_USERNAME:
            return Credential(identity_token=secret)
        return Credential(username, secret)

    def put(self, registry: str, credential: Credential) -> None:
        """Store the credential with the helper.

        Raises:
            CredentialHelperError: if the helper is missing, fails or hangs, or if the
                credential has a registry token, which the protocol does not support.
        """
        operation = f"store the credential for {registry}"
        if credential.registry_token:
            raise self._error(operation, "helpers store passwords and identity tokens only")
        entry = {
            "ServerURL": config_key(_host(registry)),
            "Username": TOKEN_USERNAME if credential.identity_token else credential.username,
            "Secret": credential.identity_token or credential.password,
        }
        self._run("store", json.dumps(entry), operation, secret=entry["Secret"])

    def delete(self, registry: str) -> None:
        """Delete the credential from the helper.

        Raises:
            CredentialHelperError: if the helper is missing, fails or hangs.
        """
        operation = f"erase the credential for {registry}"
        self._run("erase", config_key(_host(registry)), operation, missing_ok=True)

    def replace(self, registry: str, old: Credential, new: Credential) -> None:
        """Store `new` if the helper has `old`; raises as `get` and `put`."""
        if self.get(registry) == old:
            self.put(registry, new)

    def registries(self) -> Mapping[str, str]:
        """Return the user names of the helper's credentials, by registry key.

        Raises:
            CredentialHelperError: if the helper is missing, fails, hangs or sends invalid output.
        """
        operation = "list the credentials"
        answer = self._object(self._run("list", "", operation) or "{}", operation)
        return {key: name for key, name in answer.items() if isinstance(name, str)}

    def _run(
        self,
        action: str,
        text: str,
        operation: str,
        *,
        missing_ok: bool = False,
        secret: str = "",
    ) -> str | None:
        """Run one action; return its output, or None if there is no such credential."""
        run = self._start(action, text)
        if isinstance(run, str):
            # Not in an except block: the chained error would contain the output.
            raise self._error(operation, run)
        if run.returncode == 0:
            return run.stdout
        said = run.stdout.strip() or run.stderr.strip()
        if missing_ok and _not_found().search(f"{run.stdout}\n{run.stderr}"):
            return None
        raise self._error(operation, _reason(run.returncode, said, secret))

    def _start(self, action: str, text: str) -> subprocess.CompletedProcess[str] | str:
        """Run the program; return the result, or the reason if it could not run.

        Raises:
            CancelledError: if the thread's cancellation token is cancelled.
        """
        import subprocess  # noqa: PLC0415 - slow to import, and few users have a helper

        try:
            with subprocess.Popen(  # noqa: S603 - a checked name, no shell, no arguments of others
                [self._program, action],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
            ) as program:
                try:
                    return self._finish(program, text)
                except BaseException:
                    program.kill()
                    raise
        except FileNotFoundError:
            return "there is no such program on the PATH; install it or configure another one"
        except subprocess.TimeoutExpired:
            return f"it took more than {self._timeout:g} seconds"
        except OSError as error:
            return f"it cannot be started: {error.strerror}"

    def _finish(
        self, program: subprocess.Popen[str], text: str
    ) -> subprocess.CompletedProcess[str]:
        """Send `text` to the program and wait for its end, for the timeout or cancellation."""
        import subprocess  # noqa: PLC0415 - as above

        token = current_token()
        end = time.monotonic() + self._timeout
        given: str | None = text
        while True:
            try:
                left = max(0.0, end - time.monotonic())
                said, failed = program.communicate(given, timeout=min(LOOK_SECONDS, left))
            except subprocess.TimeoutExpired:
                given = None  # already sent
                token.raise_if_cancelled(f"run {self._program}")
                if time.monotonic() >= end:
                    raise
            else:
                return subprocess.CompletedProcess((), program.returncode, said, failed)

    def _object(self, answer: str, operation: str) -> dict[str, Any]:
        reason = "its output is not a JSON object"
        try:
            document: object = json.loads(answer)
        except (ValueError, RecursionError):
            document, reason = None, "its output is not JSON"
        # Not in the except block: the chained error would contain the output and its secret.
        if not isinstance(document, dict):
            raise self._error(operation, reason)
        return document

    def _error(self, operation: str, reason: str) -> CredentialHelperError:
        return CredentialHelperError(operation, self._program, reason)


def _host(registry: str) -> str:
    # Helpers store credentials by registry, not by repository.
    return registry.partition("/")[0]


def _reason(status: int, said: str, secret: str) -> str:
    line = redact_text(said.partition("\n")[0])
    if not line or (secret and secret in said):
        return f"it ended with status {status}"
    return f"it ended with status {status}: {line[:200]}"
