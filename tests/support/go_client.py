"""Go's command lines `oras` and `crane`, as clients of the same registries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from attrs import frozen

from support.programs import skip_or_fail

_TIMEOUT_SECONDS = 60.0


@frozen
class GoProgram:
    """Runs one of the programs with a home of its own, untouched by the machine's configuration.

    Both take plain HTTP for a registry at `localhost`.
    """

    program: str
    home: Path

    def __call__(
        self,
        *arguments: str | os.PathLike[str],
        cwd: Path | None = None,
        stdin: str = "",
        **variables: str,
    ) -> str:
        """Run it in the folder `cwd`, and return its standard output.

        Raises:
            RuntimeError: it failed; the message holds what it printed.
        """
        done = subprocess.run(
            [self.program, *(os.fspath(argument) for argument in arguments)],
            check=False,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            cwd=cwd or self.home,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(self.home),
                "DOCKER_CONFIG": str(self.home),
                "TMPDIR": str(self.home),
                **variables,
            },
        )
        if done.returncode != 0:
            shown = " ".join(os.fspath(argument) for argument in arguments)
            raise RuntimeError(
                f"{self.program} {shown} ended with {done.returncode}: {done.stderr}"
            )
        return done.stdout

    def json(self, *arguments: str | os.PathLike[str], **options: Any) -> Any:
        """Run it, and return the JSON that it prints."""
        return json.loads(self(*arguments, **options))


def go_program(name: str, home: Path) -> GoProgram:
    """Return `oras` or `crane`, with the folder `home` for its configuration.

    Where the program is missing the test is skipped, and with CI=true it fails.
    """
    found = shutil.which(name)
    if found is None:
        skip_or_fail(f"Go's {name} is not installed (Debian 14: apt-get install {name})")
    return GoProgram(found, home)
