"""The table of a task's results: the same cells on a terminal, in a notebook, on the site."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from .cells import Amount, Name, Table, plain
from .columns import NONE, Column, status
from .folders import REFERENCE
from .quantities import QUANTITIES
from .runs import PARTS
from .units import BYTES_UNITS, format_bytes, format_range, format_seconds, unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .cells import Cell
    from .results import Result
    from .tasks import Method

PUBLISHED_FILE = REFERENCE / "published.json"

#: Label of the row with the limit, where one limit holds for all methods of a table.
LEAST = "least possible"

#: What the table of a task shows, besides the range of time, and the limit if there is one.
_SHOWN = ("time", "peak", "kept", "multiplier")

#: The same of a task with many images. A peak says little of workers that keep what they used for
#: one image, and use it for the next.
_OF_IMAGES = ("time", "throughput", "whole")


def of_results(
    results: Sequence[Result], methods: Sequence[Method] = (), *, as_published: bool = False
) -> Table:
    """Make the table of the results of one task.

    Parameters
    ----------
    results : sequence of Result
        One for each row.
    methods : sequence of Method
        Those of the task: they tell families, and which of them return the same.
    as_published : bool
        Whether to add what the original chapter published, where it did.
    """
    limits = {(r.limit_seconds, r.limit_bytes) for r in results if r.limit_seconds is not None}
    shown = _OF_IMAGES if any(result.images > 1 for result in results) else _SHOWN
    names = (*shown, "times_limit") if limits else shown
    columns = {name: Column(name, results, methods) for name in names}
    time, peak = (Column(name, results, methods) for name in ("time", "peak"))
    families = {method.name: method.family for method in methods}
    rows = [
        [Name(result.method, families.get(result.method, "")), *_measured(result, columns)]
        for result in results
    ]
    headings = ["method", *(column.heading for column in columns.values())]
    headings.insert(2, f"range of {time.heading}")
    if len(limits) == 1:
        seconds, least_bytes = limits.pop()
        row: list[Cell] = [LEAST, time.of(seconds), NONE, peak.of(least_bytes)]
        rows.append([*row, *[NONE] * (len(headings) - len(row))])
    if as_published:
        headings += [f"{column.heading}, as published" for column in (time, peak)]
        for cells in rows:
            figures = published().get((results[0].task, plain(cells[0])), {})
            cells.append(time.of(figures.get("wall_seconds")))
            cells.append(peak.of(figures.get("increment_bytes")))
    return Table(tuple(headings), tuple(map(tuple, rows)))


def _measured(result: Result, columns: Mapping[str, Column]) -> list[Cell]:
    if result.status != "ok":
        return [status(result), *[NONE] * len(columns)]
    cells = [column.cell(result, _mark(result, name)) for name, column in columns.items()]
    return [cells[0], columns["time"].range(result), *cells[1:]]


def _mark(result: Result, quantity: str) -> str:
    """Return the sign of a noisy time."""
    return "~" if quantity == "time" and result.noise else ""


def of_parts(results: Sequence[Result]) -> Table:
    """Make the table of what the peak of each method consists of."""
    runs = {id(result): result.peak_run for result in results if result.status == "ok"}
    unit, size = unit_of([run.peak_bytes for run in runs.values()], BYTES_UNITS)
    rows: list[tuple[Cell, ...]] = []
    for result in results:
        run = runs.get(id(result))
        values = (*run.parts_bytes, run.peak_bytes) if run else ()
        cells: list[Cell] = [
            Amount(QUANTITIES["peak"].write_in(size, value), value) for value in values
        ]
        rows.append((result.method, *(cells or (status(result), *[NONE] * len(PARTS)))))
    return Table(("method", *(f"{part} ({unit})" for part in (*PARTS, "peak"))), tuple(rows))


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
    call = f"{result.method}({'fmri_paths' if result.images > 1 else 'fmri_path'})"
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
    column = Column(quantity, [result for row in rows for result in row])
    cells = []
    for title, row in zip(titles, rows, strict=True):
        by_method = {result.method: result for result in row}
        cells.append((title, *(column.cell(by_method.get(method)) for method in methods)))
    return Table((column.heading, *methods), tuple(cells))


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
