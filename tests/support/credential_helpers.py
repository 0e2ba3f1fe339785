"""Programs `docker-credential-NAME` made for a test."""

from __future__ import annotations

import sys
from pathlib import Path

WORKING = """
import fcntl, json, pathlib, sys
store = pathlib.Path(__file__ + ".json")
log = pathlib.Path(__file__ + ".log")
action, text = sys.argv[1], sys.stdin.read()
with open(__file__ + ".lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    with log.open("a") as file:
        file.write(json.dumps(sys.argv[1:]) + "\\n")
    entries = json.loads(store.read_text()) if store.exists() else {}
    if action == "store":
        entry = json.loads(text)
        entries[entry["ServerURL"]] = entry
    elif action == "erase":
        entries.pop(text, None)
    elif action == "list":
        print(json.dumps({key: entry["Username"] for key, entry in entries.items()}))
    elif text in entries:
        print(json.dumps(entries[text]))
    else:
        print("credentials not found in native keychain")
        sys.exit(1)
    store.write_text(json.dumps(entries))
"""


def make_helper(folder: Path, name: str, body: str = WORKING) -> Path:
    """Write a helper; by default one that works, keeping its entries beside it."""
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!{sys.executable}\n{body}")
    program.chmod(0o755)
    return program
