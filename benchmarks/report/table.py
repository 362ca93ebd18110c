"""Tables of text and figures, written for a terminal and for a page."""

from __future__ import annotations

import functools
import hashlib
import io
import math
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.units import NARROW_SPACE, SPACE, printable

from .families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import JustifyMethod

#: Characters that a page has room for where it shows what an example prints; the cells of a table
#: that is wider are broken.
_TEXT_WIDTH = 98

#: Stands for a space that no cell is broken at: rich breaks at all of them.
_KEPT_SPACE = "\ue000"

#: What spans more than this factor is drawn on a logarithmic scale, here and in plots.
LOG_FROM = 30.0

LEAST_MARK = "◂"

#: What a heading does not say by itself; on a page, it is shown under the pointer.
EXPLAINED = {"x limit": "The time, divided by the least that this machine should need for it."}

#: Stands before a figure that is to be taken with care.
NOISY_MARK = "~"


@dataclass(frozen=True)
class Amount:
    """A cell that holds a figure, with what its text does not say."""

    text: str
    #: What its column is sorted by.
    value: float
    #: Least, median and largest value of the runs; drawn where it is given.
    runs: tuple[float, float, float] | None = None
    #: Whether no other method of its group needs less, as far as the runs can tell.
    least: bool = False
    #: Why the figure is to be taken with care, in a sentence; `NOISY_MARK` opens to it on a page.
    remark: str = ""


@dataclass(frozen=True)
class Name:
    """The name of a method, with the sign of its family in `FAMILIES`; empty if it has none."""

    text: str
    family: str = ""


@dataclass(frozen=True)
class Label:
    """A word in the place of a figure: shown as a sign where it has one, with its reason."""

    text: str
    sign: str = ""
    #: A sentence; on a page, the word opens to it.
    remark: str = ""


Cell: TypeAlias = "str | Amount | Name | Label"


def plain(cell: Cell) -> str:
    """Return the text of a cell."""
    if isinstance(cell, str):
        return cell
    is_noisy = isinstance(cell, Amount) and cell.remark
    return f"{NOISY_MARK if is_noisy else ''}{cell.text}"


@dataclass(frozen=True)
class Table:
    """Headings and rows of cells; the first column names the rows, the others are figures."""

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def texts(self) -> list[tuple[str, ...]]:
        """The rows as they are read."""
        return [tuple(map(plain, row)) for row in self.rows]

    def text(self) -> str:
        """Return the table as plain text, columns aligned."""
        table = RichTable(box=SIMPLE, show_edge=False, pad_edge=False, collapse_padding=True)
        # A name is looked for and copied, and stays in one piece.
        named = " " not in max((texts[0] for texts in self.texts), key=len, default="")
        for index, heading in enumerate(self._headings_of_text()):
            side: JustifyMethod = "right" if index else "left"
            whole = named and not index
            table.add_column(heading, justify=side, overflow="fold", no_wrap=whole)
        for row in self.texts:
            # Fonts of terminals have no narrow space, and take one that is narrow indeed.
            texts = (printable(text).replace(NARROW_SPACE, SPACE) for text in row)
            table.add_row(*(text.replace(SPACE, _KEPT_SPACE) for text in texts))
        output = io.StringIO()
        # In a notebook, rich would display the table itself instead of writing it.
        console = Console(
            file=output,
            width=_TEXT_WIDTH,
            highlight=False,
            markup=False,
            force_jupyter=False,
        )
        console.print(table)
        written = output.getvalue().replace(_KEPT_SPACE, SPACE)
        return "\n".join(line.rstrip() for line in written.splitlines())

    def _headings_of_text(self) -> list[str]:
        """Return the headings, broken if the table is too wide: names at each part."""
        columns = [list(map(len, cells)) for cells in zip(*self.texts, strict=True)]
        widths = [max(cells) for cells in columns] or [0] * len(self.headings)
        whole = zip(self.headings, widths, strict=True)
        if sum(max(len(heading), width) + 2 for heading, width in whole) - 2 <= _TEXT_WIDTH:
            return list(self.headings)
        broken = []
        for heading, width in zip(self.headings, widths, strict=True):
            lines = textwrap.wrap(heading, max([width, *map(len, heading.split())]))
            broken.append("\n".join(lines).replace("_", "_\n"))
        return broken

    def html(self, caption: str, *, classes: Sequence[str] = (), identity: str = "") -> str:
        """Return the table as HTML, every text escaped.

        Parameters
        ----------
        caption : str
            What it shows, of which file and machine; how to read it is added.
        classes : sequence of str
            For style sheets, besides ``measurements``.
        identity : str
            What a link leads to.
        """
        amounts = [cell for row in self.rows for cell in row if isinstance(cell, Amount)]
        families = {cell.family for row in self.rows for cell in row if isinstance(cell, Name)}
        labels = [cell for row in self.rows for cell in row if isinstance(cell, Label)]
        # Marks need a name that no other table of the page gives to its own.
        shown = hashlib.sha256(f"{identity} {caption} {self.headings} {self.texts}".encode())
        page: str = template("benchmarks.report", "table.html.jinja").render(
            table=self,
            all_families=FAMILIES,
            least_mark=LEAST_MARK,
            explained=EXPLAINED,
            caption=caption,
            classes=" ".join(["measurements", *classes]),
            identity=identity,
            families=[name for name in FAMILIES if name in families],
            signs={label.sign: label.text for label in labels if label.sign},
            noisy_mark=NOISY_MARK,
            place=f"note-{shown.hexdigest()[:8]}",
            has_least=any(amount.least for amount in amounts),
            scale=_Scale([value for amount in amounts for value in amount.runs or ()]),
        )
        return page


class _Scale:
    """Where values are drawn: from zero on, or by their logarithms if they lie far apart."""

    #: Size of the drawing, and what is left free on both sides, in units of its own.
    width, height, edge = 96, 12, 5

    def __init__(self, values: Sequence[float]) -> None:
        self.values = [value for value in values if value > 0]
        self.high = max(self.values, default=1.0)
        self.low = min(self.values, default=1.0)
        self.is_wide = self.high > LOG_FROM * self.low

    def at(self, value: float) -> float:
        """Return the place of a value, between the edges of the drawing."""
        if self.is_wide:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = max(0.0, value) / self.high
        return self.edge + share * (self.width - 2 * self.edge)

    def drawn(self, runs: tuple[float, float, float]) -> list[float]:
        """Return the places of least, median and largest run."""
        return [round(self.at(value), 1) for value in runs]


@functools.cache
def template(package: str, name: str) -> Any:
    """Return a template of a package; texts are escaped when they are filled in."""
    # Only pages need it, and to import it takes time.
    from jinja2 import Environment, PackageLoader  # noqa: PLC0415

    environment = Environment(loader=PackageLoader(package, "."), autoescape=True)
    environment.filters["plain"] = plain
    return environment.get_template(name)
