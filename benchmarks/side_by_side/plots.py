"""How cost grows, as pictures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from side_by_side.clients.present import HOW_TO_GET, OURS
from side_by_side.results import Results, Row
from side_by_side.workloads import Curve, Step

_COLOURS = ("#555555", "#aaaaaa", "#c2185b", "#1565c0", "#6a1b9a", "#2e7d32", "#ef6c00")
_MARKERS = "sxoD^vP"
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: smaller, and can be searched
    "svg.hashsalt": "oras-sdk",  # the same numbers give the same file
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans", "sans-serif"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def write_plot(curve: Curve, results: Results, path: Path) -> None:
    """Draw a curve for every client, with a part for each step, as an SVG file."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.4, 3.8), layout="constrained")
        parts = figure.subplots(1, len(curve.steps), sharey=True, squeeze=False)[0]
        for axes, step in zip(parts, curve.steps, strict=True):
            _draw(axes, curve, results, step)
        left = parts[0]
        left.set_ylabel("seconds, the whole process")
        handles, names = left.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _draw(axes: Axes, curve: Curve, results: Results, step: Step) -> None:
    axes.set_title(step)
    axes.set_xlabel(curve.axis)
    axes.set_yscale("log")
    ticks = [place for place, _ in curve.points]
    if curve.logarithmic:
        axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{place:.3g}" for place in ticks])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(visible=True, color="#e5e5e5")
    for (name, colour), marker in zip(
        zip(HOW_TO_GET, _COLOURS, strict=True), _MARKERS, strict=True
    ):
        points = list(_points(curve, results, step, name))
        if points:
            width = 2.4 if name == OURS else 1.3
            axes.plot(*zip(*points, strict=True), color=colour, marker=marker, lw=width, label=name)


def _points(curve: Curve, results: Results, step: Step, name: str) -> Iterable[tuple[float, float]]:
    for place, workload in curve.points:
        summary = results.summary(Row(step, workload), name)
        if summary is not None:
            yield place, summary.wall
