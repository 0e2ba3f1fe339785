"""Check that the files of the package `oras` are those of oras-sdk.

Run it with `python -m oras.doctor`. oras-py, the distribution `oras`, installs into the same
folder: whichever is installed last overwrites files of the other, and uninstalling either
removes files of both. This module uses the standard library alone, so that it also runs when
the rest of the package is damaged.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

__all__ = ["Report", "examine", "main"]

OURS = "oras-sdk"
THEIRS = "oras"
REINSTALL = "pip install --force-reinstall --no-deps oras-sdk"
REMOVE_AND_REINSTALL = "pip uninstall --yes oras && " + REINSTALL


@dataclass(frozen=True)
class Report:
    """The installed distributions and their faults.

    Attributes:
        installed: a line for each distribution that provides or requires `oras`.
        problems: a line for each problem; empty if the package is sound.
        remedy: the command that solves the problems; empty if there is none.
    """

    installed: tuple[str, ...]
    problems: tuple[str, ...] = ()
    remedy: str = ""

    def __str__(self) -> str:
        """Return the report as text."""
        lines = [*self.installed, *self.problems]
        if self.remedy:
            lines += ["To solve this, run:", f"    {self.remedy}"]
        else:
            lines.append("The package 'oras' is sound.")
        return "\n".join(lines)


def examine() -> Report:
    """Compare the installed files of `oras` with the record of oras-sdk."""
    ours, theirs = _find(OURS), _find(THEIRS)
    oras_py = theirs if theirs is not None and _provides_oras(theirs) else None
    installed = tuple(
        f"{one.metadata['Name']} {one.version}: {_role(one, oras_py)}"
        for one in (ours, theirs)
        if one is not None
    )
    if ours is None:
        problem = "oras-sdk is not installed; the package 'oras' belongs to oras-py or nobody."
        command = "pip install oras-sdk"
        return Report(installed, (problem,), f"pip uninstall --yes oras && {command}")
    owners = _digests(oras_py) if oras_py is not None else {}
    problems = []
    if oras_py is not None:
        problems.append(f"oras-py {oras_py.version} is installed into the same folder.")
    for name, recorded in sorted(_digests(ours).items()):
        actual = _digest_on_disk(ours, name)
        if actual is None:
            problems.append(f"{name}: missing, removed with another distribution")
        elif actual != recorded:
            by = "overwritten by oras-py" if owners.get(name) == actual else "changed"
            problems.append(f"{name}: {by}")
    if not problems:
        return Report(installed)
    return Report(
        installed, tuple(problems), REMOVE_AND_REINSTALL if oras_py is not None else REINSTALL
    )


def _find(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _role(found: Distribution, oras_py: Distribution | None) -> str:
    if found.metadata["Name"] == OURS:
        return "provides the package 'oras'"
    return "oras-py, provides the package 'oras' too" if oras_py is not None else "the stand-in"


def _provides_oras(found: Distribution) -> bool:
    return any(str(file).startswith("oras/") for file in found.files or ())


def _files(found: Distribution) -> Iterator[tuple[str, str]]:
    # RECORD itself: since Python 3.12, `files` leaves out the files that are missing.
    for name, integrity, _ in csv.reader((found.read_text("RECORD") or "").splitlines()):
        algorithm, _, value = integrity.partition("=")
        if name.startswith("oras/") and algorithm == "sha256":
            yield name, value


def _digests(found: Distribution) -> dict[str, str]:
    return dict(_files(found))


def _digest_on_disk(found: Distribution, name: str) -> str | None:
    try:
        with open(str(found.locate_file(name)), "rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def main() -> int:
    """Write the report to standard output; return 0 if the package is sound, otherwise 1."""
    report = examine()
    sys.stdout.write(f"{report}\n")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
