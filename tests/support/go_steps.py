"""The steps of a row by the command line of Go's `oras`, reported as `client_steps` does.

Run as a program of its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

COMMANDS = {"pull", "push", "get_tags", "login", "logout"}


def can_do(step: dict) -> bool:
    """Tell whether the command line has a step; it uploads no blob in chunks."""
    return step["do"] in COMMANDS and not step.get("do_chunked")


def perform(steps: list[dict], client_arguments: dict) -> dict:
    """Do the steps, up to the first that fails; tell how it went."""
    start = time.monotonic()
    report: dict = {"outcome": "returned", "kinds": [], "text": ""}
    for step in steps:
        arguments, given = _command(step, client_arguments)
        try:
            done = subprocess.run(
                [client_arguments["program"], *arguments],
                check=False,
                input=given,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=client_arguments["seconds"],
            )
        except subprocess.TimeoutExpired:
            report["outcome"] = "did not end"
            break
        report["text"] += done.stdout + done.stderr
        if done.returncode != 0:
            report |= {"outcome": "raised", "kinds": ["exit status"], "message": done.stderr}
            break
    report["seconds"] = time.monotonic() - start
    report["memory"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return report


def _command(step: dict, client_arguments: dict) -> tuple[list[str], str]:
    """Return the arguments of a step, and its standard input."""
    trust = ["--plain-http"]
    if not client_arguments.get("insecure"):
        trust = [] if step.get("tls_verify") else ["--ca-file", client_arguments["tls_verify"]]
    match step["do"]:
        case "pull":
            return ["pull", "--no-tty", *trust, "--output", step["outdir"], step["target"]], ""
        case "push":
            anywhere = ["--disable-path-validation"] * step.get("disable_path_validation", False)
            return ["push", "--no-tty", *trust, *anywhere, step["target"], *step["files"]], ""
        case "get_tags":
            return ["repo", "tags", *trust, step["container"]], ""
        case "login":
            user = ["--username", step["username"], "--password-stdin"]
            return ["login", *trust, *user, step["hostname"]], step["password"]
        case "logout":
            return ["logout", step["hostname"]], ""
    raise ValueError(step["do"])


if __name__ == "__main__":
    _given = json.loads(sys.argv[1])
    sys.stdout.write("\n" + json.dumps(perform(_given["steps"], _given["client"])))
