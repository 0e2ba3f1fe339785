"""The command-line program `oras`, written in Go."""

from __future__ import annotations

from attrs import field, frozen

from side_by_side.clients.client import Command, Job
from side_by_side.workloads import Step


@frozen
class GoOras:
    """The program oras with its defaults, but over plain HTTP and without a display."""

    version: str
    program: str
    name: str = field(default="oras (Go)", init=False)

    def command(self, job: Job) -> Command | None:
        """Push, pull or list."""
        match job.step:
            case Step.PUSH | Step.PUSH_AGAIN:
                # In the folder of the files, so that titles are names and not paths.
                names = (path.name for path in job.content.paths)
                arguments = (self.program, "push", "--plain-http", "--no-tty", job.target, *names)
                return Command(arguments, cwd=job.content.paths[0].parent)
            case Step.PULL | Step.PULL_AGAIN:
                to = ("--output", str(job.output))
                return Command((self.program, "pull", "--plain-http", "--no-tty", *to, job.target))
            case Step.LIST:
                repository = job.target.rpartition(":")[0]
                return Command((self.program, "repo", "tags", "--plain-http", repository))
        return None
