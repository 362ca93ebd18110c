"""Directives about what bounds a method: rates of the machine, limits, and growth."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils.parsers.rst import directives

from benchmarks import comparison, growth
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
    """``.. growth:: growth``: a quantity at each length, or number of workers, and the slope."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Callable[[str], object]]] = {
        "methods": str.split,
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
        task, methods, lookup = self.arguments[0], self.options.get("methods", ()), pages.lookup()
        short = f"{task}@short"
        caption = comparison.caption(lookup.data_of(short), lookup.store.provenance)
        if workers := self.options.get("workers"):
            results = lookup.of_task(short, methods)
            if len(workers) != len(results):
                raise FigureError(f"{len(workers)} numbers of workers, {len(results)} methods.")
            return growth.of_jobs(workers, results, caption)
        names = [f"{task}@{name}" for name in growth.LENGTHS]
        found = [(lookup.data_of(name), lookup.of_task(name, methods)) for name in names]
        return growth.of_lengths(found, caption)
