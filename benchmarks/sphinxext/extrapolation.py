"""``.. extrapolation:: 1000 100000``: what so many runs take, by raw size, no disk waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.errors import FigureError
from benchmarks.report.captions import machine
from benchmarks.report.table import Table
from benchmarks.tasks.chapter import MANY_IMAGES
from benchmarks.units import (
    KIB,
    MIB,
    MINUTE_SECONDS,
    SPACE,
    format_bytes,
    format_duration,
    format_seconds,
    significant,
)

from . import pages
from .pages import MeasuredDirective, table_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from benchmarks.comparisons.site import Site

_KILO = 1000
_FLOAT64_BYTES = 8


class ExtrapolationDirective(MeasuredDirective):
    """The table, a column for each number of runs."""

    required_arguments = 1
    final_argument_whitespace = True

    def measured(self) -> list[Node]:
        """Return the table."""
        try:
            counts = [int(word) for word in self.arguments[0].split()]
        except ValueError as error:
            raise FigureError(f"{self.arguments[0]!r} are no numbers of runs.") from error
        lookup = pages.site()
        size = format_bytes(lookup.data.raw_bytes)
        text = (
            f"Worked out for runs like {lookup.data.name}, {size} raw size each, and two workers."
        )
        return [table_node(table(lookup, counts), f"{text} {machine(lookup.provenance)}")]


def table(lookup: Site, counts: Sequence[int]) -> Table:
    """Return what one run takes, and so many; raises FigureError if a result is missing."""
    many, columns = MANY_IMAGES, (1, *counts)
    name = f"{many.task}@{many.form}"
    image, few = lookup.data, lookup.data_of(name)
    longer = image.raw_bytes * few.images / few.raw_bytes

    def median(method: str, quantity: str) -> float:
        return lookup.find(name, method).quantity(quantity).median

    seconds = median(many.two_workers, "time") / few.images * longer
    sent, sent_images = (_KILO * median(m, "value") for m in (many.sent, many.sent_images))
    signals = many.signals * image.volumes * _FLOAT64_BYTES
    held = median(many.two_workers, "whole")
    rows = [
        ("time", *(_time(n * seconds) for n in columns)),
        (
            "memory, with the signals that come back",
            *(format_bytes(held + n * signals) for n in columns),
        ),
        ("sent to workers, as paths", *(_size(n * sent) for n in columns)),
        ("sent to workers, as loaded images", *(_size(n * sent_images * longer) for n in columns)),
    ]
    headings = (f"{significant(n, len(str(n)))} run{'s' * (n > 1)}" for n in columns)
    return Table(("what is needed", *headings), tuple(rows))


def _time(seconds: float) -> str:
    # From a minute on, fractions of a second say nothing.
    return format_duration(seconds) if seconds >= MINUTE_SECONDS else format_seconds(seconds)


def _size(size_bytes: float) -> str:
    """Write also what is far below a MiB, as messages are."""
    if size_bytes < MIB / 10:
        return f"{significant(size_bytes / KIB)}{SPACE}KiB"
    return format_bytes(size_bytes)


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("extrapolation", ExtrapolationDirective)
