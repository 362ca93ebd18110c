"""Measure every method on small files, of one kind or of every kind, for predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks import progress
from benchmarks.images.workspace import Workspace
from benchmarks.results.result import Result
from benchmarks.results.store import without_series
from benchmarks.runner import execute, self_check
from benchmarks.runner.execute import Failure, Outcome
from benchmarks.runner.launch import ALL_GIVEN_BACK, HIDDEN_PACKAGE, prepare
from benchmarks.runner.order import Batch, Order
from benchmarks.runner.rounds import Lot, metered
from benchmarks.runner.schedule import asked_again, may_be_chance
from benchmarks.tasks import chapter, source
from benchmarks.tasks import task as tasks

from . import cost_model, small_files
from .basis import Basis
from .predict import of_workspace
from .proof import Proof

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from benchmarks.images.image import Image
    from benchmarks.results.store import Store
    from benchmarks.tasks.task import Method, Task

    from .predict import Predictions


@dataclass(frozen=True)
class _Job:
    """A method, and the small files that it is measured on."""

    task: str
    method: Method
    images: dict[str, Image]
    timed: bool = True

    def begun(self) -> tuple[Result, ...]:
        """Return empty results."""
        return tuple(
            Result.begun(cost_model.name(self.task, size), self.method, image)
            for size, image in self.images.items()
        )

    def is_missing(self, store: Store[Image]) -> bool:
        """Tell whether it has to be measured on one of its files, and so on all of them."""
        digest = self.method.source_sha256
        found = [store.fresh(r.task, r.method, digest) for r in self.begun()]
        return any(result is None or may_be_chance(result) for result in found)

    def missing(self, results: Sequence[Result]) -> list[Batch]:
        """Return the batches that are needed: memory first, and time from another interpreter."""
        if any(result.failed for result in results):
            return []
        # More than once where workers meet by chance.
        memory = 2 if source.uses(self.method.function, "joblib") else 1
        lacking = [] if all(result.memory_runs for result in results) else [Batch(memory=memory)]
        done = not self.timed or all(result.time_runs for result in results)
        return lacking if done else [*lacking, Batch(time=1)]

    def carry_out(self, _results: Sequence[Result], batch: Batch) -> list[Outcome | Failure]:
        """Run the method on one file after the other, in one interpreter."""
        calls = tuple((str(image.path),) for image in self.images.values())
        # What names the hidden package has large files, since its buffers grow in steps, and may
        # keep an index of each.
        indexed = source.uses(self.method.function, HIDDEN_PACKAGE)
        warm_each = indexed or self.method.name in chapter.about(self.task).finds_left
        variables = ALL_GIVEN_BACK if batch.memory and not indexed else None
        order = Order(self.method.function, calls, batch, warm_each=warm_each)
        outcome = execute.carry_out(prepare(order, variables=variables))
        if isinstance(outcome, Failure):
            return [outcome] * len(calls)
        return list(outcome.each(len(calls)))


def calibrate(
    fmri_path: str | os.PathLike[str] | None = None, *, every_kind: bool = False
) -> Store[Image]:
    """Measure what is not measured yet on small files of the run, of the kind that it is.

    Parameters
    ----------
    fmri_path : path, optional
        The run; by default what `benchmarks.images.choose` finds.
    every_kind : bool
        Whether small files of all other kinds are measured as well.

    Returns
    -------
    Store
        What every method took on the small files.

    Raises
    ------
    BenchmarkError
        The file, a method or the store is not fit.
    """
    workspace = Workspace.ready(fmri_path)
    self_check.ensure(workspace.store)
    store = workspace.small_files()
    if store.is_reference:
        return store
    image = workspace.image
    kinds = small_files.KINDS if every_kind else (small_files.kind(image),)
    _measure_missing(_jobs(image, kinds), image, store)
    # Of methods that are gone or were edited, and of sizes that are no longer asked for. Besides,
    # that the file is written says that all of it is up to date.
    store.put(dropped=_outdated(store, image))
    return store


def _outdated(store: Store[Image], image: Image) -> list[Result]:
    """Return stored results that are not of the methods as they are, on files as they are made."""
    jobs = _jobs(image, small_files.KINDS)
    valid = {
        (result.task, result.method): result.source_sha256
        for job in [*jobs, *(_unseen(job, image) for job in jobs)]
        for result in job.begun()
    }
    return [r for r in store.all() if valid.get((r.task, r.method)) != r.source_sha256]


def prove(fmri_path: str | os.PathLike[str] | None = None) -> Proof:
    """Measure the memory of every method on files that no fit has seen, beside predictions.

    Parameters and errors are those of `calibrate`, which goes first, for every kind.
    """
    store = calibrate(fmri_path, every_kind=True)
    if not store.is_reference:
        jobs = [_unseen(job, store.data) for job in _jobs(store.data, small_files.KINDS)]
        _measure_missing(jobs, store.data, store)
    return Proof.of([store], Basis(store))


def predict(fmri_path: str | os.PathLike[str] | None = None) -> Predictions:
    """Predict what every method needs for a file, from its header; nothing is measured.

    Parameters
    ----------
    fmri_path : path, optional
        By default what `benchmarks.images.choose` finds.

    Raises
    ------
    BenchmarkError
        The file is not fit, or results cannot be read.
    """
    return of_workspace(Workspace.chosen(fmri_path))


def _jobs(image: Image, kinds: Sequence[str]) -> list[_Job]:
    """Return what is measured: methods that somebody would choose for one image."""
    found = [
        _job(task, method, image, kinds)
        for name, path in tasks.example_paths().items()
        if chapter.about(name).predicted
        for task in (tasks.from_example(path),)
        for method in task.methods
        if not (method.cold_workers or method.cache == "cold")
        and method.name not in chapter.about(name).unpredicted
    ]
    return [job for job in found if job.images]  # some take no file of these kinds


def _job(task: Task, method: Method, image: Image, kinds: Sequence[str]) -> _Job:
    if source.uses(method.function, HIDDEN_PACKAGE):
        names = small_files.UNPACKED
    elif source.uses(method.function, "joblib"):
        names = small_files.HANDED_OVER
    elif method.name in chapter.about(task.name).reads_again:
        names = small_files.READ_AGAIN
    else:
        names = small_files.USUAL
    return _Job(task.name, method, small_files.planned(image, names, method.ending, kinds))


def _unseen(job: _Job, image: Image) -> _Job:
    """Return what is measured of a method on files that no fit has seen: no time."""
    return replace(job, images=small_files.unseen(image, job.method.ending), timed=False)


def _measure_missing(jobs: Sequence[_Job], image: Image, store: Store[Image]) -> None:
    missing = [job for job in jobs if asked_again() or job.is_missing(store)]
    if missing:
        _measure(missing, image, store)


def _measure(jobs: Sequence[_Job], image: Image, store: Store[Image]) -> None:
    small_files.make(image, {name: small for job in jobs for name, small in job.images.items()})
    lots = [
        Lot(f"{job.task}.{job.method.name}", job.begun(), None, job.missing, job.carry_out, _lean)
        for job in jobs
    ]
    with progress.Meter("small files", {lot.label: lot.runs_left for lot in lots}) as meter:
        for lot in lots:
            metered([lot], meter)
            store.put(*lot.results)  # both halves at once: one alone predicts nothing


def _lean(results: tuple[Result, ...]) -> tuple[Result, ...]:
    return tuple(map(without_series, results))
