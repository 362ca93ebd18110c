"""Measure any call: what `benchmarks.measure` is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmarks.results.result import Result

from . import execute, launch, schedule
from .order import Batch, Order
from .rounds import Lot, rounds
from .schedule import DEFAULT_BOUNDS, Bounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.tasks.task import Cache

    from .execute import Failure, Outcome
    from .rounds import Results


def measure(
    function: Callable[..., Any],
    /,
    *args: Any,
    runs: int = 5,
    cache: Cache = "warm",
    cold_workers: bool = False,
    bounds: Bounds = DEFAULT_BOUNDS,
    **kwargs: Any,
) -> Result:
    """Measure one call of any function, in new processes.

    Parameters
    ----------
    function, *args, **kwargs
        What is measured, and its arguments. All that they refer to travels by cloudpickle.
    runs : int
        Number of time runs; of memory runs there are two if they agree, else three. A short
        call that is noisy gets up to nine time runs, and a blurred peak two more memory runs.
    cache : {"warm", "cold"}
        Whether the files among the arguments are dropped from the page cache before each run.
    cold_workers : bool
        Whether workers that joblib or Dask kept are ended before each run, so that their start
        belongs to it. By default they are there, and count in ``whole_bytes`` alone.
    bounds : Bounds
        When a run is stopped.

    Returns
    -------
    Result
        With another status than ``"ok"`` where the function failed; nothing is stored.

    Raises
    ------
    MethodError
        The function or an argument cannot be sent to another interpreter.
    """
    name = getattr(function, "__name__", repr(function))
    cold = launch.files_of(*args, *kwargs.values()) if cache == "cold" else ()
    order = Order(
        function, (args,), Batch(), kwargs, cold, cold_workers=cold_workers, reduced=True
    )
    lot = _lot(Result(task="", method=name, cache=cache), order, runs, bounds)
    rounds([lot])
    return lot.results[0]


def _lot(started: Result, order: Order, runs: int, bounds: Bounds) -> Lot:
    def carry_out(_results: Results, batch: Batch) -> list[Outcome | Failure]:
        return [execute.carry_out(launch.prepare(replace(order, batch=batch)), bounds)]

    def missing(results: Results) -> list[Batch]:
        return [] if results[0].failed else schedule.missing(results[0], runs)

    return Lot(started.method, (started,), None, missing, carry_out)
