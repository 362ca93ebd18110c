"""Measure every method on small files of every kind, for predictions."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import (
    costs,
    opening,
    orders,
    prediction,
    progress,
    runner,
    selfcheck,
    sizes,
    sources,
    tasks,
)
from .orders import Batch
from .results import Result
from .store import without_series
from .units import format_duration

if TYPE_CHECKING:
    from .data import FmriFile
    from .prediction import Predictions
    from .runs import MemoryRun, TimeRun
    from .sizes import Sized
    from .store import Store
    from .tasks import Method, Task

#: Tasks whose methods are no ways of doing something with one image: they look at it, repeat
#: methods of other tasks at other lengths, or take many images.
NO_WAYS = ("growth", "many_images", "proxy_and_array")


@dataclass(frozen=True)
class _Job:
    """A method, and the small files that it is measured on."""

    task: str
    method: Method
    files: dict[str, Sized]


def calibrate(fmri_path: str | os.PathLike[str] | None = None) -> Store:
    """Measure what is not measured yet on small files of the run.

    Parameters
    ----------
    fmri_path : path, optional
        The run; by default what `benchmarks.data.choose` finds.

    Returns
    -------
    Store
        What every method took on the small files.

    Raises
    ------
    BenchmarkError
        The file, a method or the store is not fit.
    """
    file, published = opening.ready(fmri_path)
    selfcheck.ensure(published, file)
    store = costs.store_of(file, published.provenance)
    if store.is_fixed:
        return store
    fresh = os.environ.get("FRESH") == "1"
    jobs = [
        _job(task, method, file)
        for name, path in tasks.example_paths().items()
        if name not in NO_WAYS
        for task in (tasks.from_example(path),)
        for method in task.methods
    ]
    missing = [job for job in jobs if fresh or _is_missing(job, store)]
    if missing:
        _measure(missing, file, store)
    wanted = {(costs.name(job.task, size), job.method.name) for job in jobs for size in job.files}
    # Of methods that are gone, and of sizes that are no longer asked for. Besides, that the file
    # is written says that all of it is up to date.
    store.put(dropped=[r for r in store.all() if (r.task, r.method) not in wanted])
    return store


def predict(fmri_path: str | os.PathLike[str] | None = None) -> Predictions:
    """Predict what every method needs for a file; measure small files first if need be.

    Parameters
    ----------
    fmri_path : path, optional
        By default what `benchmarks.data.choose` finds.

    Raises
    ------
    BenchmarkError
        As `calibrate`.
    """
    file, _ = opening.ready(fmri_path)
    return prediction.of_data(file.data, calibrate(fmri_path))


def _job(task: Task, method: Method, file: FmriFile) -> _Job:
    if sources.uses(method.function, orders.HIDDEN_PACKAGE):
        names = sizes.UNPACKED
    elif sources.uses(method.function, "joblib"):
        names = sizes.HANDED_OVER
    elif (task.name, method.name) in costs.READS_AGAIN:
        names = sizes.READ_AGAIN
    else:
        names = sizes.USUAL
    return _Job(task.name, method, sizes.files(file.data, names, method.ending))


def _is_missing(job: _Job, store: Store) -> bool:
    method = job.method
    return costs.missing(store, job.task, method.name, method.source_sha256, job.files)


def _measure(jobs: list[_Job], file: FmriFile, store: Store) -> None:
    progress.say(f"Measuring small files of {file.path}, for predictions.")
    for sized in {sized for job in jobs for sized in job.files.values()}:
        sizes.make(file, sized)
    started = time.monotonic()
    for done, job in enumerate(jobs, 1):
        store.put(*_results(job))
        elapsed = time.monotonic() - started
        left = format_duration(elapsed / done * (len(jobs) - done))
        progress.say(f"small files: {job.task}.{job.method.name}, about {left} left")


def _results(job: _Job) -> list[Result]:
    """Return a result for each file; time and memory from interpreters of their own."""
    paths = [str(sized.path) for sized in job.files.values()]
    runs: dict[str, list[TimeRun | MemoryRun]] = {name: [] for name in job.files}
    failure = None
    for batch in (Batch(memory=_memory_runs(job.method)), Batch(time=1)):
        outcome = runner.run_once(orders.sweep(batch, job.method.function, paths))
        if isinstance(outcome, runner.Failure):
            failure = outcome
            break
        for index, name in enumerate(job.files):
            runs[name] += outcome.runs[index * batch.runs : (index + 1) * batch.runs]
    results = []
    for name, sized in job.files.items():
        result = Result(
            costs.name(job.task, name),
            job.method.name,
            job.method.source_sha256,
            raw_bytes=sized.raw_bytes,
        )
        results.append(runner.extended(result, failure or runner.Outcome(tuple(runs[name]))))
    return [without_series(result) for result in results]


def _memory_runs(method: Method) -> int:
    """Return how often a method is weighed: more than once where workers meet by chance."""
    return 2 if sources.uses(method.function, "joblib") else 1
