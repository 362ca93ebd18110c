"""A reader's own file: what it takes there, kept apart from what the site shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import comparing, folders, forms, lookup, opening, selfcheck, store, tasks
from .cells import Amount, Table
from .columns import NONE, status
from .errors import DataError, StoreError
from .files import written_whole
from .plans import Plan
from .units import format_bytes, format_ratio, format_seconds, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from .cells import Cell
    from .comparison import Comparison
    from .data import FmriFile
    from .prediction import Prediction, Predictions
    from .results import Result
    from .stops import Limits
    from .store import Store
    from .tasks import Task

#: A single run may be disturbed; the median of three is not.
VERIFYING_RUNS = 3


def listed() -> list[dict[str, Any]]:
    """Return the tasks and their methods, each with one line."""
    found = []
    for name, path in tasks.example_paths().items():
        task = tasks.from_example(path)
        title = path.read_text(encoding="utf-8").split("\n", 2)[1]
        methods = {method.name: method.summary for method in task.methods}
        found.append({"task": name, "title": title, "methods": methods, "absent": task.absent})
    return found


def list_text(found: list[dict[str, Any]]) -> str:
    """Return the list for a terminal."""
    lines = []
    for entry in found:
        width = max(map(len, entry["methods"]))
        lines += [f"{entry['task']}: {entry['title']}"]
        lines += [f"  {name:<{width}}  {line}" for name, line in entry["methods"].items()]
        lines += [
            f"  {name}: {program} is not installed" for name, program in entry["absent"].items()
        ]
        lines += [""]
    return "\n".join(lines).rstrip()


def tasks_and_file(words: Sequence[str]) -> tuple[list[str], str | None]:
    """Tell the names of tasks from the path of a file: the last word may be one.

    Raises
    ------
    DataError
        A word is neither.
    """
    known = tasks.example_paths()
    names = [word for word in words if word in known]
    others = [word for word in words if word not in known]
    if len(others) > 1 or (others and others[0] != words[-1]):
        raise DataError(
            f"{printable(others[0])} is no task; there are: {', '.join(known)}. The file "
            "comes last."
        )
    return names or list(known), others[0] if others else None


@dataclass(frozen=True)
class Part:
    """One table of what is measured.

    Attributes
    ----------
    task : str
        Name of the task.
    plan : Plan
        How it is measured.
    methods : tuple of str
        Names of its methods; all of them if empty.
    """

    task: str
    plan: Plan
    methods: tuple[str, ...] = ()


def parts(names: Sequence[str], runs: int | None, limits: Limits) -> list[Part]:
    """Return a part for each task, with what a user chose."""
    plan = Plan.of(runs=runs, fresh=None, timed=True, cache="warm", limits=limits)
    return [Part(name, plan) for name in names]


def run(
    wanted: Sequence[Part],
    fmri_path: str | None,
    *,
    target: Path | None,
    folder: Path | None = None,
) -> Iterator[Comparison]:
    """Measure tasks on a file, one after the other.

    Parameters
    ----------
    wanted : sequence of Part
        What is measured.
    fmri_path : str or None
        As `benchmarks.compare` takes it.
    target : Path or None
        A results file to write; after each task, so that an interruption loses none.
    folder : Path, optional
        Where results are kept; by default those of own files.

    Yields
    ------
    Comparison

    Raises
    ------
    BenchmarkError
        The file, the target or a method is not fit.
    """
    folder = folder or folders.own_results_folder()
    file, results = _opened(fmri_path, folder)
    if target:
        _refuse_target(target)
    measured: list[Result] = []
    for part in wanted:
        found = _compared(part, file, folder)
        measured += found.results
        if target:
            _write(target, results, measured)
        yield found


def _opened(fmri_path: str | None, folder: Path) -> tuple[FmriFile, Store]:
    file, results = opening.ready(fmri_path, folder)
    selfcheck.ensure(results, file)
    return file, results


def _compared(part: Part, file: FmriFile, folder: Path) -> Comparison:
    """Measure a part on a file, or on the form of it that the task needs."""
    task = task_for(part.task, file)
    if part.methods:
        task = replace(task, methods=tuple(task.method(name) for name in part.methods))
    if task.form:
        file = forms.of(file, task.form)
    return comparing.compared(task, file, opening.store_of(file, folder), part.plan)


def task_for(name: str, file: FmriFile) -> Task:
    """Return a task with those of its methods that are for a file."""
    task = lookup.task_named(name)
    return replace(task, methods=tuple(m for m in task.methods if m.takes(file.path)))


def _refuse_target(target: Path) -> None:
    """Refuse to write over anything but results, before anything is measured."""
    if target.exists():
        store.read(target)
    elif not target.absolute().parent.is_dir():
        raise StoreError(f"{target} cannot be written: its folder does not exist. Make it first.")


def _write(target: Path, results: Store, measured: list[Result]) -> None:
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
    """Predictions beside what was then measured.

    Attributes
    ----------
    predicted : Predictions
        What was predicted.
    measured : dict of Result
        What was measured, by task and method.
    """

    predicted: Predictions
    measured: dict[tuple[str, str], Result]

    def table(self) -> Table:
        """Return the table: predicted, measured, and measured over predicted."""
        rows = [self._row(row) for row in self.predicted.rows]
        headings = ("time, about", "measured", "ratio", "peak, about", "measured", "ratio")
        return Table(("method", *headings), tuple(rows))

    def _row(self, row: Prediction) -> tuple[Cell, ...]:
        result = self.measured.get((row.task, row.method))
        name = f"{row.task}.{row.method}"
        if row.peak_bytes is None or row.wall_seconds is None or result is None:
            return name, row.verdict, *[NONE] * 5
        if result.status != "ok":
            return name, status(result), *[NONE] * 5
        time, peak = result.wall_seconds.median, result.peak_bytes.median
        figures = (
            *((format_seconds, seconds) for seconds in (row.wall_seconds, time)),
            (format_ratio, time / row.wall_seconds),
            *((format_bytes, size) for size in (row.peak_bytes, peak)),
            (format_ratio, peak / row.peak_bytes),
        )
        return name, *(Amount(write(value), value) for write, value in figures)

    def __str__(self) -> str:
        return f"{self.table().text()}\n\n{self.predicted.caption}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        content = self.predicted.as_dict()
        for entry in content["methods"]:
            result = self.measured.get((entry["task"], entry["method"]))
            if result is not None and result.status == "ok":
                entry["measured_wall_seconds"] = result.wall_seconds.median
                entry["measured_peak_bytes"] = result.peak_bytes.median
        return content


def verified(predicted: Predictions, limits: Limits) -> Verified:
    """Run every method that was predicted to fit, some times for time and for memory.

    Parameters
    ----------
    predicted : Predictions
        For a file.
    limits : Limits
        When a run is stopped.

    Raises
    ------
    BenchmarkError
        As `run`.
    """
    folder = folders.own_results_folder()
    file, _ = _opened(str(predicted.header.path), folder)
    names = dict.fromkeys(row.task for row in predicted.rows)
    found = {}
    for part in parts(list(names), VERIFYING_RUNS, limits):
        for result in _compared(part, file, folder).results:
            found[part.task, result.method] = result
    return Verified(predicted, found)
