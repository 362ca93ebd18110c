"""Compare the methods of a task: reuse what is fresh, measure the rest."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import (
    agreement,
    copies,
    forms,
    opening,
    orders,
    prediction,
    progress,
    reference,
    runner,
    selfcheck,
    tables,
    tasks,
)
from .comparison import Comparison
from .errors import BenchmarkError, DataError, FigureError
from .limits import KERNELS, with_limit
from .limits import methods as kernel_methods
from .plans import Plan
from .results import TOO_LARGE, Result
from .units import format_bytes

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from .data import FmriFile
    from .runs import Cache
    from .stops import Limits
    from .store import Store
    from .tasks import Method, Task

_METHOD_AND_FILE = 2


def compare(  # noqa: PLR0913 - each choice has a default
    methods: tasks.Methods,
    fmri_path: str | os.PathLike[str] | None = None,
    *,
    form: str = "",
    timed: bool = True,
    runs: int | None = None,
    fresh: bool | None = None,
    cache: Cache = "warm",
    limits: Limits | None = None,
) -> Comparison:
    """Measure every method on one file, in fresh interpreters.

    What is still fresh (same code, file, versions, machine) is not measured again.

    Parameters
    ----------
    methods : sequence of functions, or of such sequences
        Plain functions of the path of the file. The functions of one sequence return the same.
    fmri_path : path, optional
        By default the argument of the methods' script, then what `data.choose` finds.
    form : str
        Measure on another form of the file: one of `benchmarks.forms.FORMS`.
    timed, runs, fresh, cache, limits
        Attributes of `Plan`.

    Raises
    ------
    BenchmarkError
        The file, a method, the gauge or the store is not fit, or two methods disagree.
    """
    task = tasks.from_functions(methods)
    file, store = opening.ready(fmri_path if fmri_path is not None else _script_argument(task))
    plan = Plan.of(runs=runs, fresh=fresh, timed=timed, cache=cache, limits=limits)
    selfcheck.ensure(store, file)
    if form:
        file = forms.of(file, form)
        store = opening.store_of(file)
    return compared(task, file, store, plan)


def compared(task: Task, file: FmriFile, store: Store, plan: Plan) -> Comparison:
    """Measure what is not fresh of a task on a file, and return all of it.

    Parameters
    ----------
    task : Task
        All its methods have to be for files of this kind.
    file, store
        The file, and its results.
    plan : Plan
        How the methods are measured.

    Raises
    ------
    BenchmarkError
        As `compare`.
    """
    measured = _with_kernels(task, file, plan) if plan.timed else task
    found = _results(measured, file, store, plan)
    results = tuple(with_limit(found[method.name], store) for method in task.methods)
    return Comparison(task.name, results, file.data, store.provenance, task.methods)


def _with_kernels(task: Task, file: FmriFile, plan: Plan) -> Task:
    """Add what the limits of a task rest on, to be measured in turns with its methods."""
    names = [method.name for method in task.methods]
    added = kernel_methods(task.name, names, file.data, plan.cache)
    return replace(task, methods=(*task.methods, *added))


def _results(task: Task, file: FmriFile, store: Store, plan: Plan) -> dict[str, Result]:
    """Return the stored results that are fresh, completed by what is measured now."""
    if store.is_fixed:
        return {method.name: _fixed(store, task, method, plan.cache) for method in task.methods}
    results = {}
    for method in task.methods:
        found = None if plan.fresh else stored(store, task, method, plan.cache)
        results[method.name] = found or begun(task, method, file, plan.cache)
    if any(plan.missing(method, results[method.name]) for method in task.methods):
        results |= _too_large(results, file, store, plan.limits)
        copies.check_room(file)
        progress.say(f"Measuring {task.name} on {file.path}.")
        _measure(task, file, store, results, plan)
    return results


def _fixed(store: Store, task: Task, method: Method, cache: str) -> Result:
    """Return a reference result, which cannot be measured here."""
    found = stored(store, task, method, cache)
    if found is None:
        raise FigureError(
            f"{task.name}.{method.name} is not among the reference results, or has changed since. "
            f"{reference.ADVICE}"
        )
    return found


def _too_large(
    results: dict[str, Result], file: FmriFile, store: Store, limits: Limits
) -> dict[str, Result]:
    """Return the results that need no run to fail: methods that would need too much memory."""
    try:
        predicted = prediction.predict(file.path, store.provenance)
    except FigureError:  # small files are not measured; the limits of a run hold all the same
        return {}
    usable_bytes, found = limits.bytes_now(), {}
    for row in predicted.rows:
        result = results.get(row.method)
        if result is None or (result.task, result.memory_runs) != (row.task, ()):
            continue
        if row.peak_bytes is not None and row.peak_bytes > usable_bytes:
            needed, usable = format_bytes(row.peak_bytes), format_bytes(usable_bytes)
            message = f"needs about {needed}, and {usable} may be used, so that it was not run"
            found[row.method] = replace(result, status=TOO_LARGE, message=message)
    if found:
        store.put(*found.values())
    return found


def stored(store: Store, task: Task, method: Method, cache: str = "warm") -> Result | None:
    """Return a stored result if the method's code is still the same and it gave figures.

    A kernel that raised an error will do so again: some systems cannot drop a file from memory.
    """
    result = store.get(task.name, method.name, cache)
    if result is None or not is_fresh(result, method, store):
        return None
    settled = ("ok", "raised") if method.group == KERNELS else ("ok",)
    return result if result.status in settled else None


def is_fresh(result: Result, method: Method, store: Store) -> bool:
    """Tell whether a result is that of a method as it is now.

    The release of another program counts where it can be asked for; for reference results it
    need not be installed.
    """
    return result.source_sha256 == method.source_sha256 or bool(store.is_fixed and method.program)


def _script_argument(task: Task) -> str | None:
    """Return the file given to an example that was started as a script.

    Only then does the command line speak of the methods' file: in a notebook, or while
    Sphinx runs, it belongs to somebody else.
    """
    if task.path is None or not sys.argv[0] or Path(sys.argv[0]).resolve() != task.path.resolve():
        return None
    sys.excepthook = _without_traceback
    if len(sys.argv) > _METHOD_AND_FILE:
        raise DataError(f"{task.path.name} takes one file, and got {len(sys.argv) - 1}.")
    return sys.argv[1] if len(sys.argv) == _METHOD_AND_FILE else None


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


def begun(task: Task, method: Method, file: FmriFile, cache: str) -> Result:
    """Return the result of a method without any run."""
    return Result(
        task=task.name,
        method=method.name,
        source_sha256=method.source_sha256,
        raw_bytes=file.data.raw_bytes,
        cache=cache,
        images=file.data.images,
    )


def _measure(
    task: Task, file: FmriFile, store: Store, results: dict[str, Result], plan: Plan
) -> None:
    """Carry out the missing runs in turns, A B C A B C, so that a drift favours nobody."""
    wanted = {m.name: _runs(plan.missing(m, results[m.name])) for m in task.methods}
    with progress.Meter(task.name, wanted) as meter:
        while any(wanted.values()):
            for method in task.methods:
                name = method.name
                batches = plan.missing(method, results[name]) if wanted[name] else []
                if not batches:
                    continue
                meter.starting(name)
                results[name] = _extended(results[name], method, file, batches[0], plan)
                _check_agreement(task, results, method)
                store.put(results[name])
                wanted[name] = _runs(plan.missing(method, results[name]))
                note = tables.note(results[name])
                meter.finished(name, batches[0].runs, wanted[name], note)


def _runs(batches: list[orders.Batch]) -> int:
    return sum(batch.runs for batch in batches)


def _extended(
    result: Result, method: Method, file: FmriFile, batch: orders.Batch, plan: Plan
) -> Result:
    """Return a result with the runs of one more interpreter."""
    images, path = file.data.images, str(file.path)
    how: dict[str, Any] = {
        "cache": method.cache or plan.cache,
        "reduced": result.returned is None,
    }
    if images > 1:
        order = orders.on_copies(batch, method.function, path, images, **how)
    else:
        order = orders.order(batch, method.function, path, **how)
    if plan.scheduler:
        order = replace(order, variables=order.variables | {orders.SCHEDULER: plan.scheduler})
    return runner.extended(result, runner.run_once(order, plan.limits))


def _check_agreement(task: Task, results: dict[str, Result], method: Method) -> None:
    """Compare what a method returned with what the others of its group did."""
    returned = results[method.name].returned
    for other in task.methods:
        theirs = results[other.name].returned
        if returned and theirs and other.group == method.group and other is not method:
            agreement.check((method.name, other.name), returned, theirs, task.tolerance)
