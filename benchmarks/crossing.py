"""Compare methods on several forms of the same run: one quantity, files against methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import forms, tables
from .comparing import compare
from .comparison import of_forms, titled
from .quantities import QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from .cells import Table
    from .comparison import Comparison
    from .results import Result
    from .tasks import Methods


@dataclass(frozen=True)
class Crossing:
    """The results of one task on several files.

    Attributes
    ----------
    quantity : str
        What is shown: a name of `benchmarks.results.QUANTITIES`.
    comparisons : dict
        By the name of the form.
    """

    quantity: str
    comparisons: dict[str, Comparison]

    @property
    def titles(self) -> list[str]:
        """What each file is, in words."""
        return [forms.FORMS[name].title for name in self.comparisons]

    @property
    def _rows(self) -> list[tuple[Result, ...]]:
        return [comparison.results for comparison in self.comparisons.values()]

    def table(self) -> Table:
        """Return the table: a row for each file, a column for each method."""
        return tables.crossed(self.titles, self._rows, self.quantity)

    @property
    def caption(self) -> str:
        """The quantity, the run and the machine, in one line."""
        first = next(iter(self.comparisons.values()))
        heading = QUANTITIES[self.quantity].heading
        return of_forms(heading, first.data, first.provenance)

    def __str__(self) -> str:
        return f"{self.table().text()}\n\n{self.caption}"

    def _repr_html_(self) -> str:
        return self.table().html(self.caption)

    def plot_lines(self) -> Figure:
        """Draw the quantity against the methods, a line for each file."""
        from . import figures  # noqa: PLC0415 - matplotlib is slow to import

        return figures.plot_lines(self.titles, self._rows, self.quantity, self._title())

    def plot_heat(self) -> Figure:
        """Draw the table as a heat map."""
        from . import figures  # noqa: PLC0415 - matplotlib is slow to import

        table = self.table()
        values = [
            [self._value(row, method) for method in table.headings[1:]] for row in self._rows
        ]
        return figures.plot_heat(table, values, self._title())

    def _title(self) -> str:
        first = next(iter(self.comparisons.values()))
        title = f"{self.quantity.capitalize()}: {first.task.replace('_', ' ')}"
        return titled(title, self.caption)

    def _value(self, row: Sequence[Result], method: str) -> float:
        for result in row:
            if result.method == method and result.status == "ok":
                return result.quantity(self.quantity).median
        return float("nan")


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
        By the name of a form, one of `benchmarks.forms.FORMS`: the functions, as
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
