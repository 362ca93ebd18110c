"""How the methods of a task are measured, and what a result still needs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import orders, runner
from .limits import KERNELS
from .stops import Limits
from .units import read_count

if TYPE_CHECKING:
    from .results import Result
    from .runs import Cache
    from .tasks import Method

#: Time runs of each method.
RUNS = 5


@dataclass(frozen=True)
class Plan:
    """How the methods of a task are measured.

    Attributes
    ----------
    runs : int
        Time runs of each method; by default the environment variable ``RUNS``, else 5.
    fresh : bool
        Whether to measure again what is stored; by default whether ``FRESH`` is set to 1.
    timed : bool
        Whether there are time runs; without, memory alone is measured.
    cache : {"warm", "cold"}
        Whether the file is dropped from the page cache before each run.
    limits : Limits
        When a run is stopped; by default the variables ``TIME_LIMIT`` and ``MEMORY_LIMIT``.
    scheduler : str
        Address of the Dask scheduler that methods use; by default they start workers here.
    """

    runs: int
    fresh: bool
    timed: bool
    cache: Cache
    limits: Limits
    scheduler: str = ""

    @classmethod
    def of(  # noqa: PLR0913 - all that a user can choose
        cls,
        *,
        runs: int | None,
        fresh: bool | None,
        timed: bool,
        cache: Cache,
        limits: Limits | None,
        scheduler: str = "",
    ) -> Plan:
        """Make a plan, the defaults taken from the environment."""
        return cls(
            runs=read_count("RUNS=", os.environ.get("RUNS") or str(RUNS))
            if runs is None
            else runs,
            fresh=os.environ.get("FRESH") == "1" if fresh is None else fresh,
            timed=timed,
            cache=cache,
            limits=Limits.chosen() if limits is None else limits,
            scheduler=scheduler,
        )

    def missing(self, method: Method, result: Result) -> list[orders.Batch]:
        """Return the runs that a result still needs; of a kernel the time alone counts."""
        if result.status != "ok":
            return []
        weighed = method.group != KERNELS
        return runner.missing(result, self.runs, timed=self.timed, weighed=weighed)
