"""How fast this machine is, and what the least time of a method consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.prediction.roofline import RATES, bytes_done
from benchmarks.report.captions import machine
from benchmarks.report.result_tables import NONE
from benchmarks.report.table import Table
from benchmarks.tasks.chapter import SHOWN_WITH
from benchmarks.units import MIB, format_bytes, format_seconds, significant

from . import pages
from .pages import MeasuredDirective, table_node

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

_FORMS = {"nii": "plain file", "nii_gz": "compressed file"}


class RatesDirective(MeasuredDirective):
    """``.. rates::``: how fast this machine reads, unpacks, converts, copies and packs."""

    def measured(self) -> list[Node]:
        """Return the table, in MiB a second."""
        cells = [(words, *(_rate(name, form) for form in _FORMS)) for name, words in RATES.items()]
        table = Table(("MiB a second", *_FORMS.values()), tuple(cells))
        return [table_node(table, f"Rates of this machine. {machine(pages.site().provenance)}")]


def _rate(name: str, form: str) -> str:
    """Write a rate; a plain file has nothing to unpack, and some are always in memory."""
    lookup = pages.site()
    task = f"{SHOWN_WITH}@{form}"
    if form == "nii" and name.startswith("inflate"):
        return NONE
    result = lookup.find(task, name)
    if result.failed:
        return NONE
    seconds = result.wall_seconds.median
    return significant(bytes_done(name, lookup.data_of(task)) / seconds / MIB)


class RooflineDirective(MeasuredDirective):
    """``.. roofline::``, each line of its content a method: what its least time consists of."""

    has_content = True

    def measured(self) -> list[Node]:
        """Return the table."""
        rows = []
        for line in self.content:
            task, _, method = line.strip().rpartition(".")
            least = pages.site().roofline(task, method)
            parts = (
                f"{RATES[name]} {format_seconds(seconds)}" for name, seconds in least.parts.items()
            )
            both = format_seconds(least.wall_seconds), format_bytes(least.peak_bytes)
            rows.append((line.strip(), " + ".join(parts), *both))
        table = Table(("method", "least time", "sum", "least memory"), tuple(rows))
        text = "What the least time of a method consists of."
        text = f"{text} {machine(pages.site().provenance)}"
        return [table_node(table, text, classes=["limits"])]


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_directive("rates", RatesDirective)
    app.add_directive("roofline", RooflineDirective)
