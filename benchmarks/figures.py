"""Plots of a task's results: every run as a dot, the median as a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter

from .results import QUANTITIES, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

#: Blue and orange of Okabe and Ito's palette, told apart by colour-blind readers and in grey.
RUN_COLOUR = "#0072b2"
MEDIAN_COLOUR = "#d55e00"

#: Values that span more than this factor are drawn on a logarithmic axis.
LOG_FROM = 30.0

_ROW_INCHES = 0.5
_WIDTH_INCHES = 7.0


def plot(results: Sequence[Result], quantity: str, title: str) -> Figure:
    """Draw one quantity of several methods.

    Parameters
    ----------
    results : sequence of Result
        One for each row; those without figures are left out, and the title says so.
    quantity : str
        A name of `QUANTITIES`.
    title : str
        What the plot shows, as a phrase.
    """
    shown = [result for result in results if result.status == "ok"]
    known = QUANTITIES[quantity]
    figure, axes = plt.subplots(
        figsize=(_WIDTH_INCHES, 1.4 + _ROW_INCHES * max(1, len(shown))), layout="constrained"
    )
    for row, result in enumerate(shown):
        sample = result.quantity(quantity)
        values = [max(value, known.smallest) for value in sample.values]
        axes.plot(values, [row] * len(values), "o", color=RUN_COLOUR, alpha=0.5, markersize=6)
        median = max(sample.median, known.smallest)
        axes.plot([median] * 2, [row - 0.3, row + 0.3], "-", color=MEDIAN_COLOUR, linewidth=3)
        axes.annotate(
            known.write(sample.median), (median, row - 0.32), ha="center", va="bottom", fontsize=9
        )
    medians = [max(result.quantity(quantity).median, known.smallest) for result in shown]
    if medians and max(medians) > LOG_FROM * min(medians):
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.12)
        scale = ", logarithmic"
    else:
        axes.set_xlim(left=0)
        axes.margins(x=0.12)
        scale = ""
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: known.write(value)))
    axes.set_yticks(range(len(shown)), [result.method for result in shown])
    axes.set_ylim(len(shown) - 0.5, -0.7)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel(f"{known.heading} (dots: runs, line: median{scale})")
    missing = len(results) - len(shown)
    figure.suptitle(title + (f" ({missing} without figures)" if missing else ""))
    return figure
