"""How often methods are measured, what a result still needs, and when a run is stopped."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.errors import MethodError
from benchmarks.gauge import machine
from benchmarks.results.result import NOT_HERE, Status
from benchmarks.units import read_bytes, read_count, read_seconds

from .order import Batch

if TYPE_CHECKING:
    from benchmarks.results.result import Result
    from benchmarks.tasks.task import Cache, Method

#: Time runs of each method.
RUNS = 5

#: Peaks repeat to a fraction of a MiB, so that more memory runs than this say nothing new. Two
#: are enough for one process if their bounds overlap: of 97 methods of the chapter for which they
#: did, the third lay within them for all but four, and these had workers.
MEMORY_RUNS = 3
AGREEING_RUNS = 2

#: Workers that are started in a run take seconds, and as much memory each time; and what is read
#: from the disk needs the same memory as from the page cache.
COLD_MEMORY_RUNS = 1

#: So many more runs may be tried if fewer than `AGREEING_RUNS` have sharp bounds. One that is
#: blurred among them says too little for workers to be started once more.
BLURRED_RUNS = 2

#: Time runs are added to a noisy result up to this number. From nine values on, the interval
#: of the median leaves out the least and the largest, so that one outlier does not matter.
MOST_TIME_RUNS = 9

#: Only to calls shorter than this, s: more runs of the others would cost minutes.
EXTENDED_SECONDS = 0.1

#: So many runs of each kind follow one another in an interpreter at most, after a warm-up call.
RUNS_EACH = 3

#: The runs of a method are spread over so many templates: how memory happens to be laid out in
#: one of them is a bias of its own (Mytkowicz et al. 2009, doi:10.1145/1508284.1508275). Workers
#: lay out theirs anew each time: the runs that are left after the first then share a template, and
#: those of a method that starts its workers anew for each run share an interpreter.
LAYOUTS = 3


def asked_again() -> bool:
    """Tell whether a user asked for all to be measured again (``FRESH=1``)."""
    return os.environ.get("FRESH") == "1"


@dataclass(frozen=True)
class Bounds:
    """When a run is stopped.

    Attributes
    ----------
    seconds : float
        From the start of the worker, import and warm-up call included.
    memory_bytes : int or None
        Memory of its process tree; None for what is usable at the start. It is
        held in memory runs and in the warm-up call before them, which comes first: nothing
        watches memory in a time run.
    """

    seconds: float = 900.0
    memory_bytes: int | None = None

    @classmethod
    def chosen(cls, seconds: str | None = None, memory: str | None = None) -> Bounds:
        """Read bounds, by default ``TIME_LIMIT`` and ``MEMORY_LIMIT``; may raise UnitError."""
        seconds = seconds or os.environ.get("TIME_LIMIT")
        memory = memory or os.environ.get("MEMORY_LIMIT")
        return cls(
            read_seconds(seconds) if seconds else cls.seconds,
            read_bytes(memory) if memory else None,
        )

    def bytes_now(self) -> int:
        """Return the bound of memory of a run that starts now."""
        return self.memory_bytes or machine.usable_bytes()


DEFAULT_BOUNDS = Bounds()


@dataclass(frozen=True)
class Plan:
    """How the methods of a task are measured."""

    #: Time runs of each method; by default the environment variable ``RUNS``, else 5.
    runs: int
    #: Whether to measure again what is stored; by default as `asked_again` tells.
    again: bool
    #: Whether there are time runs; without, memory alone is measured.
    timed: bool
    #: Whether the file is dropped from the page cache before each run.
    cache: Cache
    #: When a run is stopped; by default the variables ``TIME_LIMIT`` and ``MEMORY_LIMIT``.
    bounds: Bounds
    #: Address of the Dask scheduler that methods use; by default they start workers here.
    scheduler: str = ""

    @classmethod
    def of(  # noqa: PLR0913 - all that a user can choose
        cls,
        *,
        runs: int | None = None,
        again: bool | None = None,
        timed: bool = True,
        cache: Cache = "warm",
        bounds: Bounds | None = None,
        scheduler: str = "",
    ) -> Plan:
        """Make a plan, the defaults taken from the environment."""
        if runs is None:
            runs = read_count("RUNS=", os.environ.get("RUNS") or str(RUNS))
        return cls(
            runs=runs,
            again=asked_again() if again is None else again,
            timed=timed,
            cache=cache,
            bounds=Bounds.chosen() if bounds is None else bounds,
            scheduler=scheduler,
        )

    def missing(self, method: Method, result: Result) -> list[Batch]:
        """Return the runs that a result still needs; none if it failed."""
        if result.failed:
            return []
        is_cold = method.cold_workers or method.cache == "cold"
        return missing(
            result,
            self.runs,
            timed=self.timed,
            weighed=method.weighed,
            memory=COLD_MEMORY_RUNS if is_cold else MEMORY_RUNS,
            together=method.cold_workers,
        )


def missing(  # noqa: PLR0913 - all that methods differ in
    result: Result,
    runs: int,
    *,
    timed: bool = True,
    weighed: bool = True,
    memory: int = MEMORY_RUNS,
    together: bool = False,
) -> list[Batch]:
    """Return what a result still needs, an interpreter each, or all runs in one.

    Raises MethodError if runs < 1.
    """
    if runs < 1:
        raise MethodError(f"runs is {runs}; there must be at least 1.")
    sharp = sum(run.is_sharp for run in result.memory_runs)
    enough = min(runs, memory)
    unsure = min(enough, AGREEING_RUNS) - sharp
    left = enough - len(result.memory_runs)
    still = max(left, min(unsure, left + BLURRED_RUNS), 0)
    weigh = still if weighed and not _agree(result) else 0
    time = max(0, runs - len(result.time_runs)) if timed else 0
    more = MOST_TIME_RUNS - len(result.time_runs)
    if timed and not weigh + time and runs > 1 and more > 0 and _is_worth_more_runs(result):
        return [Batch(time=more)]
    each = runs if together else RUNS_EACH if result.has_workers else 0
    return _batches((time, each or _each(runs)), (weigh, each or _each(enough)))


def is_final(result: Result) -> bool:
    """Tell whether a stored result is not tried again: it has figures, or stays without."""
    return not result.failed or result.status == Status.STAYS_WARM


def may_be_chance(result: Result) -> bool:
    """Tell whether a method failed for want of memory or time, which may be there another day."""
    return result.status in NOT_HERE


def _is_worth_more_runs(result: Result) -> bool:
    return result.is_noisy and result.wall_seconds.median < EXTENDED_SECONDS


def _agree(result: Result) -> bool:
    """Tell whether peaks of one process say the same, so that another will."""
    runs = result.memory_runs
    if len(runs) < AGREEING_RUNS or result.has_workers or not all(run.is_sharp for run in runs):
        return False
    return max(run.low_bytes for run in runs) <= min(run.high_bytes for run in runs)


def _each(runs: int) -> int:
    """Return how many of all runs of a kind an interpreter makes: a part for each template."""
    return min(RUNS_EACH, -(-runs // LAYOUTS))


def _batches(time: tuple[int, int], memory: tuple[int, int]) -> list[Batch]:
    """Spread runs, given as how many are left and how many an interpreter makes: 5 as 2, 2, 1."""
    count = max(-(-left // each) for left, each in (time, memory))

    def share(left: int, index: int) -> int:
        return left // count + (index < left % count)

    # Counted down: those that are left once some are there come from the templates planned.
    return [
        Batch(share(time[0], index), share(memory[0], index), (count - index) % LAYOUTS)
        for index in range(count)
    ]
