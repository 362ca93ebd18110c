"""How a quantity grows: with the length of the run, the number of images, of workers, of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils.parsers.rst import directives

from benchmarks.comparisons import growth
from benchmarks.errors import FigureError
from benchmarks.images.variants import MANY
from benchmarks.report.captions import caption, machine
from benchmarks.report.table import Table
from benchmarks.results.quantities import QUANTITIES
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
    from collections.abc import Callable, Sequence

    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from benchmarks.comparisons.site import Site

_KILO = 1000
_FLOAT64_BYTES = 8


class GrowthDirective(MeasuredDirective):
    """``.. growth:: growth``: a quantity at each length of the run, and the slope.

    With ``:images:``, by number of images; ``:workers: 1 2 4``, by method, on a ``:form:``; a
    method under -1 has a worker for each core.
    """

    required_arguments = 1
    option_spec: ClassVar[dict[str, Callable[[str], object]]] = {
        "methods": str.split,
        "images": directives.flag,
        "form": directives.unchanged_required,
        "workers": lambda text: [int(number) for number in text.split()],
        "quantity": directives.unchanged_required,
    }

    def measured(self) -> list[Node]:
        """Return the table."""
        quantity = self.options.get("quantity", "peak")
        if quantity not in growth.UNITS:
            known = ", ".join(growth.UNITS)
            raise FigureError(f"There is no growth of {quantity!r}; there are: {known}.")
        found = self._growth()
        heading = QUANTITIES[quantity].heading.capitalize()
        text = f"{heading}. {found.caption} {found.words(quantity)}".strip()
        return [table_node(found.table(quantity), text)]

    def _growth(self) -> growth.Growth:
        if "workers" in self.options:
            return self._of_workers()
        task, methods, lookup = self.arguments[0], self.options.get("methods", ()), pages.site()
        of_images = "images" in self.options
        names = [f"{task}@{name}" for name in (MANY if of_images else growth.LENGTHS)]
        found = [(lookup.data_of(name), lookup.of_task(name, methods)) for name in names]
        if of_images:
            return growth.of_images(found, lookup.provenance)
        return growth.of_lengths(found, caption(found[0][0], lookup.provenance))

    def _of_workers(self) -> growth.Growth:
        workers, lookup = self.options["workers"], pages.site()
        task = f"{self.arguments[0]}@{self.options.get('form', 'short')}"
        results = lookup.of_task(task, self.options.get("methods", ()))
        if len(workers) != len(results):
            raise FigureError(f"{len(workers)} numbers of workers, {len(results)} methods.")
        text = caption(lookup.data_of(task), lookup.provenance)
        return growth.of_jobs(workers, results, text, lookup.provenance.cores)


class ExtrapolationDirective(MeasuredDirective):
    """``.. extrapolation:: 1000 100000``: what so many runs take, no disk waited for."""

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
            f"Worked out for runs like {lookup.data.name}, {size} raw size each, and two workers "
            "of Dask. The time of 1 run is that of each of many. Memory is taken to grow by the "
            "signals alone."
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
    """Register the directives."""
    app.add_directive("growth", GrowthDirective)
    app.add_directive("extrapolation", ExtrapolationDirective)
