"""Compare the methods of a task: reuse what is fresh, measure the rest."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import (
    agreement,
    data,
    folders,
    gauge,
    progress,
    provenance,
    runner,
    selfcheck,
    tables,
    tasks,
)
from .errors import BenchmarkError, DataError
from .results import Result
from .store import Store
from .units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FunctionType, TracebackType

    from matplotlib.figure import Figure

    from .data import FmriFile
    from .provenance import Provenance
    from .runs import Data
    from .tasks import Method, Task

RUNS = 5

_METHOD_AND_FILE = 2


@dataclass(frozen=True)
class Plan:
    """How the methods of a task are measured.

    Attributes
    ----------
    runs : int
        Time runs of each method; by default the environment variable ``RUNS``, else 5.
    fresh : bool
        Whether to measure again what is stored; by default whether ``FRESH`` is set to 1.
    cache : {"warm", "cold"}
        Whether the file is dropped from the page cache before each run.
    limits : Limits
        When a run is stopped.
    """

    runs: int
    fresh: bool
    cache: runner.Cache
    limits: runner.Limits

    @classmethod
    def of(
        cls, *, runs: int | None, fresh: bool | None, cache: runner.Cache, limits: runner.Limits
    ) -> Plan:
        """Make a plan, the defaults taken from the environment."""
        return cls(
            runs=data.whole_number("RUNS", RUNS) if runs is None else runs,
            fresh=os.environ.get("FRESH") == "1" if fresh is None else fresh,
            cache=cache,
            limits=limits,
        )


@dataclass(frozen=True)
class Comparison:
    """The results of one task on one file.

    Attributes
    ----------
    task : str
        Name of the task.
    results : tuple of Result
        One for each method, in the order of the task.
    data : Data
        The file measured on.
    provenance : Provenance
        The machine and the versions.
    """

    task: str
    results: tuple[Result, ...]
    data: Data
    provenance: Provenance

    @property
    def caption(self) -> str:
        """The file and the machine, in one line."""
        packages = self.provenance.packages
        versions = ", ".join(f"{name} {packages[name]}" for name in ("nibabel", "nilearn"))
        return f"{described(self.data)} {self.provenance.cpu}, {versions}."

    def __str__(self) -> str:
        remarks = tables.remarks(self.results)
        return "\n".join([tables.of_results(self.results).text(), "", self.caption, *remarks])

    def _repr_html_(self) -> str:
        caption = " ".join([self.caption, *tables.remarks(self.results)])
        return tables.of_results(self.results).html(caption)

    def plot_time(self) -> Figure:
        """Draw the time of each method, every run a dot."""
        return self._plot("time", "Time")

    def plot_memory(self) -> Figure:
        """Draw the peak of each method, every run a dot."""
        return self._plot("peak", "Peak memory")

    def _plot(self, quantity: str, heading: str) -> Figure:
        from . import figures  # noqa: PLC0415 - matplotlib is slow to import

        title = f"{heading} of each way: {self.task.replace('_', ' ')}, {self.data.name}"
        return figures.plot(self.results, quantity, title)


def compare(  # noqa: PLR0913 - each choice has a default
    methods: Sequence[FunctionType],
    fmri_path: str | os.PathLike[str] | None = None,
    *,
    runs: int | None = None,
    fresh: bool | None = None,
    cache: runner.Cache = "warm",
    limits: runner.Limits = runner.DEFAULT_LIMITS,
) -> Comparison:
    """Measure every method on one file, each run in a fresh interpreter.

    Results that are still fresh (same code, file, versions and machine) are not measured
    again. Each finished run is stored at once.

    Parameters
    ----------
    methods : sequence of functions
        Plain functions of the path of the file, all of which return the same.
    fmri_path : path, optional
        The file. By default the argument of the script that the methods are in, then what
        `benchmarks.data.choose` finds.
    runs, fresh, cache, limits
        Attributes of `Plan`.

    Raises
    ------
    BenchmarkError
        The file, a method, the gauge or the store is not fit, or two methods disagree. Its
        class and its text say which.
    """
    task = tasks.from_functions(methods)
    file, store = ready(fmri_path if fmri_path is not None else _script_argument(task))
    plan = Plan.of(runs=runs, fresh=fresh, cache=cache, limits=limits)
    selfcheck.ensure(store, file)
    results = _results(task, file, store, plan)
    return Comparison(task.name, tuple(results.values()), file.data, store.provenance)


def _results(task: Task, file: FmriFile, store: Store, plan: Plan) -> dict[str, Result]:
    """Return the stored results that are fresh, completed by what is measured now."""
    results = {}
    for method in task.methods:
        found = None if plan.fresh else stored(store, task, method, plan.cache)
        results[method.name] = found or _begun(task, method, file, plan.cache)
    if any(runner.missing(result, plan.runs) for result in results.values()):
        progress.say(f"Measuring {task.name} on {file.path}. {file.data.reason}")
        _measure(task, file, store, results, plan)
    return results


def described(file_data: Data) -> str:
    """Return what a file is in one line: name, shape, type, raw size."""
    shape = " x ".join(map(str, file_data.shape))
    scaled = ", scaled" if file_data.scaled else ""
    size = format_bytes(file_data.raw_bytes)
    return f"{file_data.name}: {shape} voxels, {file_data.dtype}{scaled}, {size} raw size."


def ready(fmri_path: str | os.PathLike[str] | None = None) -> tuple[FmriFile, Store]:
    """Choose the file, and make sure that it can be measured on and its results be read.

    Raises
    ------
    DataError
        The file is not fit to be measured on.
    StoreError
        Its results cannot be read.
    """
    file = data.choose(fmri_path)
    store = store_of(file)
    if not store.all():  # results are a proof that the data could be read
        data.check(file)
    return file, store


def store_of(file: FmriFile) -> Store:
    """Open the results of a file on this machine with these versions."""
    return Store(folders.results_folder(), file.data, provenance.here(gauge.name(), file.path))


def stored(store: Store, task: Task, method: Method, cache: str = "warm") -> Result | None:
    """Return a stored result if the method's code is still the same and it gave figures."""
    result = store.get(task.name, method.name, cache)
    if result and result.source_sha256 == method.source_sha256 and result.status == "ok":
        return result
    return None


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


def _begun(task: Task, method: Method, file: FmriFile, cache: str) -> Result:
    return Result(
        task=task.name,
        method=method.name,
        source_sha256=method.source_sha256,
        raw_bytes=file.data.raw_bytes,
        cache=cache,
    )


def _measure(
    task: Task, file: FmriFile, store: Store, results: dict[str, Result], plan: Plan
) -> None:
    """Carry out the missing runs in turns: A B C A B C, so that a drift favours nobody."""
    wanted = {name: len(runner.missing(result, plan.runs)) for name, result in results.items()}
    with progress.Meter(task.name, wanted) as meter:
        while any(wanted.values()):
            for method in task.methods:
                name = method.name
                kinds = runner.missing(results[name], plan.runs) if wanted[name] else []
                if not kinds:
                    continue
                meter.starting(name)
                order = runner.order(kinds[0], method.function, str(file.path), cache=plan.cache)
                outcome = runner.run_once(order, plan.limits)
                results[name] = runner.extended(results[name], outcome)
                _check_agreement(task, results, name)
                store.put(results[name])
                failed = results[name].status != "ok"
                wanted[name] = 0 if failed else len(runner.missing(results[name], plan.runs))
                meter.finished(name, wanted[name], tables.note(results[name]))


def _check_agreement(task: Task, results: dict[str, Result], name: str) -> None:
    """Compare what a method returned with what every other method did."""
    returned = results[name].returned
    for other, result in results.items():
        if returned and other != name and result.returned:
            agreement.check((name, other), returned, result.returned, task.tolerance)
