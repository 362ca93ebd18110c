"""Compare methods on several forms of the same run: one quantity, files against methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.images import variants
from benchmarks.report import result_tables
from benchmarks.report.captions import machine, titled
from benchmarks.results.quantities import QUANTITIES

from .compare import compare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from benchmarks.images.image import Image
    from benchmarks.report.table import Table
    from benchmarks.results.provenance import Provenance
    from benchmarks.results.result import Result
    from benchmarks.tasks.task import Methods

    from .compare import Comparison


@dataclass(frozen=True)
class Crossing:
    """The results of one task on several files.

    Attributes
    ----------
    quantity : str
        What is shown: a name of `benchmarks.results.quantities.QUANTITIES`.
    comparisons : dict
        By the name of the form.
    """

    quantity: str
    comparisons: dict[str, Comparison]

    @property
    def titles(self) -> list[str]:
        """What each file is, in words."""
        return [variants.VARIANTS[name].title for name in self.comparisons]

    @property
    def _rows(self) -> list[tuple[Result, ...]]:
        return [comparison.results for comparison in self.comparisons.values()]

    def table(self) -> Table:
        """Return the table: a row for each file, a column for each method."""
        return result_tables.crossed(self.titles, self._rows, self.quantity)

    @property
    def caption(self) -> str:
        """The quantity, the run and the machine, in one line."""
        first = next(iter(self.comparisons.values()))
        heading = QUANTITIES[self.quantity].heading
        return caption_of(heading, first.data, first.provenance)

    def __str__(self) -> str:
        return f"{self.table().text()}\n\n{self.caption}"

    def _repr_html_(self) -> str:
        return self.table().html(self.caption)

    def plot_lines(self) -> Figure:
        """Draw the quantity against the methods, a line for each file."""
        from benchmarks.report import plots  # noqa: PLC0415 - matplotlib is slow to import

        return plots.plot_lines(self.titles, self._rows, self.quantity, self._title())

    def plot_heat(self) -> Figure:
        """Draw the table as a heat map."""
        from benchmarks.report import plots  # noqa: PLC0415 - matplotlib is slow to import

        table = self.table()
        values = [
            [self._value(row, method) for method in table.headings[1:]] for row in self._rows
        ]
        return plots.plot_heat(table, values, self._title())

    def _title(self) -> str:
        first = next(iter(self.comparisons.values()))
        title = f"{self.quantity.capitalize()}: {first.task.replace('_', ' ')}"
        return titled(title, self.caption)

    def _value(self, row: Sequence[Result], method: str) -> float:
        for result in row:
            if result.method == method and not result.failed:
                return result.quantity(self.quantity).median
        return float("nan")


def caption_of(heading: str, first: Image, provenance: Provenance) -> str:
    """Return the caption of one quantity on several forms, all of which have the same voxels."""
    text = f"{heading}; the run in these forms, {first.extent}. {machine(provenance)}"
    return text[0].upper() + text[1:]


def compare_forms(
    methods: Mapping[str, Methods],
    *,
    quantity: str = "time",
    timed: bool = True,
    runs: int | None = None,
) -> Crossing:
    """Measure methods on several forms of the file that is measured on.

    Parameters
    ----------
    methods : mapping
        By the name of a form, one of `benchmarks.images.variants.VARIANTS`: the functions, as
        `benchmarks.compare` takes them.
    quantity : str
        What is shown.
    timed : bool
        Whether time is measured too.
    runs : int, optional
        As `benchmarks.compare` takes it.

    Raises
    ------
    BenchmarkError
        As `benchmarks.compare`.
    """
    return Crossing(
        quantity,
        {name: compare(ways, form=name, timed=timed, runs=runs) for name, ways in methods.items()},
    )
