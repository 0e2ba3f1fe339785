"""skopeo as another client of the same registries and layouts."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import frozen

from support.programs import output_of, require_program

# Any port of this address may answer in plain HTTP; `localhost` keeps its certificate check.
_REGISTRIES = """\
unqualified-search-registries = []

[[registry]]
location = "127.0.0.1"
insecure = true
"""


@frozen
class Skopeo:
    """Runs skopeo with a home of its own, untouched by the configuration of the machine."""

    program: str
    home: Path

    def __call__(self, *arguments: str | os.PathLike[str]) -> str:
        """Run `skopeo ARGUMENTS...` and return its standard output.

        Registries at 127.0.0.1 need no `--tls-verify=false`. For `localhost` over TLS give
        `--src-cert-dir`, `--dest-cert-dir` or `--cert-dir` with a folder whose `*.crt` are
        authorities.

        Raises:
            RuntimeError: skopeo failed; the message holds what it said.
        """
        command = [
            self.program,
            "--insecure-policy",
            "--registries.d",
            str(self.home),
            "--registries-conf",
            str(self.home / "registries.conf"),
            *arguments,
        ]
        # XDG_RUNTIME_DIR is where it looks for logins.
        return output_of(command, self.home, XDG_RUNTIME_DIR=str(self.home))


def isolated_skopeo(home: Path) -> Skopeo:
    """Return skopeo with the empty directory `home` for all that it reads and writes by itself."""
    program = require_program("skopeo")
    (home / "registries.conf").write_text(_REGISTRIES)
    return Skopeo(program, home)
