"""What does not hold of a row of the security tables, after it has happened."""

from __future__ import annotations

import gzip
import json
import re
import stat
import zlib
from collections.abc import Iterator, Mapping

from attrs import frozen

from support.hostile_registry import Received
from support.threat_cases import SECRETS, SIGNATURE, Case, Entry, tree_at
from support.threat_stage import Stage, expected_tree, surroundings

__all__ = ["Observation", "Report", "objections", "observed"]


@frozen
class Report:
    """What the client said of itself; see `client_steps.perform`."""

    outcome: str
    kinds: tuple[str, ...]
    text: str
    message: str
    seconds: float
    memory: int


@frozen
class Observation:
    """What came of a row."""

    report: Report
    out: Mapping[str, Entry]
    modes: Mapping[str, int]
    surroundings: Mapping[str, Entry]
    scratch: Mapping[str, Entry]


def observed(stage: Stage, report: Report) -> Observation:
    """Look around after the client is done."""
    folders = stage.folders
    modes = {
        path.relative_to(folders.out).as_posix(): stat.S_IMODE(path.lstat().st_mode)
        for path in folders.out.rglob("*")
        if not path.is_symlink()
    }
    return Observation(
        report, tree_at(folders.out), modes, surroundings(folders), tree_at(folders.scratch)
    )


def objections(stage: Stage, seen: Observation, *, foreign: bool = False) -> list[str]:
    """Return the expectations of a row that are not met.

    A `foreign` client may raise any error with any message, leave temporary files, send more
    requests, and take more time.
    """
    case, report = stage.case, seen.report
    found = [*_outcome(case, report, foreign=foreign), *_disk(stage, seen, foreign=foreign)]
    found += [*_traffic(stage, foreign=foreign), *_published(stage)]
    found += _leaks(stage, report)
    allowed = max(case.seconds, 20.0) if foreign else case.seconds
    if report.seconds > allowed:
        found.append(f"it took {report.seconds:.1f} seconds")
    if case.memory is not None and report.memory > case.memory:
        found.append(f"it took {report.memory} bytes of memory")
    if case.check is not None and (reason := case.check(stage.folders, stage.registry)):
        found.append(reason)
    return found


def _outcome(case: Case, report: Report, *, foreign: bool) -> Iterator[str]:
    if case.error and report.outcome != "raised":
        yield f"no {case.error} came: it {report.outcome}"
    elif case.error and not foreign and not set(case.error.split("|")) & set(report.kinds):
        yield f"in place of {case.error} came {report.kinds[:1]}: {report.message}"
    elif not case.error and report.outcome != "returned":
        yield f"it {report.outcome}: {report.message}"
    if case.words and not foreign and not re.search(case.words, report.message):
        yield f"the message lacks {case.words!r}: {report.message}"


def _disk(stage: Stage, seen: Observation, *, foreign: bool) -> Iterator[str]:
    case, folders = stage.case, stage.folders
    expected = expected_tree(case.before if case.after is None else case.after, folders)
    found = dict(seen.out)
    for name, entry in case.tolerated.items() if foreign else ():
        if name not in expected and found.get(name) == entry:
            del found[name]
    if found != expected:
        yield f"the folder holds {_difference(expected, found)}"
    around = [_unless_changing(case, each) for each in (stage.before, seen.surroundings)]
    if around[0] != around[1]:
        yield f"around the folder {_difference(*around)}"
    if any(mode & 0o7000 for mode in seen.modes.values()):
        yield "something has the bits of set-user-id, set-group-id or sticky"
    if seen.scratch and not foreign:
        yield f"temporary files are left: {sorted(seen.scratch)}"
    home = tree_at(folders.home)
    for name, entry in case.home_after.items():
        if not _fits(home.get(name), entry):
            yield f"the home's {name} is {home.get(name)!r}"


def _unless_changing(case: Case, entries: Mapping[str, Entry]) -> Mapping[str, Entry]:
    if not case.files_change:
        return entries
    return {name: entry for name, entry in entries.items() if not name.startswith("source/")}


def _fits(found: Entry | None, expected: Entry) -> bool:
    if isinstance(expected, str) and expected.startswith("json:") and isinstance(found, bytes):
        return json.loads(found) == json.loads(expected.removeprefix("json:"))
    return found == expected


def _difference(expected: Mapping[str, Entry], found: Mapping[str, Entry]) -> str:
    gone = {name for name in expected if name not in found}
    new = {name for name in found if name not in expected}
    other = {n for n in expected if n in found and expected[n] != found[n]}
    return f"missing {sorted(gone)}, new {sorted(new)}, changed {sorted(other)}"[:400]


OTHERS_MAY_TRY = 10
"""Requests that others may send where one would do."""

OTHERS_MAY_SHOW = 3


def _traffic(stage: Stage, *, foreign: bool) -> Iterator[str]:
    case = stage.case
    lines = [request.line for request in stage.registry.received]
    for pattern, most in {**case.at_most, **({} if foreign else case.thrift)}.items():
        count = max(most, OTHERS_MAY_TRY) if foreign and most else most
        if (came := _count(pattern, lines)) > count:
            yield f"{came} requests {pattern!r} came, at most {count} may"
    if case.shown_at_most is not None:
        bound = max(case.shown_at_most, OTHERS_MAY_SHOW) if foreign else case.shown_at_most
        shown = [r.headers.get("authorization", "") for r in stage.registry.received]
        if (times := sum(value.startswith("Basic ") for value in shown)) > bound:
            yield f"the password was shown {times} times"
    for pattern, count in case.at_least.items():
        if (came := _count(pattern, lines)) < count:
            yield f"{came} requests {pattern!r} came, at least {count} must"
    strange = len(stage.stranger.received) + len(stage.stranger.garbage)
    if case.stranger_at_most is not None and strange > case.stranger_at_most:
        yield f"the other host got {strange} requests"
    if strange < case.stranger_at_least:
        yield f"the other host got {strange} requests only"
    if stage.scheme == "https" and stage.plain.received:
        yield "a host without TLS was spoken to"


def _count(pattern: str, lines: list[str]) -> int:
    return sum(re.search(pattern, line) is not None for line in lines)


def _published(stage: Stage) -> Iterator[str]:
    for request in stage.registry.received:
        for part in _uncompressed(request):
            for pattern in stage.case.published:
                if re.search(stage.fill(pattern).encode(), part):
                    yield f"{request.line} tells {pattern!r}"


def _uncompressed(request: Received) -> list[bytes]:
    parts = [request.everything]
    if request.body.startswith(b"\x1f\x8b"):
        try:
            parts.append(gzip.decompress(request.body))
        except (OSError, EOFError, zlib.error):
            parts.append(zlib.decompressobj(31).decompress(request.body))
    return parts


def _leaks(stage: Stage, report: Report) -> Iterator[str]:
    case = stage.case
    for name, secret in SECRETS.items():
        if secret in report.text:
            yield f"the {name} stands in an error or a log"
        if name in case.stranger_may_see:
            continue
        for request in (*stage.stranger.received, *stage.plain.received):
            own = name == "signature" and SIGNATURE in request.target  # what it was given for
            if secret.encode() in request.everything and not own:
                yield f"another host was shown the {name}: {request.line}"
    for garbage in stage.registry.garbage:
        if any(secret.encode() in garbage for secret in SECRETS.values()):
            yield "a secret was sent as plain text"
