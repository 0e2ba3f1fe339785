"""Credentials in docker's configuration file, which other tools share (R11)."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from oras_adapters.credentials.config_file import ConfigFile, replace_file
from oras_core.credentials import config_key, key_forms, registry_keys
from oras_core.errors import CredentialError
from oras_core.ports.credentials import Credential, CredentialStore

__all__ = ["DockerConfigStore"]

_LOGGER = logging.getLogger(__name__)

_OUR_FIELDS: Final = ("auth", "username", "password", "identitytoken", "registrytoken")


class DockerConfigStore(CredentialStore):
    """The entries `auths` of a `config.json`, and the names of its credential helpers.

    Writing replaces the file atomically and keeps its other entries, its owner, mode and links:
    see `ConfigFile`. A new file has mode 0600, a new folder mode 0700. Processes that write at
    the same time wait for each other, by a lock on the file `config.json.lock` beside it.

    Passwords in the file are encoded, not encrypted. `helper_for` returns the program that the
    user has chosen to keep them instead; this store does not run it.
    """

    def __init__(self, path: str | Path) -> None:
        """Use the file at `path`; it need not exist."""
        self._path = Path(path)
        self._file = ConfigFile(self._path)
        self._warned = False

    def __repr__(self) -> str:
        """Name the file."""
        return f"DockerConfigStore({str(self._path)!r})"

    def places(self, registry: str) -> tuple[str, ...]:  # noqa: ARG002 - the port's signature
        """Name the file."""
        return (str(self._path),)

    # --- The port -------------------------------------------------------------------------

    def get(self, registry: str) -> Credential | None:
        """Return the credential of the first non-empty entry for `registry`.

        Raises:
            CredentialError: if the file or that entry cannot be read.
        """
        operation = f"read the credential for {registry}"
        entries = self._section("auths", self._read(operation), operation)
        by_key = {key.lower(): key for key in entries}
        for form in registry_keys(registry):
            if form in by_key:
                credential = self._credential(by_key[form], entries[by_key[form]], operation)
                if not credential.is_empty:
                    return credential
        return None

    def put(self, registry: str, credential: Credential) -> None:
        """Write the entry for `registry`, and remove its entries under other keys.

        Raises:
            CredentialError: if the file cannot be read or written.
        """
        operation = f"store the credential for {registry}"
        if ":" in credential.username:
            raise self._error(operation, "a user name cannot hold a colon")
        with self._writing(operation) as document:
            entries = dict(self._section("auths", document, operation))
            removed = self._remove(entries, registry)
            entries[config_key(registry)] = {**_foreign_fields(removed), **_fields(credential)}
            document["auths"] = entries

    def delete(self, registry: str) -> None:
        """Remove the entries for `registry` under all of its keys.

        Raises:
            CredentialError: if the file cannot be read or written.
        """
        operation = f"erase the credential for {registry}"
        present = self._section("auths", self._load(operation), operation)
        if not self._remove(dict(present), registry):
            return
        with self._writing(operation) as document:
            entries = dict(self._section("auths", document, operation))
            self._remove(entries, registry)
            document["auths"] = entries

    def replace(self, registry: str, old: Credential, new: Credential) -> None:
        """Write `new` to the entry for `registry` that contains `old`, if there is one.

        Raises:
            CredentialError: if the file cannot be read or written.
        """
        operation = f"store the new credential for {registry}"
        keys = registry_keys(registry)
        with self._writing(operation) as document:
            entries = dict(self._section("auths", document, operation))
            for key in sorted(key for key in entries if key.lower() in keys):
                if self._credential(key, entries[key], operation) == old:
                    entries[key] = {**_foreign_fields([entries[key]]), **_fields(new)}
                    document["auths"] = entries

    # --- Helpers --------------------------------------------------------------------------

    def helper_for(self, registry: str) -> str | None:
        """Return the name of the credential helper for `registry`, unchecked.

        `credHelpers` (one registry) has priority over `credsStore` (all registries) (R12). None
        if the file names no helper: credentials are then kept in the file itself. The caller
        must check the name before it runs a program.

        Raises:
            CredentialError: if the file cannot be read.
        """
        operation = f"find the credential helper for {registry}"
        document = self._read(operation)
        helpers = self._section("credHelpers", document, operation)
        by_key = {key.lower(): value for key, value in helpers.items()}
        named = [by_key.get(form) for form in registry_keys(registry)]
        for name in (*named, document.get("credsStore")):
            if name is not None and not isinstance(name, str):
                raise self._error(operation, "the name of a credential helper is not a string")
            if name:
                return name
        return None

    # --- Entries --------------------------------------------------------------------------

    def _section(self, name: str, document: Mapping[str, Any], operation: str) -> Mapping[str, Any]:
        section = document.get(name)
        if section is None:
            return {}
        if not isinstance(section, dict):
            raise self._error(operation, f"its {name!r} is not an object")
        return section

    @staticmethod
    def _remove(entries: dict[str, Any], registry: str) -> list[Any]:
        """Remove the entries of a registry; return them, that of the best key first."""
        forms = key_forms(registry)
        found = sorted(
            (key for key in entries if key.lower() in forms),
            key=lambda key: forms.index(key.lower()),
        )
        return [entries.pop(key) for key in found]

    def _credential(self, key: str, entry: object, operation: str) -> Credential:
        if not isinstance(entry, dict):
            raise self._error(operation, f"its entry {key!r} is not an object")
        values = {name: entry.get(name) or "" for name in _OUR_FIELDS}
        if not all(isinstance(value, str) for value in values.values()):
            raise self._error(operation, f"a field of its entry {key!r} is not a string")
        username, password = values["username"], values["password"]
        if values["auth"]:
            pair = _decoded(values["auth"])
            if pair is None:
                reason = "'auth' is not the base64 of USERNAME:PASSWORD"
                raise self._error(operation, f"in its entry {key!r} {reason}")
            username, password = pair
        return Credential(username, password, values["identitytoken"], values["registrytoken"])

    # --- The file -------------------------------------------------------------------------

    def _error(self, operation: str, reason: str) -> CredentialError:
        return CredentialError(operation, str(self._path), reason)

    def _read(self, operation: str) -> dict[str, Any]:
        """Return the document to look something up.

        A file that the user may not read is not the user's: it is skipped with a warning.
        """
        try:
            return self._load(operation)
        except _UnreadableError as error:
            if not self._warned:
                self._warned = True
                _LOGGER.warning("%s; it is ignored", error)
            return {}

    def _load(self, operation: str) -> dict[str, Any]:
        try:
            content = self._file.read()
        except PermissionError as error:
            raise _UnreadableError(operation, str(self._path), _words(error)) from error
        except OSError as error:
            raise self._error(operation, _words(error)) from error
        if not content.strip():
            return {}
        document, reason = None, "it is JSON, but not an object"
        try:
            document = json.loads(content.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            place = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
            reason = f"it is not JSON{place}"
        # Not in the except block: the chained error would contain the text with its secrets.
        if not isinstance(document, dict):
            raise self._error(operation, reason)
        return document

    @contextlib.contextmanager
    def _writing(self, operation: str) -> Iterator[dict[str, Any]]:
        """Yield the document for changes; write it afterwards if it has changed."""
        try:
            with self._file.writing() as target:
                document = self._load(operation)
                before = json.dumps(document)
                yield document
                if json.dumps(document) != before:
                    replace_file(target, json.dumps(document, indent="\t").encode("ascii"))
        except OSError as error:
            raise self._error(operation, _words(error)) from error


class _UnreadableError(CredentialError):
    """The user may not read the file."""


def _words(error: OSError) -> str:
    return error.strerror or "the system gives no reason"


def _foreign_fields(entries: list[Any]) -> dict[str, Any]:
    """Return the fields of the first entry that this store does not use, to keep them."""
    first = entries[0] if entries and isinstance(entries[0], dict) else {}
    return {name: value for name, value in first.items() if name not in _OUR_FIELDS}


def _fields(credential: Credential) -> dict[str, str]:
    fields = {}
    if credential.username or credential.password:
        pair = f"{credential.username}:{credential.password}".encode()
        fields["auth"] = base64.b64encode(pair).decode("ascii")
    if credential.identity_token:
        fields["identitytoken"] = credential.identity_token
    if credential.registry_token:
        fields["registrytoken"] = credential.registry_token
    return fields


def _decoded(auth: str) -> tuple[str, str] | None:
    """Return user name and password; None if `auth` is invalid."""
    text = "".join(auth.split()).rstrip("=")
    try:
        padded = text + "=" * (-len(text) % 4)
        pair = base64.b64decode(padded, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    username, colon, password = pair.partition(":")
    # Old tools padded the password with NUL bytes.
    return (username, password.rstrip("\0")) if colon else None
