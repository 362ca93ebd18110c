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
from .results import QUANTITIES, TOO_LARGE, Result
from .runs import PARTS
from .units import format_bytes, format_range, format_ratio, format_seconds, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

PUBLISHED_FILE = REFERENCE / "published.json"
NONE = "–"

#: Label of the row with the limit, where one limit holds for all methods of a table.
LEAST = "least possible"

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
            table.add_row(*map(printable, row))
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
    limits = {(r.limit_seconds, r.limit_bytes) for r in results if r.limit_seconds is not None}
    if limits:
        headings.append(QUANTITIES["times_limit"].heading)
    if as_published:
        headings += ["time, as published", "peak, as published"]
    rows = []
    for result in results:
        row = _measured(result)
        if limits:
            row.append(cell(result, "times_limit"))
        if as_published:
            figures = published().get((result.task, result.method), {})
            row += _written(figures.get("wall_seconds"), figures.get("increment_bytes"))
        rows.append((result.method, *row))
    if len(limits) == 1:
        seconds, peak = _written(*limits.pop())
        rows.append((LEAST, seconds, NONE, peak, *[NONE] * (len(headings) - 4)))
    return Table(tuple(headings), tuple(rows))


def _measured(result: Result) -> list[str]:
    if result.status != "ok":
        return [status(result), *[NONE] * 4]
    time = result.wall_seconds
    timed = bool(result.time_runs)
    return [
        ("~" if result.noise else "") + format_seconds(time.median) if timed else NONE,
        format_range(format_seconds, time.low, time.high) if timed else NONE,
        format_bytes(result.peak_bytes.median),
        format_bytes(result.kept_bytes.median),
        NONE if result.multiplier is None else format_ratio(result.multiplier),
    ]


def status(result: Result) -> str:
    """Return why there are no figures, in a word; or what a method would need."""
    return result.message.partition(",")[0] if result.status == TOO_LARGE else result.status


def of_parts(results: Sequence[Result]) -> Table:
    """Make the table of what the peak of each method consists of."""
    rows = []
    for result in results:
        if result.status != "ok":
            rows.append((result.method, status(result), *[NONE] * 3))
            continue
        run = result.peak_run
        rows.append((result.method, *map(format_bytes, (*run.parts_bytes, run.peak_bytes))))
    return Table(("method", *PARTS, "peak"), tuple(rows))


def of_observations(results: Sequence[Result]) -> Table:
    """Make the table of what each method returned, and what stayed in memory with it."""
    rows = [
        (result.method, result.observed, format_bytes(result.kept_bytes.median))
        if result.status == "ok"
        else (result.method, status(result), NONE)
        for result in results
    ]
    return Table(("method", "returned", "kept"), tuple(rows))


def ipython_lines(result: Result) -> list[str]:
    """Return what IPython would print of a method, with the figures measured here.

    ``%time`` and ``%memit`` where time was measured, else the value that it returned. The
    peak memory of ``%memit`` is that of the process, its baseline included.
    """
    call = f"{result.method}(fmri_path)"
    if result.status != "ok":
        return [f">>> {call}", f"{result.status}: {result.message}"]
    if not result.time_runs:
        return [f">>> {call}", result.observed]
    run = result.peak_run
    peak, increment = run.baseline_bytes + run.peak_bytes, run.peak_bytes
    return [
        f"%time {call}",
        f"CPU times: total: {format_seconds(result.cpu_seconds.median)}",
        f"Wall time: {format_seconds(result.wall_seconds.median)}",
        f"%memit {call}",
        f"peak memory: {format_bytes(peak)}, increment: {format_bytes(increment)}",
    ]


def crossed(titles: Sequence[str], rows: Sequence[Sequence[Result]], quantity: str) -> Table:
    """Make the table of one quantity: a row for each file, a column for each method.

    Parameters
    ----------
    titles : sequence of str
        Of the rows.
    rows : sequence of sequences of Result
        A method may be missing in some of them.
    quantity : str
        A name of `QUANTITIES`.
    """
    methods = list(dict.fromkeys(result.method for row in rows for result in row))
    cells = []
    for title, row in zip(titles, rows, strict=True):
        by_method = {result.method: result for result in row}
        texts = (cell(by_method.get(method), quantity) for method in methods)
        cells.append((title, *texts))
    return Table(("file", *methods), tuple(cells))


def cell(result: Result | None, quantity: str) -> str:
    """Return the median of a quantity with its unit, or why there is none."""
    if result is None:
        return NONE
    if result.status != "ok":
        return status(result)
    sample = result.quantity(quantity)
    return QUANTITIES[quantity].write(sample.median) if sample.values else NONE


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
        if result.memory_runs and not any(run.is_sharp for run in result.memory_runs):
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


def published_source(task: str) -> str:
    """Return where the published figures of a task come from, in sentences."""
    content = json.loads(PUBLISHED_FILE.read_text())
    return f"{content['source']} {content['remarks'].get(task, '')}".strip()
