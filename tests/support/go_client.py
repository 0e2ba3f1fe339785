"""Go's command lines `oras` and `crane`, as clients of the same registries."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from attrs import frozen

from support.programs import output_of, skip_or_fail


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
        command = (self.program, *arguments)
        configuration = {"DOCKER_CONFIG": str(self.home), **variables}
        return output_of(command, self.home, cwd=cwd, stdin=stdin, **configuration)

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
