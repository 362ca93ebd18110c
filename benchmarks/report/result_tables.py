"""Tables of results: the same cells on a terminal, in a notebook, on the site."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmarks.gauge.readings import PARTS
from benchmarks.results.quantities import QUANTITIES
from benchmarks.results.result import Status
from benchmarks.units import BYTES_UNITS, MIB, format_bytes, format_range, format_seconds, unit_of

from .table import Amount, Label, Name, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from benchmarks.results.result import Result
    from benchmarks.results.statistics import Sample
    from benchmarks.tasks.task import Method

    from .table import Cell

#: Stands where there is no figure.
NONE = "–"

#: Label of the row with the least time and memory, where they are those of all methods.
LEAST = "least possible"

#: What the table of a task shows, besides the range of time, and how far it is from the least if
#: that is known.
_SHOWN = ("time", "peak", "mapped", "kept", "multiplier")

#: The same where methods have workers. Their interpreters are there before the call, and in no
#: peak: who sizes a job needs all memory.
_WITH_WORKERS = ("time", "whole", "peak", "mapped", "kept")

#: The same of a task with many images. A peak says little of workers that keep what they used for
#: one image, and use it for the next.
_OF_IMAGES = ("time", "throughput", "whole")


#: Mapped pages of files are shown where they are more than this part of a peak, and a MiB.
_MAPPED_FROM = 0.05


class Column:
    """One quantity of several results, in the unit that fits them.

    The least is looked for among methods that return the same, unless all of them need nothing;
    without methods, nothing is marked.
    """

    def __init__(
        self, quantity: str, results: Sequence[Result], methods: Sequence[Method] = ()
    ) -> None:
        self.known = QUANTITIES[quantity]
        self.quantity = quantity
        self._groups = {method.name: method.group for method in methods}
        self._samples = {id(result): self._sample(result) for result in results}
        medians = [sample.median for sample in self._samples.values() if sample]
        self._unit, self._size = unit_of(medians, self.known.units)
        self._bounds = self._least(results)

    @property
    def heading(self) -> str:
        """Name of the quantity, with the unit."""
        return f"{self.known.heading} ({self._unit})" if self._unit else self.known.heading

    def _sample(self, result: Result) -> Sample | None:
        sample = result.quantity(self.quantity) if not result.failed else None
        return sample if sample and sample.values else None

    def _least(self, results: Sequence[Result]) -> dict[int, float]:
        """Return, for each group of several, what the least cannot be told apart from."""
        members: dict[int, list[Sample]] = {}
        for result in results if self.known.least_is_best else ():
            sample = self._samples[id(result)]
            if sample and result.method in self._groups:
                members.setdefault(self._groups[result.method], []).append(sample)
        bounds = {}
        for group, samples in members.items():
            if len(samples) > 1 and any(s.median > self.known.smallest for s in samples):
                least = min(samples, key=lambda sample: sample.median)
                bounds[group] = max(least.interval[1], least.median + self.known.smallest)
        return bounds

    def cell(self, result: Result | None, mark: str = "") -> Cell:
        """Return the median, or why there is none; a mark stands before it."""
        if result is None:
            return NONE
        if result.failed:
            return Label(status(result), remark=_sentence(result.message))
        sample = self._samples[id(result)]
        if sample is None:
            return NONE
        bound = self._bounds.get(self._groups.get(result.method, -1))
        least = bound is not None and sample.interval[0] <= bound
        text = mark + self._written(sample.median)
        if self.quantity == "multiplier" and _maps_files(result):
            mapped = result.mapped_multiplier.median
            text += f" + {self._written(mapped)} mapped"
        return Amount(text, sample.median, least=least)

    def range(self, result: Result) -> Cell:
        """Return the least and the largest value, which a page draws as well."""
        sample = self._samples[id(result)]
        if sample is None:
            return NONE
        low, high = sample.low, sample.high
        text = f"{self._written(low)} to {self._written(high)}"
        return Amount(text, high - low, (low, sample.median, high))

    def of(self, value: float | None) -> Cell:
        """Return a value that is no result of ours."""
        return NONE if value is None else Amount(self._written(value), value)

    def _written(self, value: float) -> str:
        return self.known.write_in(self._size, value)


def status(result: Result) -> str:
    """Return why there are no figures, in a word; or what a method would need."""
    return result.message.partition(",")[0] if result.status == Status.TOO_LARGE else result.status


def of_results(results: Sequence[Result], methods: Sequence[Method] = ()) -> Table:
    """Make the table of the results of one task.

    Parameters
    ----------
    results : sequence of Result
        One for each row.
    methods : sequence of Method
        Those of the task: they tell families, and which of them return the same.
    """
    least = {(r.least_seconds, r.least_bytes) for r in results if r.least_seconds is not None}
    shown = _shown(results, {method.name for method in methods if method.program})
    names = (*shown, "times_least") if least else shown
    columns = {name: Column(name, results, methods) for name in names}
    families = {method.name: method.family for method in methods}
    rows = [
        [Name(result.method, families.get(result.method, "")), *_measured(result, columns)]
        for result in results
    ]
    headings = ["method", *(column.heading for column in columns.values())]
    headings.insert(2, f"range of {columns['time'].heading}")
    if len(least) == 1:
        known = dict(zip(("time", "peak"), least.pop(), strict=True))
        row: list[Cell] = [LEAST, *(columns[name].of(known.get(name)) for name in names)]
        row.insert(2, NONE)
        rows.append(row)
    return Table(tuple(headings), tuple(map(tuple, rows)))


def _shown(results: Sequence[Result], programs: AbstractSet[str]) -> tuple[str, ...]:
    """Choose the columns; a program that a method starts and waits for is no worker of it."""
    if any(result.images > 1 for result in results):
        return _OF_IMAGES
    workers = any(result.has_workers for result in results if result.method not in programs)
    shown = _WITH_WORKERS if workers else _SHOWN
    # Without a file, there is no size that a peak could be a multiple of.
    of_a_file = any(result.raw_bytes for result in results)
    said = {"mapped": any(map(_maps_files, results)), "multiplier": of_a_file}
    return tuple(name for name in shown if said.get(name, True))


def _maps_files(result: Result) -> bool:
    """Tell whether mapped pages of files are a part of the peak that a reader would mind."""
    mapped = result.mapped_bytes.values
    return bool(mapped) and max(mapped) > max(MIB, _MAPPED_FROM * result.peak_bytes.median)


def _measured(result: Result, columns: Mapping[str, Column]) -> list[Cell]:
    if result.failed:
        return [Label(status(result), remark=_sentence(result.message)), *[NONE] * len(columns)]
    cells = [marked(column, result) for column in columns.values()]
    return [cells[0], columns["time"].range(result), *cells[1:]]


def marked(column: Column, result: Result) -> Cell:
    """Return the median, with what is to be said of it where it is noisy or blurred."""
    cell = column.cell(result)
    if not isinstance(cell, Amount):
        return cell
    said = {"time": _noise, "peak": _blur}.get(column.quantity)
    return replace(cell, remark=_sentence(said(result)) if said else "")


def of_published(
    results: Mapping[str, Result], published: Mapping[str, Mapping[str, Any]]
) -> Table:
    """Make the table of figures that somebody published, beside ours.

    Parameters
    ----------
    results : mapping of str to Result
        Ours, by what the rows are called.
    published : mapping
        By the same names: ``wall_seconds`` and ``increment_bytes``, None for what was not
        published.
    """
    keys = {"time": "wall_seconds", "peak": "increment_bytes"}
    rows = []
    for name, result in results.items():
        cells: list[Cell] = []
        for quantity, key in keys.items():
            sample = None if result.failed else result.quantity(quantity)
            for value in (sample.median if sample else None, published[name][key]):
                written = (
                    NONE if value is None else Amount(QUANTITIES[quantity].shown(value), value)
                )
                cells.append(written)
        rows.append((name, *cells))
    headings = ("time", "as published", "peak", "as published")
    return Table(("method", *headings), tuple(rows))


def of_parts(results: Sequence[Result]) -> Table:
    """Make the table of what the peak of each method consists of."""
    runs = {id(result): result.peak_run for result in results if not result.failed}
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
        if not result.failed
        else (result.method, status(result), NONE)
        for result in results
    ]
    return Table(("method", "returned", "kept"), tuple(rows))


def crossed(titles: Sequence[str], rows: Sequence[Sequence[Result]], quantity: str) -> Table:
    """Make the table of one quantity: a row for each file, a column for each method."""
    methods = list(dict.fromkeys(result.method for row in rows for result in row))
    column = Column(quantity, [result for row in rows for result in row])
    cells = []
    for title, row in zip(titles, rows, strict=True):
        by_method = {result.method: result for result in row}
        cells.append((title, *(column.cell(by_method.get(method)) for method in methods)))
    return Table((column.heading, *methods), tuple(cells))


def remarks(results: Sequence[Result]) -> list[str]:
    """Return a sentence for each result that needs one: failed, noisy, or blurred."""
    said = [
        (result, words)
        for result in results
        for words in ([result.message] if result.failed else [_noise(result), _blur(result)])
    ]
    return [f"{result.method}: {words.rstrip('.')}." for result, words in said if words]


def _noise(result: Result) -> str:
    """Return between what a noisy time lies, and why; empty if it is not noisy."""
    if not result.noise:
        return ""
    spread = format_range(format_seconds, *result.wall_seconds.interval)
    words = "the median lies in" if result.wall_seconds.is_sure else "the repeats took"
    return f"noisy time, {words} {spread}; {result.noise}"


def _blur(result: Result) -> str:
    """Return between what a peak lies that no gauge could read exactly; empty if one could."""
    if not result.memory_runs or any(run.is_sharp for run in result.memory_runs):
        return ""
    last = result.memory_runs[-1]
    return f"the peak lies in {format_range(format_bytes, last.low_bytes, last.high_bytes)}"


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:].rstrip('.')}." if words else ""
