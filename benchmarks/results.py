"""The result of a method: its raw runs, and the statistics that follow from them.

Medians, ranges and intervals are derived when they are asked for, so that a better statistic
needs no new measurement.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

from .errors import AbsentError, FigureError
from .quantities import QUANTITIES
from .runs import MemoryRun, Returned, Series, TimeRun
from .units import MINUTE_SECONDS

#: Of the interval of a median.
CONFIDENCE = 0.95

#: A result is noisy if the interval of its median time is wider than this fraction of it.
NOISY_FROM = 0.10

#: Status of a method that was predicted to need more memory than there is.
TOO_LARGE = "too large"

#: Statuses of methods that the file, or the limits, are too much for.
STOPPED = (TOO_LARGE, "over memory", "over time", "killed")

#: What disturbed a run is named if it took at least this fraction of its time.
DISTURBING_FROM = 0.05


@dataclass(frozen=True)
class Sample:
    """The values of one quantity over runs.

    Attributes
    ----------
    values : tuple of float
        One value a run, in the order of the runs.
    """

    values: tuple[float, ...]

    def _seen(self) -> tuple[float, ...]:
        if not self.values:
            raise FigureError("There is no value: no run of this method has finished.")
        return self.values

    @property
    def median(self) -> float:
        """Middle value, of an even number the upper one: a value that was read in a run.

        Raises
        ------
        FigureError
            There is no value.
        """
        return statistics.median_high(self._seen())

    @property
    def interval(self) -> tuple[float, float]:
        """Interval that holds the true median with a probability of 95 %.

        It assumes nothing of the distribution: the number of values below the true median
        is binomial (Conover, Practical Nonparametric Statistics, chapter 3.2). Fewer than
        six values cannot reach 95 %; then it is their range.

        Raises
        ------
        FigureError
            There is no value.
        """
        ordered = sorted(self._seen())
        count = len(ordered)
        tail, outside = 0.0, 0
        for below in range(count // 2):
            tail += 2 * math.comb(count, below) / 2**count
            if tail > 1 - CONFIDENCE:
                break
            outside = below
        return ordered[outside], ordered[-1 - outside]

    @property
    def width(self) -> float:
        """Width of `interval` as a fraction of the median; 0 where all values are 0."""
        low, high = self.interval
        return (high - low) / self.median if high > low else 0.0

    @property
    def low(self) -> float:
        """Least value; raises FigureError without runs."""
        return min(self._seen())

    @property
    def high(self) -> float:
        """Largest value; raises FigureError without runs."""
        return max(self._seen())


@dataclass(frozen=True)
class Result:
    """All runs of one method on one file on one machine.

    Attributes
    ----------
    task, method : str
        Names: of the example, and of the function.
    source_sha256 : str
        Digest of the method's code, comments and docstrings left out.
    status : str
        ``"ok"``, or why there are no figures: one of `STOPPED`, ``"raised"``, ``"crashed"``,
        ``"left running"``.
    message : str
        With another status than ``"ok"``: a sentence for the reader.
    measured_at : str
        When the last run ended (ISO 8601, UTC).
    commit : str
        Commit of the project at that time, with ``+`` where the tree had changes.
    raw_bytes : int or None
        Raw size of the file measured on: voxels x bytes per voxel on disk, uncompressed.
    time_runs, memory_runs : tuple
        The runs, oldest first.
    returned : Returned or None
        What the method returned, for checking that methods agree.
    cache : str
        State of the page cache before each run: ``"warm"``.
    images : int
        How many images a call went through.
    limit_seconds, limit_bytes : float or None
        The least time and memory that this machine could need; not stored, but worked out
        from its rates when the result is looked up.
    """

    task: str
    method: str
    source_sha256: str = ""
    status: str = "ok"
    message: str = ""
    measured_at: str = ""
    commit: str = ""
    raw_bytes: int | None = None
    time_runs: tuple[TimeRun, ...] = ()
    memory_runs: tuple[MemoryRun, ...] = ()
    returned: Returned | None = field(default=None, repr=False)
    cache: str = "warm"
    images: int = 1
    limit_seconds: float | None = None
    limit_bytes: float | None = None

    @property
    def wall_seconds(self) -> Sample:
        """Wall time of the call, s."""
        return Sample(tuple(run.wall_seconds for run in self.time_runs))

    @property
    def cpu_seconds(self) -> Sample:
        """CPU time of the call, the processes it started included, s."""
        return Sample(tuple(run.cpu_seconds + run.children_cpu_seconds for run in self.time_runs))

    @property
    def peak_bytes(self) -> Sample:
        """Peak, bytes: of the runs with sharp bounds, where there are any."""
        sharp = [run for run in self.memory_runs if run.is_sharp]
        return Sample(tuple(run.peak_bytes for run in sharp or self.memory_runs))

    @property
    def whole_bytes(self) -> Sample:
        """All memory at the peak, also what the processes held before the call, bytes."""
        return Sample(tuple(run.baseline_bytes + run.peak_bytes for run in self.memory_runs))

    @property
    def images_per_minute(self) -> Sample:
        """Images in a minute; empty where a call is about one image."""
        seconds = self.wall_seconds.values if self.images > 1 else ()
        return Sample(tuple(self.images * MINUTE_SECONDS / value for value in seconds))

    @property
    def peak_run(self) -> MemoryRun:
        """The run whose peak is the median; raises FigureError without runs."""
        median = self.peak_bytes.median
        return next(run for run in self.memory_runs if run.peak_bytes == median)

    @property
    def noise(self) -> str:
        """Why the time is noisy, or that no reason was seen; empty if it is not noisy."""
        if not self.time_runs or self.wall_seconds.width <= NOISY_FROM:
            return ""
        total = sum(run.wall_seconds for run in self.time_runs)
        reasons = [
            words
            for words, seconds in (
                ("other work had the processor", sum(r.waited_seconds for r in self.time_runs)),
                ("the host took the processor", sum(r.stolen_seconds for r in self.time_runs)),
            )
            if seconds >= DISTURBING_FROM * total
        ]
        if any(run.major_faults for run in self.time_runs):
            reasons.append("pages were read from disk")
        return " and ".join(reasons) or "no reason was seen"

    @property
    def series(self) -> Series:
        """Memory over time of the last memory run; empty without one."""
        return self.memory_runs[-1].series if self.memory_runs else Series()

    @property
    def kept_bytes(self) -> Sample:
        """Kept, bytes."""
        return Sample(tuple(run.kept_bytes for run in self.memory_runs))

    @property
    def multiplier(self) -> float | None:
        """Median peak over raw size; None where there is no file or no run."""
        if not self.raw_bytes or not self.memory_runs:
            return None
        return self.peak_bytes.median / self.raw_bytes

    @property
    def times_limit(self) -> Sample:
        """Wall time over the least time; empty where there is no limit."""
        least = self.limit_seconds
        return Sample(tuple(v / least for v in self.wall_seconds.values) if least else ())

    @property
    def value(self) -> Sample:
        """What was returned, if that is a number or a truth value; no unit."""
        return Sample(self.returned.sample[:1] if self.returned and self.returned.text else ())

    @property
    def observed(self) -> str:
        """What was returned as Python writes it, or what an array is.

        Raises
        ------
        FigureError
            The method has no figures, and why.
        """
        self._refuse_failed()
        if self.returned is None:
            raise FigureError("There is no value: no run of this method has finished.")
        text = f"{self.returned.dtype} array of shape {self.returned.shape}"
        return self.returned.text or text

    def _refuse_failed(self) -> None:
        if self.status != "ok":
            error = AbsentError if self.status in STOPPED else FigureError
            raise error(f"{self.task}.{self.method} has no figures: {self.message}")

    def quantity(self, name: str) -> Sample:
        """Return one of `QUANTITIES` by its name.

        Raises
        ------
        FigureError
            There is no such quantity, or the method has no figures, and why.
        """
        if name not in QUANTITIES:
            known = ", ".join(QUANTITIES)
            raise FigureError(f"There is no quantity {name!r}; there are: {known}.")
        self._refuse_failed()
        if name == "multiplier":
            return Sample(
                tuple(peak / self.raw_bytes for peak in self.peak_bytes.values)
                if self.raw_bytes
                else ()
            )
        sample: Sample = getattr(self, QUANTITIES[name].field)
        return sample
