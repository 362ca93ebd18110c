"""Plots of memory: over time, and what a peak consists of."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from benchmarks.gauge.readings import PARTS
from benchmarks.units import MIB, format_bytes

from .plots import MEDIAN_COLOUR, RUN_COLOUR, WIDTH_INCHES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benchmarks.gauge.readings import Series
    from benchmarks.results.result import Result

#: Colours of `PARTS`, told apart by colour-blind readers (Okabe and Ito).
COLOURS = (RUN_COLOUR, "#009e73", "#e69f00")


def plot_each(results: Sequence[Result], title: str) -> Figure:
    """Draw memory over time, its parts stacked: a panel for each method with memory runs."""
    shown = [result for result in results if result.series.seconds]
    figure, panels = plt.subplots(
        max(1, len(shown)),
        figsize=(WIDTH_INCHES, 0.9 + 1.4 * max(1, len(shown))),
        layout="constrained",
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for result, axes in zip(shown, panels[:, 0], strict=False):
        _draw_over_time(axes, result)
    if shown:
        panels[0, 0].legend(loc="upper right", ncols=3, fontsize=8)
    panels[-1, 0].set_xlabel("time since the call began (s)")
    figure.supylabel("memory above the baseline (MiB)", fontsize=10)
    figure.suptitle(title)
    return figure


def _draw_over_time(axes: Axes, result: Result) -> None:
    series = result.series
    # A part may fall below what it was before the call; a stack cannot.
    heights = [[max(0, value) / MIB for value in part] for part in series.parts_bytes]
    axes.stackplot(
        series.seconds,
        *heights,
        labels=PARTS,
        colors=COLOURS,
        alpha=0.8,
        step="pre",
    )
    axes.set_title(result.method, fontsize=9, loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def plot_parts(results: Sequence[Result], title: str) -> Figure:
    """Draw the peak of each method that has figures as a bar, stacked of its parts."""
    shown = [result for result in results if not result.failed and result.memory_runs]
    figure, axes = plt.subplots(
        figsize=(WIDTH_INCHES, 1.4 + 0.45 * max(1, len(shown))), layout="constrained"
    )
    for row, result in enumerate(shown):
        run = result.peak_run
        left = 0.0
        for size, name, colour in zip(run.parts_bytes, PARTS, COLOURS, strict=True):
            width = max(0, size) / MIB
            label = name if row == 0 else None
            axes.barh(row, width, left=left, color=colour, alpha=0.8, label=label)
            left += width
        axes.text(left, row, f" {format_bytes(run.peak_bytes)}", va="center", fontsize=9)
    axes.set_yticks(range(len(shown)), [result.method for result in shown])
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel("peak (MiB)")
    axes.spines[["top", "right", "left"]].set_visible(False)
    if shown:
        axes.legend(loc="lower right", fontsize=8)
    figure.suptitle(title)
    return figure


def plot_looks(series: Series, every_seconds: float, title: str) -> Figure:
    """Draw memory over time, and what a look every so many seconds would have seen."""
    figure, axes = plt.subplots(figsize=(WIDTH_INCHES, 3.2), layout="constrained")
    total = [sum(values) / MIB for values in zip(*series.parts_bytes, strict=True)]
    axes.fill_between(series.seconds, total, step="pre", color=RUN_COLOUR, alpha=0.3)
    axes.plot(series.seconds, total, drawstyle="steps-pre", color=RUN_COLOUR, label="our gauge")
    at = [n * every_seconds for n in range(int(series.seconds[-1] / every_seconds) + 1)]
    rows = [min(bisect.bisect_left(series.seconds, moment), len(total) - 1) for moment in at]
    seen = [total[row] for row in rows]
    axes.plot(at, seen, "o", color=MEDIAN_COLOUR, label="a look now and then")
    axes.set_xlabel("time since the call began (s)")
    axes.set_ylabel("memory above the baseline (MiB)")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left")
    figure.suptitle(title)
    return figure
