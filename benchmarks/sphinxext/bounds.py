"""Directives about what bounds a method: rates of the machine, limits, growth, many runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils.parsers.rst import directives

from benchmarks import comparison, forms, growth, outlook
from benchmarks.cells import Table
from benchmarks.columns import NONE
from benchmarks.errors import FigureError
from benchmarks.limits import RATES, SHOWN_WITH, bytes_done
from benchmarks.quantities import QUANTITIES
from benchmarks.units import MIB, format_bytes, format_seconds, significant

from . import pages
from .directives import MeasuredDirective, table_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from docutils.nodes import Node

_FORMS = {"nii": "plain file", "nii_gz": "compressed file"}


class RatesDirective(MeasuredDirective):
    """``.. rates::``: how fast this machine reads, unpacks, converts, copies and packs."""

    def measured(self) -> list[Node]:
        """Return the table, in MiB a second."""
        cells = [(words, *(_rate(name, form) for form in _FORMS)) for name, words in RATES.items()]
        lookup = pages.lookup()
        machine = comparison.machine(lookup.store.provenance)
        table = Table(("MiB a second", *_FORMS.values()), tuple(cells))
        return [table_node(table, f"Rates of this machine. {machine}")]


def _rate(name: str, form: str) -> str:
    """Write a rate; a plain file has nothing to unpack, and some are always in memory."""
    lookup = pages.lookup()
    task = f"{SHOWN_WITH}@{form}"
    if form == "nii" and name.startswith("inflate"):
        return NONE
    result = lookup.find(task, name)
    if result.status != "ok":
        return NONE
    seconds = result.wall_seconds.median
    return significant(bytes_done(name, lookup.data_of(task)) / seconds / MIB)


class LimitsDirective(MeasuredDirective):
    """``.. limits::``, each line of its content a method: what its least time consists of."""

    has_content = True

    def measured(self) -> list[Node]:
        """Return the table."""
        rows = []
        for line in self.content:
            task, _, method = line.strip().rpartition(".")
            limit = pages.lookup().limit(task, method)
            parts = (
                f"{RATES[name]} {format_seconds(seconds)}" for name, seconds in limit.parts.items()
            )
            least = format_seconds(limit.wall_seconds), format_bytes(limit.peak_bytes)
            rows.append((line.strip(), " + ".join(parts), *least))
        table = Table(("method", "least time", "sum", "least memory"), tuple(rows))
        machine = comparison.machine(pages.lookup().store.provenance)
        caption = f"What the least time of a method consists of. {machine}"
        return [table_node(table, caption, classes=["limits"])]


class GrowthDirective(MeasuredDirective):
    """``.. growth:: growth``: a quantity at each length of the run, and the slope.

    Or for each number of images with ``:images:``. Or with ``:workers: 1 2 4``, which gives that
    of each method, on a ``:form:`` of the run.
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
        return [table_node(found.table(quantity), f"{heading}. {found.caption}")]

    def _growth(self) -> growth.Growth:
        if "workers" in self.options:
            return self._of_workers()
        task, methods, lookup = self.arguments[0], self.options.get("methods", ()), pages.lookup()
        of_images = "images" in self.options
        names = [f"{task}@{name}" for name in (forms.MANY if of_images else growth.LENGTHS)]
        found = [(lookup.data_of(name), lookup.of_task(name, methods)) for name in names]
        if of_images:
            return growth.of_images(found, lookup.store.provenance)
        return growth.of_lengths(found, comparison.caption(found[0][0], lookup.store.provenance))

    def _of_workers(self) -> growth.Growth:
        workers, lookup = self.options["workers"], pages.lookup()
        task = f"{self.arguments[0]}@{self.options.get('form', 'short')}"
        results = lookup.of_task(task, self.options.get("methods", ()))
        if len(workers) != len(results):
            raise FigureError(f"{len(workers)} numbers of workers, {len(results)} methods.")
        caption = comparison.caption(lookup.data_of(task), lookup.store.provenance)
        return growth.of_jobs(workers, results, caption)


class OutlookDirective(MeasuredDirective):
    """``.. outlook:: 1000 100000``: what so many runs would take."""

    required_arguments = 1
    final_argument_whitespace = True

    def measured(self) -> list[Node]:
        """Return the table."""
        lookup = pages.lookup()
        try:
            counts = [int(word) for word in self.arguments[0].split()]
        except ValueError as error:
            raise FigureError(f"{self.arguments[0]!r} are no numbers of runs.") from error
        about = outlook.caption(lookup.store.data)
        caption = f"{about} {comparison.machine(lookup.store.provenance)}"
        return [table_node(outlook.of(lookup).table(counts), caption)]
