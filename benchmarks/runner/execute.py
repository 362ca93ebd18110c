"""Carry out one order in an interpreter of its own, and add its runs to a result."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.gauge import peak
from benchmarks.gauge.readings import MemoryRun, Series, TimeRun
from benchmarks.results import provenance
from benchmarks.results.result import Result, Status
from benchmarks.results.store import CONVERTER
from benchmarks.tasks.agreement import Returned
from benchmarks.units import format_bytes, format_duration

from . import launch
from .order import Assignment, Order
from .schedule import Bounds, missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.tasks.task import Cache

    from .launch import Prepared

_STDERR_LINES = 3

DEFAULT_BOUNDS = Bounds()


@dataclass(frozen=True)
class Failure:
    """Why a run gave no figures: a word for tables, and a sentence."""

    status: Status
    message: str


@dataclass(frozen=True)
class Outcome:
    """What the runs of one interpreter gave, and what each call returned if that was asked."""

    runs: tuple[TimeRun | MemoryRun, ...]
    returned: tuple[Returned, ...] = ()

    def of_kind(self, kind: type) -> list[Any]:
        """Return the runs for time, or those for memory."""
        return [run for run in self.runs if isinstance(run, kind)]

    def each(self, calls: int) -> list[Outcome]:
        """Return what belongs to each of so many calls that were made in one interpreter."""
        kinds = [self.of_kind(kind) for kind in (TimeRun, MemoryRun)]
        found = []
        for n in range(calls):
            runs = [run for of in kinds for run in of[n * len(of) // calls :][: len(of) // calls]]
            found.append(Outcome(tuple(runs), self.returned[n : n + 1]))
        return found


def measure(
    function: Callable[..., Any],
    /,
    *args: Any,
    runs: int = 5,
    cache: Cache = "warm",
    bounds: Bounds = DEFAULT_BOUNDS,
    **kwargs: Any,
) -> Result:
    """Measure one call of any function, in fresh interpreters.

    Parameters
    ----------
    function : callable
        What is measured. It, its arguments and what it refers to travel by cloudpickle.
    *args, **kwargs
        Its arguments.
    runs : int
        Number of time runs, up to nine for a noisy result; of memory runs there are three at most.
    cache : {"warm", "cold"}
        Whether the files among the arguments are dropped from the page cache before each run.
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
    result = Result(task="", method=getattr(function, "__name__", repr(function)), cache=cache)
    cold = launch.files_of(*args, *kwargs.values()) if cache == "cold" else ()
    while not result.failed and (batches := missing(result, runs)):
        order = Order(function, (args,), batches[0], kwargs, cold, reduced=True)
        result = extended(result, run_once(launch.prepared(order), bounds))
    return result


def extended(result: Result, outcome: Outcome | Failure) -> Result:
    """Return a result with more runs, or with the reason why there are none."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    result = replace(result, measured_at=now, commit=provenance.commit())
    if isinstance(outcome, Failure):
        # Runs that went well before are no figures of a method that then failed.
        return replace(
            result,
            status=outcome.status,
            message=outcome.message,
            time_runs=(),
            memory_runs=(),
        )
    memory_runs = [*result.memory_runs, *outcome.of_kind(MemoryRun)]
    # Memory over time is kept of the last run alone.
    memory_runs[:-1] = [replace(run, series=Series()) for run in memory_runs[:-1]]
    return replace(
        result,
        time_runs=(*result.time_runs, *outcome.of_kind(TimeRun)),
        memory_runs=tuple(memory_runs),
        returned=outcome.returned[-1] if outcome.returned else result.returned,
    )


def run_once(given: Prepared, bounds: Bounds = DEFAULT_BOUNDS) -> Outcome | Failure:
    """Carry out an order in a fresh interpreter; a kill of this one leaves no file or process."""
    killed_before = _kernel_kills()
    held = Assignment(given.payload, given.weighed, bounds.seconds, bounds.bytes_now())
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as printed:
        start = launch.with_keeper if peak.name() == peak.NAME else launch.alone
        report = start(held, given, answer, printed)
        printed.seek(0)
        lines = printed.read().decode(errors="replace").splitlines()[-_STDERR_LINES:]
    kept = report.get("keeper", {"code": 1, "ended": "", "left": 0})
    worked = report.get("worker", {})
    if kept["ended"] or "error" in worked or kept["code"] != 0 or not worked or kept["left"]:
        return _failure(kept, worked, held, lines, by_kernel=_kernel_kills() > killed_before)
    return _outcome(worked, kept)


def _failure(
    kept: dict[str, Any],
    worked: dict[str, Any],
    held: Assignment,
    printed: list[str],
    *,
    by_kernel: bool,
) -> Failure:
    """Tell the ends of a run apart, each with a sentence."""
    code = kept["code"]
    if kept["ended"] == "time":
        bound = format_duration(held.most_seconds)
        return Failure(Status.OVER_TIME, f"stopped after its time limit of {bound}")
    if kept["ended"] == "memory":
        bound = format_bytes(held.most_bytes)
        words = f"stopped when it held more than its memory limit of {bound}"
        return Failure(Status.OVER_MEMORY, words)
    if "error" in worked:
        return Failure(Status.RAISED, f"raised {worked['error']}")
    if code == -signal.SIGKILL and by_kernel:
        return Failure(Status.KILLED, "ended by the kernel, which had no memory left")
    if code != 0 or not worked:
        ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return Failure(Status.CRASHED, " / ".join([f"its interpreter {ended}", *printed]))
    words = "left processes running when it was done; they were ended"
    return Failure(Status.LEFT_RUNNING, words)


def _outcome(worked: dict[str, Any], kept: dict[str, Any]) -> Outcome:
    timed = CONVERTER.structure(worked["timed"], list[TimeRun])
    weighed = CONVERTER.structure(worked["weighed"] or kept["memory"], list[MemoryRun])
    returned = CONVERTER.structure(worked["returned"], tuple[Returned, ...])
    return Outcome((*timed, *weighed), returned)


def _kernel_kills() -> int:
    """Return how many processes the kernel has killed for want of memory."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
