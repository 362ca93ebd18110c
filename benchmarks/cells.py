"""Tables of text and figures, written for a terminal and for a page."""

from __future__ import annotations

import html
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable

from .families import FAMILIES
from .units import NARROW_SPACE, SPACE, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Wider than any table here, so that rich never breaks a cell.
_TEXT_WIDTH = 200

#: What spans more than this factor is drawn on a logarithmic scale, here and in plots.
LOG_FROM = 30.0

#: Size of the drawing of a spread, in units of its own.
_WIDTH, _HEIGHT, _EDGE = 96.0, 12.0, 5.0

LEAST_MARK = "◂"

#: Wide tables scroll by themselves on a phone; with the keyboard, too.
WRAPPER = '<div class="table-wrapper" role="group" aria-label="Table" tabindex="0">'


@dataclass(frozen=True)
class Amount:
    """A cell that holds a figure, with what its text does not say.

    Attributes
    ----------
    text : str
        What is read.
    value : float
        What its column is sorted by.
    runs : tuple of float
        Least, median and largest value of the runs; drawn where it is given.
    least : bool
        Whether no other method of its group needs less, as far as the runs can tell.
    """

    text: str
    value: float
    runs: tuple[float, float, float] | None = None
    least: bool = False


@dataclass(frozen=True)
class Name:
    """The name of a method, with the sign of its family.

    Attributes
    ----------
    text : str
        The name.
    family : str
        A name of `FAMILIES`; empty if it has none.
    """

    text: str
    family: str = ""


Cell: TypeAlias = "str | Amount | Name"


def plain(cell: Cell) -> str:
    """Return the text of a cell."""
    return cell if isinstance(cell, str) else cell.text


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
        for index, heading in enumerate(self.headings):
            table.add_column(heading, justify="right" if index else "left", no_wrap=True)
        for row in self.texts:
            # Fonts of terminals have no narrow space, and take one that is narrow indeed.
            table.add_row(*(printable(text).replace(NARROW_SPACE, SPACE) for text in row))
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
        return "\n".join(line.rstrip() for line in output.getvalue().splitlines())

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
        head = "".join(f'<th scope="col">{_broken(text)}</th>' for text in self.headings)
        drawn = [cell.runs for row in self.rows for cell in row if isinstance(cell, Amount)]
        scale = _Scale([value for runs in drawn if runs for value in runs])
        body = "".join(
            f'<tr><th scope="row">{_head(first)}</th>'
            + "".join(_cell(cell, scale) for cell in rest)
            + "</tr>"
            for first, *rest in self.rows
        )
        names = html.escape(" ".join(["measurements", *classes]), quote=True)
        anchor = f' id="{html.escape(identity, quote=True)}"' if identity else ""
        legend = " ".join([html.escape(caption), *self._legend(scale)])
        return (
            f'{WRAPPER}<table class="{names}"{anchor}>'
            f"<caption>{legend}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _legend(self, scale: _Scale) -> Iterator[str]:
        """Yield how to read what stands in the table besides text."""
        cells = [cell for row in self.rows for cell in row]
        families = {cell.family for cell in cells if isinstance(cell, Name)} - {""}
        if families:
            listed = (
                f"{_sign(name)} {html.escape(FAMILIES[name].title)}"
                for name in FAMILIES
                if name in families
            )
            yield f'<span class="legend">{", ".join(listed)}.</span>'
        if any(isinstance(cell, Amount) and cell.least for cell in cells):
            yield (
                f"{LEAST_MARK} marks the least of a column, and figures so close to it that the "
                "runs cannot tell them apart."
            )
        if scale.values:
            yield "The bars show all runs, the dots their median" + (
                ", on a logarithmic scale." if scale.is_wide else ", from zero on."
            )


class _Scale:
    """Where values are drawn: from zero on, or by their logarithms if they lie far apart."""

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
        return _EDGE + share * (_WIDTH - 2 * _EDGE)


def _broken(text: str) -> str:
    """Escape a text, whose long names may be broken behind an underscore."""
    return html.escape(text).replace("_", "_<wbr>")


def _sign(family: str) -> str:
    sign = FAMILIES[family].sign
    return f'<span class="family family-{family}" aria-hidden="true">{sign}</span>'


def _head(cell: Cell) -> str:
    text = plain(cell)
    name = f"<code>{_broken(text)}</code>" if text.isidentifier() else html.escape(text)
    if isinstance(cell, Name) and cell.family:
        said = html.escape(FAMILIES[cell.family].title)
        return f'{_sign(cell.family)}&nbsp;{name}<span class="said"> ({said})</span>'
    return name


def _cell(cell: Cell, scale: _Scale) -> str:
    text = html.escape(plain(cell))
    if not isinstance(cell, Amount):
        return f"<td>{text}</td>"
    if cell.least:
        mark = f'<span aria-hidden="true">{LEAST_MARK}</span><span class="said"> (least)</span>'
        text = f"<strong>{text}</strong>{mark}"
    return f'<td data-value="{cell.value!r}">{text}{_drawing(cell.runs, scale)}</td>'


def _drawing(runs: tuple[float, float, float] | None, scale: _Scale) -> str:
    """Draw a bar from the least to the largest run, and a dot at the median."""
    if runs is None:
        return ""
    low, median, high = (round(scale.at(value), 1) for value in runs)
    middle = _HEIGHT / 2
    # The attributes are for notebooks, where no style sheet of ours is.
    return (
        f'<svg class="spread" width="{_WIDTH:g}" height="{_HEIGHT:g}" '
        'stroke="currentColor" aria-hidden="true">'
        f'<path stroke-opacity="0.3" d="M{_EDGE:g} {middle:g}H{_WIDTH - _EDGE:g}"/>'
        f'<path class="range" stroke-width="4" d="M{low} {middle:g}H{high}"/>'
        f'<circle cx="{median}" cy="{middle:g}" r="3"/></svg>'
    )
