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
from .order import Assignment
from .schedule import DEFAULT_BOUNDS, Bounds

if TYPE_CHECKING:
    from .launch import Prepared

_STDERR_LINES = 3


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


def extended(result: Result, outcome: Outcome | Failure) -> Result:
    """Return a result with more runs, or with the reason why there are none."""
    now = dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")
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


def carry_out(prepared: Prepared, bounds: Bounds = DEFAULT_BOUNDS) -> Outcome | Failure:
    """Carry out an order in a process of its own; a kill of this one leaves no file or process."""
    killed_before = _kernel_kills()
    assignment = Assignment(
        prepared.origin,
        prepared.fresh,
        prepared.weighed,
        bounds.seconds,
        bounds.bytes_now(),
        tempfile.gettempdir(),
    )
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as printed:
        start = launch.with_keeper if peak.name() == peak.NAME else launch.alone
        report = start(assignment, prepared, answer, printed)
        printed.seek(0)
        lines = printed.read().decode(errors="replace").splitlines()[-_STDERR_LINES:]
    if "keeper" not in report:
        room = f"see whether there is room in {tempfile.gettempdir()}"
        return Failure(Status.CRASHED, f"the process that watched it ended; {room}")
    ending = report["keeper"]
    worked = report.get("worker", {})
    by_kernel = _kernel_kills() > killed_before
    failure = _failure(ending, worked, assignment, lines, by_kernel=by_kernel)
    return failure or _outcome(worked, ending)


def _failure(  # noqa: PLR0911 - one way out for each end
    ending: dict[str, Any],
    worked: dict[str, Any],
    assignment: Assignment,
    printed: list[str],
    *,
    by_kernel: bool,
) -> Failure | None:
    """Tell the ends of an interpreter apart, each with a sentence; None if all went well."""
    code = ending["code"]
    if ending["ended"] == "time":
        bound = format_duration(assignment.most_seconds)
        return Failure(Status.OVER_TIME, f"stopped after its time limit of {bound}")
    if ending["ended"] == "memory":
        bound = format_bytes(assignment.most_bytes)
        words = f"stopped when it held more than its memory limit of {bound}"
        return Failure(Status.OVER_MEMORY, words)
    if "warm" in worked:
        return Failure(Status.STAYS_WARM, worked["warm"])
    if "error" in worked:
        return Failure(Status.RAISED, f"raised {worked['error']}")
    if code == -signal.SIGKILL and by_kernel:
        return Failure(Status.KILLED, "ended by the kernel, which had no memory left")
    if code != 0 or not worked:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return Failure(Status.CRASHED, " / ".join([f"its interpreter {how}", *printed]))
    if ending["left"]:
        words = "left processes running when it was done; they were ended"
        return Failure(Status.LEFT_RUNNING, words)
    return None


def _outcome(worked: dict[str, Any], ending: dict[str, Any]) -> Outcome:
    timed = CONVERTER.structure(worked["timed"], list[TimeRun])
    weighed = CONVERTER.structure(worked["weighed"] or ending["memory"], list[MemoryRun])
    returned = CONVERTER.structure(worked["returned"], tuple[Returned, ...])
    return Outcome((*timed, *weighed), returned)


def _kernel_kills() -> int:
    """Return how many processes the kernel has killed for want of memory."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
