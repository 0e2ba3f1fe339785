"""A watch over tests of authentication: no secret shows where people or files could see it.

A test module that has a tuple `SECRETS` is watched: every log record, also of the debug level,
every error of this library with all that it is chained to, the frames it passed through, its
pickle, and the repr and pickle of the test's fixtures.
"""

from __future__ import annotations

import base64
import json
import logging
import pickle
import traceback
from collections.abc import Iterable, Iterator
from types import FrameType
from urllib.parse import quote, quote_plus

import pytest

from oras_core.errors import OrasError

_OURS = ("oras", "oras_core", "oras_adapters")


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] in _OURS


def forms(secret: str) -> set[str]:
    """Return what a secret looks like: as it is, escaped, or within something of base64."""
    data = secret.encode()
    found = {
        secret,
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
    }
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode()
        # The characters at the ends depend on what stands beside the secret.
        inner = encoded[-(before * -4 // 3) : (before + len(data)) * 4 // 3]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {form for form in found if len(form) >= 4}


class SecretScan:
    """Collects what could show a secret, and finds it there."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = {form for secret in secrets for form in forms(secret)}
        self.errors: list[BaseException] = []
        self.records: list[logging.LogRecord] = []
        self.objects: list[tuple[str, object]] = []

    def findings(self) -> list[str]:
        """Return where a secret shows; empty where none does."""
        found = []
        for where, text in self._texts():
            shown = sorted(form for form in self._forms if form in text)
            if shown:
                found.append(f"{where} shows {shown[0]!r}")
        return found

    def _texts(self) -> Iterator[tuple[str, str]]:
        for record in self.records:
            yield f"a record of {record.name}", f"{record.getMessage()} {record.args!r}"
            if record.exc_info and record.exc_info[1]:
                yield from self._of_error(record.exc_info[1])
        for error in self.errors:
            yield from self._of_error(error)
        for name, value in self.objects:
            if _is_ours(str(type(value).__module__)):
                yield from self._of_object(name, value)

    def _of_error(self, first: BaseException) -> Iterator[tuple[str, str]]:
        waiting, seen = [first], set()
        while waiting:
            error = waiting.pop()
            if id(error) in seen:
                continue
            seen.add(id(error))
            waiting.extend(one for one in (error.__cause__, error.__context__) if one is not None)
            name = f"{type(error).__name__} ({'first' if error is first else 'chained'})"
            # What a foreign error holds counts too: collectors of errors look into it.
            yield name, f"{error} {error!r} {vars(error)!r}"
            if isinstance(error, OrasError):
                yield f"the pickle of {name}", pickle.dumps(error).decode("latin-1")
            for frame, _ in traceback.walk_tb(error.__traceback__):
                yield from self._of_frame(frame)

    @staticmethod
    def _of_frame(frame: FrameType) -> Iterator[tuple[str, str]]:
        if not _is_ours(frame.f_globals.get("__name__", "")):
            return
        for name, value in frame.f_locals.items():
            if _is_ours(str(type(value).__module__)):
                yield f"{name} in {frame.f_code.co_qualname}", _repr(value)

    @staticmethod
    def _of_object(name: str, value: object) -> Iterator[tuple[str, str]]:
        yield f"the repr of {name}", _repr(value)
        try:
            pickled = pickle.dumps(value)
        except (TypeError, AttributeError, ValueError, OSError, pickle.PicklingError):
            return  # what cannot be pickled shows nothing
        yield f"the pickle of {name}", pickled.decode("latin-1")


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - of an object whose constructor has failed
        return repr(error)


class _Collector(logging.Handler):
    def __init__(self, scan: SecretScan) -> None:
        super().__init__(logging.DEBUG)
        self._scan = scan

    def emit(self, record: logging.LogRecord) -> None:
        self._scan.records.append(record)


@pytest.fixture(autouse=True)
def no_secret_shows(request: pytest.FixtureRequest) -> Iterator[SecretScan | None]:
    """Watch a test whose module names its `SECRETS`; fail it where one of them shows."""
    secrets = getattr(request.module, "SECRETS", None)
    if secrets is None:
        yield None
        return
    scan = SecretScan(secrets)
    collector = _Collector(scan)
    loggers = [logging.getLogger(name) for name in (*_OURS, "urllib3", "keyring")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OrasError, "__init__", _noting(scan.errors, OrasError.__init__))
        for logger in loggers:
            patch.setattr(logger, "level", logging.DEBUG)
            logger.addHandler(collector)
        for logger in loggers:
            logger.manager._clear_cache()
        try:
            yield scan
        finally:
            for logger in loggers:
                logger.removeHandler(collector)
    for logger in loggers:
        logger.manager._clear_cache()
    scan.objects.extend(getattr(request.node, "funcargs", {}).items())
    findings = scan.findings()
    scan.errors.clear()
    assert not findings, "\n".join(findings)


def _noting(errors, init):
    def noting(self, *arguments, **options):
        errors.append(self)
        init(self, *arguments, **options)

    return noting
