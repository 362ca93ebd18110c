"""A reader's own file, or machine: what it takes there, kept apart from what the site shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmarks import files
from benchmarks.errors import DataError, GaugeError, StoreError
from benchmarks.files import written_whole
from benchmarks.gauge import peak
from benchmarks.gauge.readings import SMALLEST_BYTES
from benchmarks.images import generate
from benchmarks.images.image import Image
from benchmarks.images.workspace import Workspace
from benchmarks.releases import changes, submission
from benchmarks.report.result_tables import NONE, status
from benchmarks.report.table import Amount, Table
from benchmarks.results import store
from benchmarks.runner import self_check
from benchmarks.runner.schedule import Plan
from benchmarks.tasks import chapter
from benchmarks.tasks.task import task_named
from benchmarks.units import format_bytes, format_range, format_ratio, format_seconds

from .compare import compared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.prediction.predict import Prediction, Predictions
    from benchmarks.report.table import Cell
    from benchmarks.results.result import Result
    from benchmarks.results.store import Store
    from benchmarks.runner.schedule import Bounds
    from benchmarks.tasks.task import Task

    from .compare import Comparison

#: A single run may be disturbed; the median of three is not.
VERIFYING_RUNS = 3


@dataclass(frozen=True)
class Part:
    """One table of what is measured: a task, how, and which of its methods (all if empty)."""

    task: str
    plan: Plan
    methods: tuple[str, ...] = ()


def parts(
    names: Sequence[str], runs: int | None, bounds: Bounds, *, again: bool | None = None
) -> list[Part]:
    """Return a part for each task, with what a user chose."""
    plan = Plan.of(runs=runs, again=again, bounds=bounds)
    return [Part(name, plan) for name in names]


def run(
    wanted: Sequence[Part],
    fmri_path: str | None,
    *,
    target: Path | None,
    folder: Path | None = None,
) -> Iterator[Comparison]:
    """Measure tasks in turn, and write the target after each; raises BenchmarkError."""
    if target:
        _refuse_target(target)
    workspace = _ready(fmri_path, folder or files.own_results_folder())
    measured: list[Result] = []
    for part in wanted:
        found = _compared(part, workspace, wanted)
        measured += found.results
        if target:
            _write(target, workspace.store, measured)
        yield found


def _ready(fmri_path: str | None, folder: Path) -> Workspace:
    workspace = Workspace.ready(fmri_path, folder)
    self_check.ensure(workspace.store)
    return workspace


def _compared(part: Part, workspace: Workspace, wanted: Sequence[Part]) -> Comparison:
    """Measure a part of what is wanted on a file, or on the form of it that the task needs."""
    task = task_for(part.task, workspace.image)
    if part.methods:
        task = replace(task, methods=tuple(task.method(name) for name in part.methods))
    coming = [f"{one.task}@{task_named(one.task).form}" for one in wanted]
    return compared(task, workspace, task.form, part.plan, coming=coming)


def task_for(name: str, image: Image) -> Task:
    """Return a task with those of its methods that are for a file."""
    task = task_named(name)
    return replace(task, methods=tuple(m for m in task.methods if m.takes(image.path)))


def _refuse_target(target: Path) -> None:
    """Refuse to write over anything but results, before anything is measured."""
    if target.exists():
        store.read(target, Image)
    elif not target.absolute().parent.is_dir():
        raise StoreError(f"{target} cannot be written: its folder does not exist. Make it first.")


def _write(target: Path, results: Store[Image], measured: list[Result]) -> None:
    try:
        with written_whole(target) as stream:
            stream.write(store.encoded(results.provenance, results.data, measured))
    except OSError as error:
        raise StoreError(
            f"{target} cannot be written: {error.strerror or error}. The runs are stored all the "
            "same; run the same command again with another path."
        ) from error


@dataclass(frozen=True)
class Verified:
    """Predictions beside what was then measured, by task and method."""

    predicted: Predictions
    measured: dict[tuple[str, str], Result]

    def table(self) -> Table:
        """Return the table: predicted, measured, and measured over predicted."""
        rows = [self._row(row) for row in self.predicted.rows]
        named = [
            (f"{name}, predicted → measured", "ratio") for name in ("time", "peak", "all memory")
        ]
        return Table(("method", *(heading for pair in named for heading in pair)), tuple(rows))

    def _row(self, row: Prediction) -> tuple[Cell, ...]:
        result = self.measured.get((row.task, row.method))
        name = f"{row.task}.{row.method}"
        if result is None or result.failed or row.wall_seconds is None:
            why = row.verdict if result is None or not result.failed else status(result)
            return name, why, *[NONE] * 5
        pairs = (
            (format_seconds, row.wall_seconds, result.wall_seconds),
            (format_bytes, row.peak_bytes, result.peak_bytes),
            (format_bytes, row.whole_bytes, result.whole_bytes),
        )
        cells: list[Cell] = []
        for write, predicted, sample in pairs:
            about, measured = float(predicted or 0), sample.median
            least = SMALLEST_BYTES if write is format_bytes else 0.0
            ratio = max(measured, least) / max(about, least)
            cells.append(Amount(format_range(write, about, measured, " → "), measured))
            cells.append(Amount(format_ratio(ratio), ratio))
        return name, *cells

    def __str__(self) -> str:
        return f"{self.table().text()}\n\n{self.predicted.caption}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        content = self.predicted.as_dict()
        for entry in content["methods"]:
            result = self.measured.get((entry["task"], entry["method"]))
            if result is not None and not result.failed:
                entry["measured_wall_seconds"] = result.wall_seconds.median
                entry["measured_peak_bytes"] = result.peak_bytes.median
                entry["measured_whole_bytes"] = result.whole_bytes.median
        return content


def verified(predicted: Predictions, bounds: Bounds) -> Verified:
    """Run every method that was predicted to fit, for time and memory; raises BenchmarkError."""
    workspace = _ready(str(predicted.image.path), files.own_results_folder())
    names = dict.fromkeys(row.task for row in predicted.rows)
    found = {}
    wanted = parts(list(names), VERIFYING_RUNS, bounds)
    for part in wanted:
        for result in _compared(part, workspace, wanted).results:
            found[part.task, result.method] = result
    return Verified(predicted, found)


def submitted(
    fmri_path: str | None, names: Sequence[str], runs: int | None, bounds: Bounds
) -> Iterator[Comparison | submission.Submission]:
    """Measure what machines are compared by, and at last give what can be handed in.

    On the standard file, and on a file of the reader beside it. Both are measured as the releases
    are: what takes minutes on a whole run, on its first volumes.

    Parameters
    ----------
    fmri_path : str or None
        The reader's file, if there is one.
    names : sequence of str
        Tasks; all that machines are compared by if empty.
    runs, bounds
        As for `parts`.

    Raises
    ------
    GaugeError
        The gauge is coarse here, or wrong, so that nobody could trust the figures.
    BenchmarkError
        A file, a method or the store is not fit, or two methods disagree.
    """
    names = _comparable(names)
    paths = {submission.STANDARD: str(generate.example4d())}
    if fmri_path is not None:
        paths[submission.OWN] = fmri_path
    ready = {name: _ready(path, files.own_results_folder()) for name, path in paths.items()}
    stores: dict[tuple[str, str], Store[Image]] = {}
    for name, workspace in ready.items():
        stores[name, ""] = workspace.store
        for task, form, plan in _compared_parts(names, workspace.image, runs, bounds):
            coming = [f"{one}@{chapter.about(one).released}" for one in names]
            yield compared(task, workspace, form, plan, coming=coming)
            stores[name, form] = workspace.at(form)
    yield submission.made(submission.here(), ready[submission.STANDARD].store.provenance, stores)


def _comparable(names: Sequence[str]) -> Sequence[str]:
    """Return the tasks to be measured, or refuse before anything is measured."""
    if peak.name() != peak.NAME:
        raise GaugeError(
            f"The memory gauge of this system is coarse ({peak.name()}) and cannot be checked, so "
            "that nothing can be handed in. On Linux it can be."
        )
    known = changes.tasks_compared()
    if others := [name for name in names if name not in known]:
        raise DataError(
            f"{others[0]} is not compared between machines; there are: {', '.join(known)}."
        )
    return names or known


def _compared_parts(
    names: Sequence[str], image: Image, runs: int | None, bounds: Bounds
) -> Iterator[tuple[Task, str, Plan]]:
    """Return what is measured of tasks, by the form that methods are measured on, and how."""
    for name in names:
        task = task_for(name, image)
        plan = Plan.of(runs=runs, bounds=bounds, timed=chapter.about(name).timed)
        forms = dict.fromkeys(chapter.form_of(name, method.name) for method in task.methods)
        for form in forms:
            there = tuple(m for m in task.methods if chapter.form_of(name, m.name) == form)
            yield replace(task, methods=there), form, plan
