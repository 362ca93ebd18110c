"""Start workers and gather their runs."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import pickle
import signal
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cloudpickle
import psutil

from . import gauge, provenance, starting
from .errors import MethodError
from .results import NOISY_FROM, Result
from .runs import MemoryRun, Returned, Series, TimeRun
from .units import format_bytes, format_duration

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal["time", "memory"]
Cache = Literal["warm", "cold"]

#: Peaks repeat to a fraction of a MiB, so that more memory runs than this say nothing new.
MEMORY_RUNS = 3

#: If the bounds of a peak are not sharp, so many more runs may be tried.
BLURRED_RUNS = 2

#: Time runs are added to a noisy result up to this number. From nine values on, the interval
#: of the median leaves out the least and the largest, so that one outlier does not matter.
MOST_TIME_RUNS = 9

_STDERR_LINES = 3
_LISTS = ("shape", "sums", "sample", "affine")


@dataclass(frozen=True)
class Limits:
    """When a run is stopped.

    Attributes
    ----------
    seconds : float
        From the start of the worker, import and warm-up call included.
    memory_bytes : int or None
        Memory of its process tree; None for 90 % of what is available at the start. It is
        held in memory runs alone, which come first: nothing watches memory in a time run.
    """

    seconds: float = 900.0
    memory_bytes: int | None = None

    def bytes_now(self) -> int:
        """Return the memory limit of a run that starts now."""
        return self.memory_bytes or round(0.9 * psutil.virtual_memory().available)


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Failure:
    """Why a run gave no figures: a word for tables, and a sentence."""

    status: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """What one run gave."""

    run: TimeRun | MemoryRun
    returned: Returned | None = None


@dataclass(frozen=True)
class Order:
    """One run to carry out."""

    kind: Kind
    payload: bytes


def measure(
    function: Callable[..., Any],
    /,
    *args: Any,
    runs: int = 5,
    cache: Cache = "warm",
    limits: Limits = DEFAULT_LIMITS,
    **kwargs: Any,
) -> Result:
    """Measure one call of any function, each run in a fresh interpreter.

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
    while result.status == "ok" and (kinds := missing(result, runs)):
        given = order(kinds[0], function, *args, cache=cache, **kwargs)
        result = extended(result, run_once(given, limits))
    return result


def missing(result: Result, runs: int) -> list[Kind]:
    """Return the kinds of the runs that a result still needs, in their order.

    Memory first: it also tells what the method returns, and so whether methods agree.

    Raises
    ------
    MethodError
        ``runs`` is less than 1.
    """
    if runs < 1:
        raise MethodError(f"runs is {runs}; there must be at least 1.")
    sharp = sum(run.is_sharp for run in result.memory_runs)
    enough = min(runs, MEMORY_RUNS)
    memory = max(0, min(enough - sharp, enough + BLURRED_RUNS - len(result.memory_runs)))
    time = max(0, runs - len(result.time_runs))
    if time == 0 and runs > 1 and result.wall_seconds.width > NOISY_FROM:
        time = int(len(result.time_runs) < MOST_TIME_RUNS)
    wanted: tuple[tuple[Kind, int], ...] = (("memory", memory), ("time", time))
    rounds = max(memory, time)
    return [kind for index in range(rounds) for kind, count in wanted if index < count]


def extended(result: Result, outcome: Outcome | Failure) -> Result:
    """Return a result with one more run, or with the reason why there is none."""
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
    if isinstance(outcome.run, TimeRun):
        return replace(result, time_runs=(*result.time_runs, outcome.run))
    earlier = tuple(replace(run, series=Series()) for run in result.memory_runs)
    return replace(result, memory_runs=(*earlier, outcome.run), returned=outcome.returned)


def now() -> str:
    """Return the time as results hold it: ISO 8601, UTC."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def order(
    kind: Kind, function: Callable[..., Any], /, *args: Any, cache: Cache = "warm", **kwargs: Any
) -> Order:
    """Pickle what a worker is to do.

    Raises
    ------
    MethodError
        Something of it cannot be pickled.
    """
    given = [*args, *kwargs.values()] if cache == "cold" else []
    paths = [os.fspath(value) for value in given if isinstance(value, (str, os.PathLike))]
    cold = [path for path in paths if Path(path).is_file()]
    try:
        return Order(kind, cloudpickle.dumps((kind, function, args, kwargs, cold)))
    except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
        name = getattr(function, "__name__", repr(function))
        raise MethodError(
            f"{name} cannot be sent to a fresh interpreter: {error}. Open files, locks and "
            "connections cannot travel; make them inside the function."
        ) from error


def run_once(given: Order, limits: Limits = DEFAULT_LIMITS) -> Outcome | Failure:
    """Carry out one order in a fresh interpreter.

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
        "kind": given.kind,
        "payload": given.payload,
        "time_limit": limits.seconds,
        "memory_limit": memory_limit,
    }
    # Methods of an importable module are sent by its name.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as printed:
        start = starting.with_keeper if gauge.name() == gauge.NAME else starting.alone
        report = start(full_order, environment, answer, printed)
        printed.seek(0)
        lines = printed.read().decode(errors="replace").splitlines()[-_STDERR_LINES:]
    kept = report.get("keeper", {"code": 1, "ended": "", "left": 0})
    worked = report.get("worker", {})
    if kept["ended"] or "error" in worked or kept["code"] != 0 or not worked or kept["left"]:
        by_kernel = _kernel_kills() > killed_before
        return _failure(kept, worked, limits.seconds, memory_limit, lines, by_kernel=by_kernel)
    return _outcome(given.kind, worked, kept)


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


def _outcome(kind: Kind, worked: dict[str, Any], kept: dict[str, Any]) -> Outcome:
    if kind == "time":
        return Outcome(TimeRun(**worked["run"]))
    read = worked.get("run") or kept["memory"]
    series = Series(**{name: tuple(values) for name, values in read.pop("series", {}).items()})
    returned = worked["returned"]
    returned |= {name: tuple(returned[name]) for name in _LISTS}
    return Outcome(MemoryRun(**read | {"series": series}), Returned(**returned))


def _kernel_kills() -> int:
    """Return how many processes the kernel has killed for want of memory."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
