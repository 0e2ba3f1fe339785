"""Look for inputs that no parser of ours expects, for as long as you like.

    python tests/security/fuzz.py [--seconds N] [--jobs N] [TARGET ...]

Each target gets its time, in a process of its own: guided by the coverage of our code where
atheris is installed, else by hypothesis. The status is 1 if there is a finding; it is printed
with the input, in base64.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

MEMORY_MIB = 1024
"""What a process of a target may grow to, whatever it is given."""

INPUT_SECONDS = 5
"""What one input may take."""


def _by_atheris(name: str, seconds: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["oras_core", "oras_adapters"]):
        from support.fuzz_targets import TARGETS

    from support.fuzzing import MAX_INPUT

    target = TARGETS[name]
    with tempfile.TemporaryDirectory(prefix="oras-fuzz-") as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(target.seeds):
            (corpus / str(number)).write_bytes(seed)
        words = Path(folder) / "words"
        words.write_text("".join(f'"{_escaped(token)}"\n' for token in target.tokens if token))
        atheris.Setup(
            [
                name,
                f"-max_total_time={seconds}",
                f"-max_len={MAX_INPUT}",
                f"-timeout={INPUT_SECONDS}",
                f"-rss_limit_mb={MEMORY_MIB}",
                f"-dict={words}",
                f"-artifact_prefix={folder}/",
                "-print_final_stats=1",
                str(corpus),
            ],
            lambda data: _checked(target.check, bytes(data)),
        )
        atheris.Fuzz()


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token[:60])


def _checked(check, data: bytes) -> None:
    try:
        check(data)
    except Exception:
        sys.stderr.write(f"FINDING {base64.b64encode(data).decode()}\n")
        raise


def _by_hypothesis(name: str, seconds: int) -> None:
    from hypothesis import HealthCheck, given, settings

    from support.fuzz_targets import TARGETS
    from support.fuzzing import mutations

    target = TARGETS[name]
    end = time.monotonic() + seconds
    runs = 0

    @settings(
        max_examples=2000, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(mutations(target))
    def run(data: bytes) -> None:
        nonlocal runs
        runs += 1
        start = time.monotonic()
        _checked(target.check, data)
        assert time.monotonic() - start < INPUT_SECONDS, base64.b64encode(data)

    while time.monotonic() < end:
        run()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    assert grown < MEMORY_MIB, f"{grown} MiB"
    sys.stderr.write(f"stat::number_of_executed_units: {runs}\nstat::peak_rss_mb: {grown}\n")


def _run(name: str, seconds: int) -> bool:
    """Fuzz one target in a process of its own; tell whether there was no finding."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", name, "--seconds", str(seconds)],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds + 600,
    )
    said = done.stdout + done.stderr
    runs = re.search(r"number_of_executed_units:\s*(\d+)", said)
    memory = re.search(r"peak_rss_mb:\s*(\d+)", said)
    shown = [f"{runs[1]} inputs" if runs else "?", f"{memory[1]} MiB" if memory else "?"]
    print(
        f"{name:16} {'held' if done.returncode == 0 else 'FOUND'}  {', '.join(shown)}", flush=True
    )
    if done.returncode:
        print(said[-4000:], flush=True)
    return done.returncode == 0


def main() -> int:
    """Fuzz, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*")
    parser.add_argument(
        "--seconds", type=int, default=int(os.environ.get("ORAS_FUZZ_SECONDS", "600"))
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    has_atheris = find_spec("atheris") is not None
    if options.one:
        (_by_atheris if has_atheris else _by_hypothesis)(options.targets[0], options.seconds)
        return 0
    from support.fuzz_targets import TARGETS

    names = options.targets or list(TARGETS)
    engine = "atheris" if has_atheris else "hypothesis"
    print(f"{len(names)} targets, {options.seconds} seconds each, by {engine}", flush=True)
    with ThreadPoolExecutor(options.jobs) as pool:
        held = list(pool.map(lambda name: _run(name, options.seconds), names))
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
