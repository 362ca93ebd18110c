"""Compare the methods of a task: reuse what is fresh, measure the rest, show all of it."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import progress
from benchmarks.errors import BenchmarkError, DataError, FigureError, StoreError
from benchmarks.images import variants
from benchmarks.images.workspace import Workspace
from benchmarks.prediction import predict, roofline
from benchmarks.report import result_tables
from benchmarks.report.captions import caption, titled
from benchmarks.results import reference_store
from benchmarks.results.result import Result, Status
from benchmarks.runner import execute, launch, self_check
from benchmarks.runner.order import Order
from benchmarks.runner.rounds import lots_of, metered
from benchmarks.runner.schedule import Plan, is_final
from benchmarks.tasks import task as tasks
from benchmarks.units import format_bytes

from . import ahead

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from matplotlib.figure import Figure

    from benchmarks.images.image import Image
    from benchmarks.report.table import Table
    from benchmarks.results.provenance import Provenance
    from benchmarks.results.store import Store
    from benchmarks.runner.execute import Failure, Outcome
    from benchmarks.runner.order import Batch
    from benchmarks.runner.schedule import Bounds
    from benchmarks.tasks.task import Cache, Method, Methods, Task

_SCRIPT_AND_FILE = 2


@dataclass(frozen=True)
class Comparison:
    """The results of one task on one file.

    Attributes
    ----------
    task : str
        Name of the task.
    results : tuple of Result
        One for each method, in the order of the task.
    data : Image
        The file measured on.
    provenance : Provenance
        The machine and the versions.
    methods : tuple of Method
        The methods themselves.
    """

    task: str
    results: tuple[Result, ...]
    data: Image
    provenance: Provenance
    methods: tuple[Method, ...] = ()

    @property
    def caption(self) -> str:
        """The file and the machine, in one line."""
        return caption(self.data, self.provenance)

    def table(self) -> Table:
        """Return the table: time, peak, kept, multiplier of each method."""
        return result_tables.of_results(self.results, self.methods)

    def __str__(self) -> str:
        remarks = result_tables.remarks(self.results)
        return "\n".join([self.table().text(), "", self.caption, *remarks])

    def _repr_html_(self) -> str:
        return self.table().html(self.caption)

    def plot_time(self) -> Figure:
        """Draw the time of each method, every run a dot."""
        return self._plot("time", "Time")

    def plot_memory(self) -> Figure:
        """Draw the peak of each method, every run a dot."""
        return self._plot("peak", "Peak memory")

    def plot_memory_over_time(self) -> Figure:
        """Draw the memory of the whole process tree during one call of each method."""
        from benchmarks.report import memory_plots  # noqa: PLC0415 - matplotlib is slow to import

        return memory_plots.plot_each(self.results, self._title("Memory over time"))

    def plot_parts(self) -> Figure:
        """Draw what each peak consists of: private, mapped files, and /dev/shm."""
        from benchmarks.report import memory_plots  # noqa: PLC0415 - matplotlib is slow to import

        return memory_plots.plot_parts(self.results, self._title("Parts of the peak"))

    def parts(self) -> Table:
        """Return the table of what each peak consists of."""
        return result_tables.of_parts(self.results)

    def observed(self) -> Table:
        """Return the table of what each method returned, as Python writes it."""
        return result_tables.of_observations(self.results)

    def _title(self, heading: str) -> str:
        return titled(f"{heading}: {self.task.replace('_', ' ')}", self.caption)

    def _plot(self, quantity: str, heading: str) -> Figure:
        from benchmarks.report import plots  # noqa: PLC0415 - matplotlib is slow to import

        families = {method.name: method.family for method in self.methods}
        title = self._title(f"{heading} of each method")
        return plots.plot(self.results, quantity, title, families)


def compare(  # noqa: PLR0913 - each choice has a default
    methods: Methods,
    fmri_path: str | os.PathLike[str] | None = None,
    *,
    form: str = "",
    timed: bool = True,
    runs: int | None = None,
    fresh: bool | None = None,
    cache: Cache = "warm",
    bounds: Bounds | None = None,
) -> Comparison:
    """Measure every method on one file, in new processes.

    What is still fresh (same code, file, versions, machine) is not measured again.

    Parameters
    ----------
    methods : sequence of functions, or of such sequences
        Plain functions of the path of the file. The functions of one sequence return the same.
    fmri_path : path, optional
        By default the argument of the methods' script, then what `images.choose` finds.
    form : str
        Measure on another form of the file: one of `benchmarks.images.variants.VARIANTS`.
    timed, runs, cache, bounds
        Attributes of `benchmarks.runner.schedule.Plan`.
    fresh : bool, optional
        Whether to measure again what is stored; by default whether ``FRESH`` is set to 1.

    Raises
    ------
    BenchmarkError
        The file, a method, the gauge or the store is not fit, or two methods disagree.
    """
    task = tasks.from_functions(methods)
    workspace = Workspace.ready(fmri_path if fmri_path is not None else _script_argument(task))
    plan = Plan.of(runs=runs, again=fresh, timed=timed, cache=cache, bounds=bounds)
    self_check.ensure(workspace.store)
    return compared(task, workspace, form, plan, coming=[task.name])


def compared(
    task: Task, workspace: Workspace, form: str, plan: Plan, *, coming: Sequence[str]
) -> Comparison:
    """Measure what is not fresh of a task on a form of the file; all else is as in `compare`.

    `coming` are the tasks that this is the first of, for progress, if no more is announced.
    """
    store = workspace.at(form)
    names = [method.name for method in task.methods]
    # What least times rest on is measured in turns with the methods.
    kernels = roofline.methods(task.name, names, store.data, plan.cache) if plan.timed else []
    measured = replace(task, methods=(*task.methods, *kernels))
    if store.is_reference:
        found = _of_reference(measured, store, plan)
    else:
        # A form that the file has by itself is called as the file is.
        other = form and store.path != workspace.store.path
        label = f"{task.name}@{form}" if other else task.name
        announce = functools.partial(ahead.expect, coming, workspace, plan)
        found = _measured(measured, store, plan, label, announce)
    results = tuple(roofline.completed(found[name], store) for name in names)
    return Comparison(task.name, results, store.data, store.provenance, task.methods)


def _of_reference(task: Task, store: Store[Image], plan: Plan) -> dict[str, Result]:
    """Return reference results, which cannot be measured here."""
    found = {}
    for method in task.methods:
        result = _settled(task, store, method, plan)
        if result is None:
            raise FigureError(
                f"{task.name}.{method.name} is not among the reference results, or has changed "
                f"since. {reference_store.ADVICE}"
            )
        found[method.name] = result
    return found


def _measured(
    task: Task, store: Store[Image], plan: Plan, label: str, announce: Callable[[], None]
) -> dict[str, Result]:
    """Return the stored results that are fresh, completed by what is measured now."""
    results = {}
    for method in task.methods:
        found = None if plan.again else _settled(task, store, method, plan)
        results[method.name] = found or Result.begun(task.name, method, store.data, plan.cache)
    if any(plan.missing(method, results[method.name]) for method in task.methods):
        results |= _too_large(results, store, plan.bounds)
        variants.check_room(store.data)
        if not progress.is_told(task.name):
            announce()
        carry_out = functools.partial(_carried_out, store.data, plan)
        lots = lots_of(task, store, results, plan, carry_out)
        with progress.Meter(label, {lot.label: lot.runs_left for lot in lots}) as meter:
            metered(lots, meter)
    return results


def _settled(task: Task, store: Store[Image], method: Method, plan: Plan) -> Result | None:
    """Return a stored result if it is fresh and gave figures, or is the error of a kernel."""
    local = bool(method.program)
    result = store.fresh(task.name, method.name, method.source_sha256, plan.cache, local=local)
    return result if result and is_final(result) else None


def _too_large(
    results: dict[str, Result], store: Store[Image], bounds: Bounds
) -> dict[str, Result]:
    """Return, and store, what needs no run to fail: methods that would need too much memory."""
    try:
        predicted = predict.predict(store.data.path, store.provenance)
    except (FigureError, StoreError):  # no prediction; the bounds of a run hold all the same
        return {}
    usable_bytes, found = bounds.bytes_now(), {}
    for row in predicted.rows:
        result = results.get(row.method)
        if result is None or (result.task, result.memory_runs) != (row.task, ()):
            continue
        if row.whole_bytes is not None and row.whole_bytes > usable_bytes:
            needed, usable = format_bytes(row.whole_bytes), format_bytes(usable_bytes)
            message = f"needs about {needed}, and {usable} may be used, so that it was not run"
            failure = execute.Failure(Status.TOO_LARGE, message)
            found[row.method] = execute.extended(result, failure)
    if found:
        store.put(*found.values())
    return found


def _carried_out(
    image: Image, plan: Plan, method: Method, batch: Batch, *, reduced: bool
) -> Outcome | Failure:
    """Make the runs of one more interpreter."""
    path, cache = str(image.path), method.cache or plan.cache
    order = Order(
        method.function,
        ((path,),),
        batch,
        cold_paths=(path,) if cache == "cold" else (),
        cold_workers=method.cold_workers,
        copies=image.images if image.images > 1 else 0,
        reduced=reduced,
    )
    variables = {launch.SCHEDULER: plan.scheduler} if plan.scheduler else {}
    return execute.carry_out(launch.prepare(order, variables=variables), plan.bounds)


def _script_argument(task: Task) -> str | None:
    """Return the file given to an example run as a script: else the arguments are not for it."""
    if task.path is None or not sys.argv[0] or Path(sys.argv[0]).resolve() != task.path.resolve():
        return None
    sys.excepthook = _without_traceback
    if len(sys.argv) > _SCRIPT_AND_FILE:
        raise DataError(f"{task.path.name} takes one file, and got {len(sys.argv) - 1}.")
    return sys.argv[1] if len(sys.argv) == _SCRIPT_AND_FILE else None


def _without_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print an error of this package as its sentence; any other as Python does."""
    if isinstance(error, BenchmarkError):
        progress.say(f"Error: {error}")
    elif isinstance(error, KeyboardInterrupt):
        progress.say("Interrupted. The finished runs are stored; start again to go on.")
    else:
        sys.__excepthook__(kind, error, trace)
