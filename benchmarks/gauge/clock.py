"""Time a call: wall clock, CPU of the process tree, and what disturbed it."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import procfs
from .readings import TimeRun

if TYPE_CHECKING:
    from collections.abc import Callable

#: A call shorter than this is repeated ...
SHORT_SECONDS = 0.005
#: ... until all calls together take this long, ...
REPEATED_SECONDS = 0.05
#: ... but at most so often.
MOST_CALLS = 1000

_NANOSECONDS = 1e-9
#: The clock and a call cost some 100 ns, the least of so many empty ones: taken off calls that
#: are repeated, and less than 0.01 % of the others.
_EMPTY_CALLS = 200


def timed(call: Callable[[], Any], *, once: bool = False) -> TimeRun:
    """Run a call under the clock; nothing watches memory.

    Parameters
    ----------
    call : callable
        Without arguments.
    once : bool
        Whether a short call must not be repeated, since the first changes the second.

    Returns
    -------
    TimeRun
        Averaged over the calls.
    """
    first = _measured(call, 1, 0.0)
    if once or first.wall_seconds >= SHORT_SECONDS:
        return first
    wanted = math.ceil(REPEATED_SECONDS / max(first.wall_seconds, _NANOSECONDS))
    empty = min(_timed_once(lambda: None)[0] for _ in range(_EMPTY_CALLS)) * _NANOSECONDS
    return _measured(call, min(wanted, MOST_CALLS), empty)


def _timed_once(call: Callable[[], Any]) -> tuple[int, int]:
    """Return wall and CPU time of one call in ns; its value is freed after the clock."""
    cpu = time.process_time_ns()
    start = time.perf_counter_ns()
    returned = call()
    end = time.perf_counter_ns()
    cpu_end = time.process_time_ns()
    del returned
    return end - start, cpu_end - cpu


def _measured(call: Callable[[], Any], calls: int, empty_seconds: float) -> TimeRun:
    children, disturbed = ChildrenClock(), _disturbances()
    times = [_timed_once(call) for _ in range(calls)]
    children_seconds = children.seconds()
    waited, stolen, faults = (
        after - before for before, after in zip(disturbed, _disturbances(), strict=True)
    )
    wall, cpu = (sum(column) * _NANOSECONDS / calls for column in zip(*times, strict=True))
    return TimeRun(
        wall_seconds=max(wall - empty_seconds, _NANOSECONDS),
        cpu_seconds=max(cpu - empty_seconds, 0.0),
        children_cpu_seconds=children_seconds / calls,
        calls=calls,
        waited_seconds=waited / calls,
        stolen_seconds=stolen / calls,
        major_faults=round(faults),
    )


class ChildrenClock:
    """CPU time of the processes below this one since it was made, living or waited for."""

    def __init__(self) -> None:
        self._living = self._clocks()
        self._reaped = self._of_reaped()

    def seconds(self) -> float:
        """CPU seconds since this was made."""
        living = self._clocks()
        # A child that was reaped since then brought along what it had used before.
        before = sum(used for pid, used in self._living.items() if pid not in living)
        grown = sum(used - self._living.get(pid, 0.0) for pid, used in living.items())
        return max(0.0, grown + self._of_reaped() - self._reaped - before)

    @staticmethod
    def _clocks() -> dict[int, float]:
        return {pid: procfs.cpu_seconds(pid) for pid in procfs.descendants(os.getpid())}

    @staticmethod
    def _of_reaped() -> float:
        times = os.times()
        return times.children_user + times.children_system


def _disturbances() -> tuple[float, float, float]:
    """Return seconds waited for a processor, seconds stolen by the host, and major faults."""
    waited = stolen = faults = 0.0
    try:
        waited = int(Path("/proc/self/schedstat").read_text().split()[1]) * _NANOSECONDS
        with Path("/proc/stat").open() as file:
            stolen = int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")
        # Behind the name, which may hold anything: field 12 of proc(5), counted from 1.
        faults = float(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[9])
    except (OSError, IndexError, ValueError):  # other systems, and kernels without schedstat
        return waited, stolen, faults
    return waited, stolen, faults
