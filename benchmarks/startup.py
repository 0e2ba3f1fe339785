"""Count the modules that the first operation of a process loads, and measure their CPU time.

Runs each operation in fresh processes against the embedded registry, and prints how many of our
modules it has loaded, and the CPU time of our packages: what the standard library and other
packages need to be imported is not counted, since they are imported first. All modules are
loaded from bytecode, as those of an installed package are. The processes have no settings: no
variables, and an empty home directory.

    python benchmarks/startup.py [--runs N]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).resolve().parents[1]
# Installed packages precede the checkout, which is for a run without an installation.
sys.path.append(str(ROOT))

from oras_adapters import RegistryServer  # noqa: E402 - found by the line above
from oras_core.testing import EmbeddedRegistry  # noqa: E402

OPERATIONS: Mapping[str, str] = {
    "get_tags": "import oras.client; oras.client.OrasClient().get_tags(sys.argv[1])",
    "pull": "import oras.client; oras.client.OrasClient().pull(sys.argv[1], outdir=sys.argv[2])",
    "push again": (
        "import oras.client; file = sys.argv[2] + '/small.bin'; open(file, 'wb').close(); "
        "oras.client.OrasClient().push(files=[file], target=sys.argv[1][:-2] + 'again', "
        "disable_path_validation=True)"
    ),
    "Client.tags": "import oras; list(oras.Client().tags(sys.argv[1].rpartition(':')[0]))",
    "Client.pull": "import oras; oras.Client().pull(sys.argv[1], sys.argv[2])",
}
"""Programs, by the operation that they begin with. The first push stores what others push again."""

PROGRAM = """
import importlib, sys, time
sys.path.append({root!r})
for name in sys.argv[3:]:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
begun = time.process_time()
{operation}
print(time.process_time() - begun)
print(*sys.modules)
"""

KEPT = ("LD_LIBRARY_PATH", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "SYSTEMROOT", "TMPDIR")
"""Variables of the measured process; none of them is a setting."""

PACKAGES = ("oras", "oras_adapters", "oras_core")
MILLISECONDS = 1000


@frozen
class Start:
    """The first operation of a process.

    Attributes:
        seconds: the CPU time from the import of our first module to the end of the operation.
        ours: the modules of our packages that it has loaded.
        others: all other modules.
    """

    seconds: float
    ours: tuple[str, ...]
    others: tuple[str, ...]


def start(
    operation: str,
    target: str,
    loaded: Sequence[str] = (),
    bytecode: str = "",
) -> Start:
    """Run one of `OPERATIONS` in a new process, which imports the modules `loaded` first.

    The process keeps its bytecode in the folder `bytecode`; by default beside the modules.
    """
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    if bytecode:
        environment["PYTHONPYCACHEPREFIX"] = bytecode
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
    program = PROGRAM.format(root=str(ROOT), operation=OPERATIONS[operation])
    with tempfile.TemporaryDirectory() as folder:
        output = subprocess.run(
            [sys.executable, "-c", program, target, folder, *loaded],
            check=True,
            capture_output=True,
            text=True,
            env={**environment, "HOME": folder},
        ).stdout
    *_, seconds, names = output.splitlines()  # a push prints a line too
    modules = names.split()
    ours = tuple(name for name in modules if name.partition(".")[0] in PACKAGES)
    others = tuple(name for name in modules if name not in ours and name != "__main__")
    return Start(float(seconds), ours, others)


def least(operation: str, target: str, runs: int) -> Start:
    """Return the fastest of several runs, none of which counts the imports of others."""
    with tempfile.TemporaryDirectory() as bytecode:
        others = start(operation, target, bytecode=bytecode).others
        starts = [start(operation, target, others, bytecode) for _ in range(runs)]
    return min(starts, key=lambda one: one.seconds)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with RegistryServer(EmbeddedRegistry()) as server, tempfile.TemporaryDirectory() as folder:
        target = f"{server.address}/benchmark/start:v1"
        push_small_file(target, Path(folder))
        print("| first operation | our modules | CPU of our packages, ms |")
        print("| --- | --- | --- |")
        for operation in OPERATIONS:
            found = least(operation, target, runs)
            print(f"| {operation} | {len(found.ours)} | {found.seconds * MILLISECONDS:.0f} |")


def push_small_file(target: str, folder: Path) -> None:
    """Push a file of 16 KiB."""
    import oras  # noqa: PLC0415 - most programs that use this module do not push

    file = folder / "small.bin"
    file.write_bytes(bytes(16 * 1024))
    with oras.Client() as client:
        client.push(target, [file])


if __name__ == "__main__":
    main()
