"""Runs forked from a template beside runs in interpreters that were started for them alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmarks import progress
from benchmarks.images.workspace import Workspace
from benchmarks.report.table import Table
from benchmarks.results.result import Result
from benchmarks.runner import execute, schedule, self_check
from benchmarks.runner.launch import prepare
from benchmarks.runner.order import FORK, FRESH, Batch, Order
from benchmarks.runner.rounds import Lot, rounds
from benchmarks.tasks import chapter
from benchmarks.tasks.task import task_named
from benchmarks.units import format_bytes, format_ratio, format_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.images.image import Image
    from benchmarks.results.store import Store
    from benchmarks.runner.execute import Failure, Outcome
    from benchmarks.tasks.task import Method

TASK = "interpreters"

#: An interpreter for each run; a fresh one takes seconds.
RUNS = 3


@dataclass(frozen=True)
class Interpreters:
    """Results of methods by kind of interpreter, the same calls in turns.

    Attributes
    ----------
    forked, fresh : dict
        By ``task.method``: results from forks of templates, and from fresh interpreters.
    caption : str
        The file and the machine.
    """

    forked: dict[str, Result]
    fresh: dict[str, Result]
    caption: str

    def table(self) -> Table:
        """Return the table: times and peaks (median), and how many times the fresh one's."""
        header = ("method", "time, forked", "fresh", "ratio", "peak, forked", "fresh")
        return Table(header, tuple(map(self._row, self.forked)))

    def _row(self, label: str) -> tuple[str, ...]:
        forked, fresh = self.forked[label], self.fresh[label]
        if failed := next((found for found in (forked, fresh) if found.failed), None):
            return (label, failed.message, *[""] * 4)
        times = [found.wall_seconds.median for found in (forked, fresh)]
        peaks = [found.peak_bytes.median for found in (forked, fresh)]
        ratio = format_ratio(times[0] / times[1])
        return (label, *map(format_seconds, times), ratio, *map(format_bytes, peaks))

    def __str__(self) -> str:
        return f"{self.table().text()}\n\n{self.caption}"


def compare_interpreters(
    methods: Sequence[tuple[str, str]] = chapter.FORKED_AND_FRESH, *, runs: int = RUNS
) -> Interpreters:
    """Measure methods in forks of templates and in fresh interpreters, unless that was done.

    Parameters
    ----------
    methods : sequence of (str, str)
        Names of tasks of the gallery, and of a method of each.
    runs : int
        Time runs, and memory runs, of each method in each kind of interpreter.

    Returns
    -------
    Interpreters

    Raises
    ------
    BenchmarkError
        The file is not fit, the gauge is wrong here, or results cannot be read or written.
    """
    workspace = Workspace.ready()
    store = workspace.store
    self_check.ensure(store)
    found = {f"{t}.{m}": task_named(t).method(m) for t, m in methods}
    lots = [
        _lot(kind, label, method, store, runs)
        for label, method in found.items()
        for kind in (FORK, FRESH)
    ]
    if any(lot.left for lot in lots):
        progress.say("Comparing forked with fresh interpreters.")
    rounds(lots)
    results = {lot.label: lot.results[0] for lot in lots}
    return Interpreters(
        {label: results[_name(FORK, label)] for label in found},
        {label: results[_name(FRESH, label)] for label in found},
        f"{workspace.image.description} {store.provenance.cpu}.",
    )


def _name(kind: str, label: str) -> str:
    return f"{kind}: {label}"


def _lot(kind: str, label: str, method: Method, store: Store[Image], runs: int) -> Lot:
    name = _name(kind, label)
    begun = store.fresh(TASK, name, method.source_sha256)
    if begun is None or (schedule.asked_again() and not store.is_reference):
        begun = Result(TASK, name, method.source_sha256)
    order = Order(method.function, ((str(store.data.path),),), Batch(1, 1))

    def missing(results: tuple[Result, ...]) -> list[Batch]:
        (result,) = results
        done = len(result.time_runs)
        if result.failed or store.is_reference:
            return []
        return [replace(order.batch, layout=n % schedule.LAYOUTS) for n in range(done, runs)]

    def carry_out(_: Any, batch: Batch) -> list[Outcome | Failure]:
        return [execute.carry_out(prepare(replace(order, batch=batch), fresh=kind == FRESH))]

    return Lot(name, (begun,), store, missing, carry_out)
