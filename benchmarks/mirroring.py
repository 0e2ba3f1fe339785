"""Mirror synthetic registries, and measure the numbers of docs/scaling.md.

    python benchmarks/mirroring.py planning|duration|throughput [--quick] [--write DOCS]

`planning` plans 20,000 repositories with 1,000,000 tags; `duration` compares runs of 1, 2 and 4
workers with the model; `throughput` compares executors with one process of 16 threads. Each prints
a table and the load of the machine; with --write they go into DOCS/scaling.md, between its two
markers. Dask must be installed.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Installed packages precede the checkout, which is for a run without an installation.
sys.path += [str(ROOT), str(ROOT / "benchmarks")]

from attrs import evolve  # noqa: E402 - found by the line above
from mirror_scale.model import Model, costs  # noqa: E402
from mirror_scale.simulation import (  # noqa: E402
    DESTINATION,
    SOURCE,
    Setup,
    SyntheticRegistries,
    one_process,
    simulate,
)
from mirror_scale.synthetic import Shape  # noqa: E402

from oras_adapters.mirroring.rules import RunRules  # noqa: E402
from oras_core.mirroring.job import Job  # noqa: E402
from oras_core.mirroring.plan import TAGS_PER_JOB, Mirror, plan_mirror  # noqa: E402

FULL, QUICK = Shape(20_000, 50), Shape(400, 50)
STEP = 100_000
LATENCY = 0.25
LIMIT = 100.0
CONCURRENCY = 16


def planning(*, quick: bool) -> Iterator[str]:
    """Plan; yield a row of the table for each part."""
    shape = QUICK if quick else FULL
    step = STEP // 20 if quick else STEP
    yield "| tags planned | jobs | processor time of 10,000 tags | peak memory |"
    yield "| ---: | ---: | ---: | ---: |"
    registries = SyntheticRegistries(Setup(shape, 0.0, 1))
    tags = jobs = 0
    used = time.process_time()
    for event in plan_mirror(Mirror(SOURCE, DESTINATION), registries, concurrency=1):
        if not isinstance(event, Job):
            continue
        before, tags, jobs = tags // step, tags + len(event.tags), jobs + 1
        if tags // step > before:
            now = time.process_time()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            seconds = (now - used) / step * 10_000
            yield f"| {tags:,} | {jobs:,} | {seconds:.2f} s | {peak:.1f} MiB |"
            print(f"{tags:,} tags", file=sys.stderr, flush=True)
            used = now


def duration(*, quick: bool) -> Iterator[str]:
    """Run with 1, 2 and 4 worker processes; yield rows with the model's duration."""
    jobs = 4 if quick else 12
    shape = Shape(jobs, TAGS_PER_JOB)
    tags = jobs * TAGS_PER_JOB
    setup = Setup(shape, LATENCY, CONCURRENCY)
    cost = costs(256)
    yield (
        f"One tag costs {cost.source:.1f} requests to the source, {cost.destination:.1f} to the "
        f"destination, and {cost.seconds * 1000:.1f} ms of processor time."
    )
    yield (
        f"{tags} tags, {LATENCY * 1000:.0f} ms for each answer, "
        f"{CONCURRENCY} tags at the same time in a job."
    )
    yield ""
    yield "| workers | limit | model | measured | measured / model |"
    yield "| ---: | ---: | ---: | ---: | ---: |"
    for limit in (None, LIMIT):
        model = Model(cost, LATENCY, TAGS_PER_JOB, CONCURRENCY, limit)
        for workers in (1, 2, 4):
            limited = evolve(setup, requests=limit, shares=workers + 1)
            report, seconds = simulate(limited, RunRules("processes", workers=workers))
            assert report.is_complete, report.text()
            shown = "none" if limit is None else f"{limit:.0f}/s"
            expected = model.seconds(tags, workers)
            times = seconds / expected
            yield f"| {workers} | {shown} | {expected:.1f} s | {seconds:.1f} s | {times:.2f} |"
            print(f"{workers} workers, limit {shown}", file=sys.stderr, flush=True)
    yield ""
    yield from _extrapolated(Model(cost, 0.05, TAGS_PER_JOB, CONCURRENCY))


def _extrapolated(model: Model) -> Iterator[str]:
    yield "By the model, 1,000,000 tags at 50 ms for each answer take:"
    yield ""
    yield "| workers x jobs | no limit | 500 requests a second | 2,000 requests a second |"
    yield "| ---: | ---: | ---: | ---: |"
    for workers, jobs in ((1, 1), (1, 4), (4, 4), (16, 4), (64, 4)):
        cells = [
            evolve(model, requests=limit).seconds(1_000_000, workers, jobs) / 3600
            for limit in (None, 500.0, 2000.0)
        ]
        hours = " | ".join(f"{cell:.1f} h" for cell in cells)
        yield f"| {workers} x {jobs} | {hours} |"


def throughput(*, quick: bool) -> Iterator[str]:
    """Mirror the same with each executor; yield rows."""
    shape = Shape(4 if quick else 16, TAGS_PER_JOB)
    tags = shape.repositories * shape.tags
    setup = Setup(shape, LATENCY, CONCURRENCY)
    repositories = shape.repositories
    yield f"{tags} tags of {repositories} repositories, {LATENCY * 1000:.0f} ms for each answer."
    yield ""
    yield "| what | seconds | tags a second | times |"
    yield "| --- | ---: | ---: | ---: |"
    base = one_process(setup)
    yield f"| `mirror`, one process of 16 threads | {base:.1f} | {tags / base:.1f} | 1.0 |"
    for name, run in (
        ("threads, 1 x 4 jobs", RunRules("threads", workers=1, jobs=4)),
        ("processes, 4", RunRules("processes", workers=4)),
        ("Dask, 4 x 1 jobs", RunRules("dask", workers=4, jobs=1)),
        ("Dask, 4 x 2 jobs", RunRules("dask", workers=4, jobs=2)),
    ):
        report, seconds = simulate(setup, run)
        assert report.is_complete, report.text()
        yield f"| {name} | {seconds:.1f} | {tags / seconds:.1f} | {base / seconds:.1f} |"
        print(name, file=sys.stderr, flush=True)


MEASUREMENTS = {"planning": planning, "duration": duration, "throughput": throughput}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=MEASUREMENTS)
    parser.add_argument("--quick", action="store_true", help="little of everything")
    parser.add_argument("--write", type=Path, metavar="DOCS", help="the folder of scaling.md")
    options = parser.parse_args(arguments)
    before, _, _ = os.getloadavg()
    table = "\n".join(MEASUREMENTS[options.what](quick=options.quick))
    after, _, _ = os.getloadavg()
    table += (
        f"\n\nPython {platform.python_version()}, {platform.system()}, "
        f"{os.cpu_count()} processors, load average {before:.1f} before and {after:.1f} after."
    )
    if options.write is None:
        print(table)
        return
    page = options.write / "scaling.md"
    page.write_text(_replaced(page.read_text("utf-8"), options.what, table), encoding="utf-8")


def _replaced(text: str, name: str, table: str) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    head, found, rest = text.partition(begin)
    _, found_too, tail = rest.partition(end)
    if not (found and found_too):
        sys.exit(f"scaling.md has no {begin} and {end}")
    return f"{head}{begin}\n\n{table}\n\n{end}{tail}"


if __name__ == "__main__":
    main()
