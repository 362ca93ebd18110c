"""Measure any call: what `benchmarks.measure` is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from benchmarks.errors import MethodError
from benchmarks.results.result import Result
from benchmarks.tasks.task import Cache

from . import execute, launch, schedule
from .order import Batch, Order
from .rounds import Lot, rounds
from .schedule import DEFAULT_BOUNDS, Bounds

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """Measure a call of any function, in new processes.

    Parameters
    ----------
    function, *args, **kwargs
        What is measured, and its arguments. All that they refer to travels by cloudpickle.
    runs : int
        Number of time runs, and up to nine of a noisy short call; of memory runs there are two
        if they agree, else three, up to five if blurred, and one that starts workers.
    cache : {"warm", "cold"}
        Whether the files among the arguments are dropped from the page cache before each run.
    cold_workers : bool
        Whether each run starts its workers: those that joblib or Dask kept are ended before.
    bounds : Bounds
        When a run is stopped.

    Returns
    -------
    Result
        Not stored; with another status than ``"ok"`` where the function failed.

    Raises
    ------
    MethodError
        What cannot be sent to another interpreter, another word for ``cache``, or a cold cache
        without a file.
    """
    cold = _cold_files(cache, *args, *kwargs.values())
    order = Order(function, (args,), Batch(), kwargs, cold, cold_workers, reduced=True)
    return _measured(order, runs, bounds, cache)


def _cold_files(cache: Cache, *given: Any) -> tuple[str, ...]:
    """Return the files that are dropped before each run; raises MethodError if there are none."""
    if cache not in get_args(Cache):
        raise MethodError(f"cache is {cache!r}; it can be {' or '.join(get_args(Cache))}.")
    cold = launch.files_of(*given) if cache == "cold" else ()
    if cache == "cold" and not cold:
        raise MethodError("No argument is the path of a file, so that none can be read cold.")
    return cold


def _measured(order: Order, runs: int, bounds: Bounds, cache: Cache) -> Result:
    name = getattr(order.function, "__name__", repr(order.function))
    lot = _lot(Result("", name, cache=cache), order, runs, bounds)
    rounds([lot])
    return lot.results[0]


def _lot(started: Result, order: Order, runs: int, bounds: Bounds) -> Lot:
    def carry_out(_results: Results, batch: Batch) -> list[Outcome | Failure]:
        return [execute.carry_out(launch.prepare(replace(order, batch=batch)), bounds)]

    def missing(results: Results) -> list[Batch]:
        if results[0].failed:
            return []
        memory = schedule.COLD_MEMORY_RUNS if order.cold_workers else schedule.MEMORY_RUNS
        return schedule.missing(results[0], runs, memory=memory)

    return Lot(started.method, (started,), None, missing, carry_out)
