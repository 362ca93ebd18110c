"""Plots of a task's results: every run as a dot, the median as a line."""

from __future__ import annotations

import itertools
import re
import statistics
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.results.quantities import QUANTITIES, Quantity
from benchmarks.units import MIB, NARROW_SPACE, SPACE

from .families import FAMILIES, INK, OTHER, Family
from .table import LOG_FROM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from benchmarks.results.result import Result
    from benchmarks.results.statistics import Sample

    from .table import Table

#: Blue and orange of Okabe and Ito's palette, told apart by colour-blind readers and in grey.
RUN_COLOUR = "#0072b2"
MEDIAN_COLOUR = "#d55e00"

#: Colour, shape of the dots and line of each row, told apart in grey too.
_COLOURS = (RUN_COLOUR, MEDIAN_COLOUR, "#009e73", "#a0467f", INK, "#8a6d00")
LOOKS = tuple(zip(_COLOURS, "os^DvP", ("-", "--", "-.", ":") * 2, strict=False))

#: Panels side by side.
_PANELS = 3
_ROW_INCHES = 0.5
WIDTH_INCHES = 7.0


def plot(
    results: Sequence[Result], quantity: str, title: str, families: Mapping[str, str] | None = None
) -> Figure:
    """Draw one quantity of several methods.

    Parameters
    ----------
    results : sequence of Result
        One for each row; those without figures are left out, and the title says so.
    quantity : str
        A name of `QUANTITIES`.
    title : str
        What the plot shows, as a phrase.
    families : mapping of str, optional
        The family of each method, by its name.
    """
    shown = [result for result in results if not result.failed]
    known = QUANTITIES[quantity]
    samples = [result.quantity(quantity) for result in shown]
    figure, axes = plt.subplots(
        figsize=(WIDTH_INCHES, 1.4 + _ROW_INCHES * max(1, len(shown))), layout="constrained"
    )
    looks = [FAMILIES.get((families or {}).get(result.method, ""), OTHER) for result in shown]
    for row, (sample, family) in enumerate(zip(samples, looks, strict=True)):
        _draw_row(axes, row, sample, known, family)
    axes.margins(x=0.12)
    scale = _set_scale(axes, "x", known, [sample.median for sample in samples])
    axes.set_yticks(range(len(shown)), [result.method for result in shown])
    axes.set_ylim(len(shown) - 0.5, -0.7)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel(f"{known.heading} (dots: repeats, line: median{scale})")
    _explain(axes, [family for family in FAMILIES.values() if family in looks])
    missing = len(results) - len(shown)
    figure.suptitle(title + (f" ({missing} without figures)" if missing else ""))
    return figure


def _explain(axes: Axes, families: Sequence[Family]) -> None:
    """Put a legend of the families that are drawn below the plot."""
    for family in families:
        axes.plot([], [], family.marker, color=family.colour, label=family.title)
    if families:
        axes.figure.legend(loc="outside lower center", ncols=len(families), fontsize=8)


def _draw_row(axes: Axes, row: int, sample: Sample, known: Quantity, family: Family) -> None:
    # Nothing has no place on a logarithmic axis; a page of memory stands for it.
    drawn = [max(value, known.smallest / 100) / known.drawn_in for value in sample.values]
    median = statistics.median_high(drawn)  # as `Sample.median`, which is written beside it
    axes.plot(drawn, [row] * len(drawn), family.marker, color=family.colour, alpha=0.5)
    axes.plot([median] * 2, [row - 0.3, row + 0.3], "-", color=INK, linewidth=2)
    text = known.write(sample.median)
    axes.annotate(text, (median, row - 0.32), ha="center", va="bottom", fontsize=9)


def _set_scale(axes: Axes, name: str, known: Quantity, medians: Sequence[float]) -> str:
    """Choose the scale of the axis x or y, and return what its label has to add."""
    axis: Axis = getattr(axes, f"{name}axis")
    is_wide = bool(medians) and max(medians) > LOG_FROM * min(medians)
    if is_wide:
        axes.set(**{f"{name}scale": "log"})
        axis.set_minor_formatter(NullFormatter())
    else:
        axes.set(**{f"{name}lim": (0, None)})
    # A tick is a round number of what it is written in.
    axis.set_major_formatter(FuncFormatter(lambda value, _: _tick(known, value)))
    return ", logarithmic" if is_wide else ""


def _tick(known: Quantity, value: float) -> str:
    """Write a round number without zeros behind the point; memory is in MiB, however much."""
    if known.drawn_in == MIB:
        return f"{value:,.10g}{SPACE}MiB".replace(",", NARROW_SPACE)
    text = known.write(value)
    return re.sub(r"\.?0+(?=\D*$)", "", text) if "." in text else text


def plot_lines(
    titles: Sequence[str], rows: Sequence[Sequence[Result]], quantity: str, title: str
) -> Figure:
    """Draw one quantity against the methods, a line for each file, every run a dot."""
    known = QUANTITIES[quantity]
    figure, axes = plt.subplots(figsize=(WIDTH_INCHES, 3.6), layout="constrained")
    medians = [
        median
        for name, row, look in zip(titles, rows, itertools.cycle(LOOKS), strict=False)
        for median in _draw_line(axes, name, row, quantity, look)
    ]
    axes.set_xticks(range(len(rows[0])), [r.method.replace("_", "\n", 1) for r in rows[0]])
    scale = _set_scale(axes, "y", known, medians)
    axes.set_ylabel(f"{known.heading} (dots: repeats, line: median{scale})")
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend()
    figure.suptitle(title)
    return figure


def _draw_line(
    axes: Axes, name: str, row: Sequence[Result], quantity: str, look: tuple[str, str, str]
) -> list[float]:
    """Draw the results of one file, and return their medians."""
    known = QUANTITIES[quantity]
    samples = [result.quantity(quantity) for result in row]
    medians = [sample.median / known.drawn_in for sample in samples]
    colour, dot, line = look
    axes.plot(range(len(row)), medians, line, marker=dot, color=colour, label=name)
    for index, sample in enumerate(samples):
        values = [value / known.drawn_in for value in sample.values]
        axes.plot([index] * len(values), values, dot, color=colour, alpha=0.5)
    return medians


def plot_growth(
    places: Sequence[float],
    points: Mapping[str, Sequence[Sequence[float]]],
    lines: Mapping[str, tuple[float, float, float]],
    labels: tuple[str, str],
    title: str,
) -> Figure:
    """Draw how rows grow: runs as dots, and a line for each: through medians, unless it is given.

    Lines are given by the place from which they are drawn, by their height at 0, and their slope.
    """
    figure, axes = plt.subplots(figsize=(WIDTH_INCHES, 3.8), layout="constrained")
    looks = itertools.cycle(LOOKS)
    for (name, values), (colour, dot, line) in zip(points.items(), looks, strict=False):
        for place, runs in zip(places, values, strict=True):
            axes.plot([place] * len(runs), runs, dot, color=colour, alpha=0.5)
        ends, heights = places, [statistics.median_high(runs) for runs in values]
        if name in lines:
            first, start, slope = lines[name]
            ends = [first, max(places)]
            heights = [start + slope * place for place in ends]
        axes.plot(ends, heights, line, marker=dot, markevery=[-1], color=colour, label=name)
    axes.set(xlim=(0, None), ylim=(0, None), xlabel=labels[0], ylabel=labels[1])
    axes.locator_params(axis="x", integer=True)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend()
    figure.suptitle(title)
    return figure


def plot_heat(table: Table, values: Sequence[Sequence[float]], title: str) -> Figure:
    """Draw a table as a heat map: values are what the colours follow, NaN without a figure."""
    names = table.headings[1:]
    size = WIDTH_INCHES, 1.8 + 0.55 * len(table.rows)
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    axes.imshow(values, cmap="Blues", aspect="auto", vmin=0)
    axes.set_xticks(range(len(names)), [name.replace("_", "\n") for name in names], fontsize=8)
    axes.set_yticks(range(len(table.rows)), [row[0] for row in table.texts])
    largest = max(value for row in values for value in row if value == value)  # noqa: PLR0124
    for y, row in enumerate(table.texts):
        for x, text in enumerate(row[1:]):
            dark = values[y][x] > 0.6 * largest
            colour = "white" if dark else "black"
            # What is mapped stands below the rest: in one line, it would run into the next cell.
            written = text.replace(" + ", "\n+ ").replace(" mapped", "\nmapped")
            axes.text(x, y, written, ha="center", va="center", color=colour, fontsize=8)
    figure.suptitle(title)
    return figure


def plot_releases(
    versions: Sequence[tuple[str, ...]],
    rows: Mapping[str, tuple[Sequence[Sample | None], Sequence[int]]],
    quantity: str,
    title: str,
) -> Figure:
    """Draw a quantity over releases, a panel for each method; an upright line marks a change."""
    lines = max(1, -(-len(rows) // _PANELS))
    height = 1.1 + 1.7 * lines
    # All panels are alike, so that nothing has to be worked out, which takes long for so many.
    room = {
        "left": 0.08,
        "right": 0.99,
        "wspace": 0.3,
        "hspace": 0.3,
        "bottom": 0.75 / height,
        "top": 1 - 0.6 / height,
    }
    figure, grid = plt.subplots(
        lines, _PANELS, figsize=(WIDTH_INCHES * 1.4, height), squeeze=False, gridspec_kw=room
    )
    ticks = ["\n".join(pair) for pair in versions]
    for index, axes in enumerate(grid.flat):
        axes.set_visible(index < len(rows))
        # Only where no panel is below.
        is_lowest = index + _PANELS >= len(rows)
        axes.set_xticks(range(len(ticks)), ticks if is_lowest else [""] * len(ticks))
    for axes, (name, (samples, changed)) in zip(grid.flat, rows.items(), strict=False):
        _draw_releases(axes, samples, changed, QUANTITIES[quantity])
        axes.set_title(name, fontsize=9, loc="left")
    if not rows:
        figure.text(0.5, 0.4, "Nothing is left to show: all methods have changed.", ha="center")
    figure.supxlabel("nilearn, and nibabel below it", fontsize=9)
    figure.suptitle(title)
    return figure


def _draw_releases(
    axes: Axes, samples: Sequence[Sample | None], changed: Sequence[int], known: Quantity
) -> None:
    """Draw one panel; nothing is drawn of what has no figure."""
    # Nothing has no place on a logarithmic axis; a page of memory stands for it.
    drawn = {
        place: [max(v, known.smallest / 100) / known.drawn_in for v in sample.values]
        for place, sample in enumerate(samples)
        if sample
    }
    places = [place for place, values in drawn.items() for _ in values]
    values = [value for values in drawn.values() for value in values]
    axes.plot(places, values, "o", color=RUN_COLOUR, alpha=0.5, markersize=4)
    medians = {place: statistics.median_high(values) for place, values in drawn.items()}
    axes.plot(list(medians), list(medians.values()), "-", color=RUN_COLOUR, linewidth=1)
    for place in changed:
        axes.axvline(place - 0.5, color=MEDIAN_COLOUR, linewidth=2)
    highest = max((v for sample in samples if sample for v in sample.values), default=0.0)
    if not _set_scale(axes, "y", known, list(medians.values())):
        axes.set_ylim(0, 1.15 * max(highest, known.smallest) / known.drawn_in)
    axes.tick_params(labelsize=7)
    axes.set_xlim(-0.5, len(samples) - 0.5)
    axes.spines[["top", "right"]].set_visible(False)
