"""Start workers and gather their runs."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import gauge, provenance, starting
from .errors import MethodError
from .orders import Batch, Order, order
from .results import NOISY_FROM, Result
from .runs import MemoryRun, Returned, Series, TimeRun
from .stops import Limits
from .units import format_bytes, format_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from .runs import Cache

#: Peaks repeat to a fraction of a MiB, so that more memory runs than this say nothing new.
MEMORY_RUNS = 3

#: If the bounds of a peak are not sharp, so many more runs may be tried.
BLURRED_RUNS = 2

#: Time runs are added to a noisy result up to this number. From nine values on, the interval
#: of the median leaves out the least and the largest, so that one outlier does not matter.
MOST_TIME_RUNS = 9

#: Only to calls shorter than this, s: more runs of the others would cost minutes.
EXTENDED_SECONDS = 0.1

#: So many runs of each kind follow one another in an interpreter, after one warm-up call: to
#: start it and to import nilearn takes longer than most calls.
RUNS_EACH = 3

_STDERR_LINES = 3


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Failure:
    """Why a run gave no figures: a word for tables, and a sentence."""

    status: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """What the runs of one interpreter gave, and what each call returned if that was asked."""

    runs: tuple[TimeRun | MemoryRun, ...]
    returned: tuple[Returned, ...] = ()

    @property
    def run(self) -> TimeRun | MemoryRun:
        """The last of the runs."""
        return self.runs[-1]


def measure(
    function: Callable[..., Any],
    /,
    *args: Any,
    runs: int = 5,
    cache: Cache = "warm",
    limits: Limits = DEFAULT_LIMITS,
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
        Number of time runs; of memory runs there are as many, but at most `MEMORY_RUNS`.
        A noisy result gets more time runs, up to `MOST_TIME_RUNS`.
    cache : {"warm", "cold"}
        Whether the files among the arguments are dropped from the page cache before each run.
    limits : Limits
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
    while result.status == "ok" and (batches := missing(result, runs)):
        given = order(batches[0], function, *args, cache=cache, **kwargs)
        result = extended(result, run_once(given, limits))
    return result


def missing(result: Result, runs: int, *, timed: bool = True, weighed: bool = True) -> list[Batch]:
    """Return what a result still needs, an interpreter each.

    Parameters
    ----------
    result : Result
        What there is.
    runs : int
        Number of time runs.
    timed, weighed : bool
        Whether there are time runs, and memory runs, at all.

    Raises
    ------
    MethodError
        ``runs`` is less than 1.
    """
    if runs < 1:
        raise MethodError(f"runs is {runs}; there must be at least 1.")
    sharp = sum(run.is_sharp for run in result.memory_runs)
    enough = min(runs, MEMORY_RUNS)
    still = min(enough - sharp, enough + BLURRED_RUNS - len(result.memory_runs))
    memory = max(0, still) if weighed else 0
    time = max(0, runs - len(result.time_runs)) if timed else 0
    more = MOST_TIME_RUNS - len(result.time_runs)
    if timed and not memory + time and runs > 1 and more > 0 and _is_worth_more_runs(result):
        return [Batch(time=more)]
    return _batches(time, memory)


def _is_worth_more_runs(result: Result) -> bool:
    wall = result.wall_seconds
    return wall.width > NOISY_FROM and wall.median < EXTENDED_SECONDS


def _batches(time: int, memory: int) -> list[Batch]:
    """Spread runs evenly over as few interpreters as may be: 5 are 3 and 2."""
    count = -(-max(time, memory) // RUNS_EACH)

    def share(runs: int, index: int) -> int:
        return runs // count + (index < runs % count)

    return [Batch(share(time, index), share(memory, index)) for index in range(count)]


def extended(result: Result, outcome: Outcome | Failure) -> Result:
    """Return a result with more runs, or with the reason why there are none."""
    result = replace(
        result,
        measured_at=now(),
        commit=provenance.commit(),
    )
    if isinstance(outcome, Failure):
        # Runs that went well before are no figures of a method that then failed.
        return replace(
            result,
            status=outcome.status,
            message=outcome.message,
            time_runs=(),
            memory_runs=(),
        )
    timed = (run for run in outcome.runs if isinstance(run, TimeRun))
    weighed = [run for run in outcome.runs if isinstance(run, MemoryRun)]
    memory_runs = [*result.memory_runs, *weighed]
    # Memory over time is kept of the last run alone.
    memory_runs[:-1] = [replace(run, series=Series()) for run in memory_runs[:-1]]
    return replace(
        result,
        time_runs=(*result.time_runs, *timed),
        memory_runs=tuple(memory_runs),
        returned=outcome.returned[-1] if outcome.returned else result.returned,
    )


def now() -> str:
    """Return the time as results hold it: ISO 8601, UTC."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def run_once(given: Order, limits: Limits = DEFAULT_LIMITS) -> Outcome | Failure:
    """Carry out one order, its runs one after the other, in a fresh interpreter.

    What the worker is given and answers goes through files without a name, and its keeper
    hangs on this process by a pipe: if this process is killed, neither a file nor a process
    stays.

    Parameters
    ----------
    given : Order
        From `order`.
    limits : Limits
        When the run is stopped.
    """
    killed_before = _kernel_kills()
    memory_limit = limits.bytes_now()
    full_order = {
        "weighed": given.weighed,
        "payload": given.payload,
        "time_limit": limits.seconds,
        "memory_limit": memory_limit,
    }
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as printed:
        start = starting.with_keeper if gauge.name() == gauge.NAME else starting.alone
        report = start(full_order, given.python, given.environment, answer, printed)
        printed.seek(0)
        lines = printed.read().decode(errors="replace").splitlines()[-_STDERR_LINES:]
    kept = report.get("keeper", {"code": 1, "ended": "", "left": 0})
    worked = report.get("worker", {})
    if kept["ended"] or "error" in worked or kept["code"] != 0 or not worked or kept["left"]:
        by_kernel = _kernel_kills() > killed_before
        return _failure(kept, worked, limits.seconds, memory_limit, lines, by_kernel=by_kernel)
    return _outcome(worked, kept)


def _failure(  # noqa: PLR0913 - all that can tell one end from another
    kept: dict[str, Any],
    worked: dict[str, Any],
    time_limit: float,
    memory_limit: int,
    printed: list[str],
    *,
    by_kernel: bool,
) -> Failure:
    """Tell the ends of a run apart, each with a sentence."""
    code = kept["code"]
    if kept["ended"] == "time":
        words = f"stopped after its time limit of {format_duration(time_limit)}"
        return Failure("over time", words)
    if kept["ended"] == "memory":
        words = f"stopped when it held more than its memory limit of {format_bytes(memory_limit)}"
        return Failure("over memory", words)
    if "error" in worked:
        return Failure("raised", f"raised {worked['error']}")
    if code == -signal.SIGKILL and by_kernel:
        return Failure("killed", "ended by the kernel, which had no memory left")
    if code != 0 or not worked:
        ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return Failure("crashed", " / ".join([f"its interpreter {ended}", *printed]))
    return Failure("left running", "left processes running when it was done; they were ended")


def _outcome(worked: dict[str, Any], kept: dict[str, Any]) -> Outcome:
    timed = [TimeRun(**run) for run in worked["timed"]]
    weighed = [MemoryRun.from_dict(run) for run in worked["weighed"] or kept["memory"]]
    returned = tuple(Returned.from_dict(entry) for entry in worked["returned"])
    return Outcome((*timed, *weighed), returned)


def parts(outcome: Outcome, batch: Batch, count: int) -> list[Outcome]:
    """Return what belongs to each of so many calls that were made in one interpreter."""
    timed = [run for run in outcome.runs if isinstance(run, TimeRun)]
    weighed = [run for run in outcome.runs if isinstance(run, MemoryRun)]
    return [
        Outcome(
            (
                *timed[index * batch.time : (index + 1) * batch.time],
                *weighed[index * batch.memory : (index + 1) * batch.memory],
            ),
            outcome.returned[index : index + 1],
        )
        for index in range(count)
    ]


def _kernel_kills() -> int:
    """Return how many processes the kernel has killed for want of memory."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
