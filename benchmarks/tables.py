"""The table of a task's results: the same cells on a terminal, in a notebook, on the site."""

from __future__ import annotations

import functools
import html
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable

from .folders import REFERENCE
from .results import QUANTITIES, Result
from .units import format_bytes, format_range, format_ratio, format_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

PUBLISHED_FILE = REFERENCE / "published.json"
NONE = "–"

#: Wider than any table here, so that rich never breaks a cell.
_TEXT_WIDTH = 200


@dataclass(frozen=True)
class Table:
    """Headings and rows of text; the first column names the methods, the others are figures."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def text(self) -> str:
        """Return the table as plain text, columns aligned."""
        table = RichTable(box=SIMPLE, show_edge=False, pad_edge=False)
        for index, heading in enumerate(self.headings):
            table.add_column(heading, justify="right" if index else "left", no_wrap=True)
        for row in self.rows:
            table.add_row(*row)
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

    def html(self, caption: str) -> str:
        """Return the table as HTML, every text escaped."""
        head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in self.headings)
        body = "".join(
            f'<tr><th scope="row">{html.escape(first)}</th>'
            + "".join(f"<td>{html.escape(text)}</td>" for text in rest)
            + "</tr>"
            for first, *rest in self.rows
        )
        return (
            f"<table><caption>{html.escape(caption)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


def of_results(results: Sequence[Result], *, as_published: bool = False) -> Table:
    """Make the table of the results of one task.

    Parameters
    ----------
    results : sequence of Result
        One for each row.
    as_published : bool
        Whether to add what the original chapter published, where it did.
    """
    headings = ["method", "time", "range of time", "peak", "kept", "multiplier"]
    if as_published:
        headings += ["time, as published", "peak, as published"]
    rows = []
    for result in results:
        row = _measured(result)
        if as_published:
            figures = published().get((result.task, result.method), {})
            row += _written(figures.get("wall_seconds"), figures.get("increment_bytes"))
        rows.append((result.method, *row))
    return Table(tuple(headings), tuple(rows))


def _measured(result: Result) -> list[str]:
    if result.status != "ok":
        return [result.status, *[NONE] * 4]
    time = result.wall_seconds
    return [
        ("~" if result.noise else "") + format_seconds(time.median),
        format_range(format_seconds, time.low, time.high),
        format_bytes(result.peak_bytes.median),
        format_bytes(result.kept_bytes.median),
        NONE if result.multiplier is None else format_ratio(result.multiplier),
    ]


def _written(wall_seconds: float | None, increment_bytes: float | None) -> list[str]:
    return [
        NONE if wall_seconds is None else format_seconds(wall_seconds),
        NONE if increment_bytes is None else format_bytes(increment_bytes),
    ]


def remarks(results: Sequence[Result]) -> list[str]:
    """Return a sentence for each result that needs one: failed, noisy, or blurred."""
    sentences = []
    for result in results:
        if result.status != "ok":
            sentences.append(f"{result.method}: {result.message}.")
            continue
        if result.noise:
            low, high = result.wall_seconds.interval
            spread = format_range(format_seconds, low, high)
            sentences.append(
                f"{result.method}: noisy time, the true median lies in {spread}; {result.noise}."
            )
        if not any(run.is_sharp for run in result.memory_runs):
            last = result.memory_runs[-1]
            spread = format_range(format_bytes, last.low_bytes, last.high_bytes)
            sentences.append(f"{result.method}: the peak lies in {spread}.")
    return sentences


def note(result: Result) -> str:
    """Return a result's figures in one line, for logs."""
    if result.status != "ok":
        return result.message
    parts = [
        f"{QUANTITIES[name].heading} {QUANTITIES[name].write(result.quantity(name).median)}"
        for name in ("time", "peak")
        if result.quantity(name).values
    ]
    return ", ".join(parts)


@functools.cache
def published() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the figures of the original chapter, by task and method.

    Each has ``wall_seconds`` (IPython's ``%time``) and ``increment_bytes`` (memory_profiler's
    ``%memit``), or None where the original gives none.
    """
    entries = json.loads(PUBLISHED_FILE.read_text())["results"]
    return {(entry["task"], entry["method"]): entry for entry in entries}


def published_source() -> str:
    """Return where the published figures come from, as a sentence."""
    source: str = json.loads(PUBLISHED_FILE.read_text())["source"]
    return source
