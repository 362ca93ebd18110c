"""The raw runs of a method; medians, ranges and intervals are derived when asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from benchmarks.errors import AbsentError, FigureError
from benchmarks.gauge.readings import MemoryRun, Series, TimeRun
from benchmarks.tasks.agreement import Returned  # noqa: TC001 - cattrs reads the types of fields
from benchmarks.units import MINUTE_SECONDS

from .quantities import QUANTITIES
from .statistics import Sample

if TYPE_CHECKING:
    from benchmarks.tasks.task import Method

    from .dataset import Dataset

#: A result is noisy if the interval of its median time is wider than this fraction of it.
NOISY_FROM = 0.10

#: What disturbed a run is named if it took at least this fraction of its time.
DISTURBING_FROM = 0.05


class Word(str, Enum):
    """One of a few texts: the StrEnum of Python 3.11 and newer."""

    __str__ = str.__str__


class Status(Word):
    """Whether a method has figures, or why not."""

    OK = "ok"
    RAISED = "raised"
    CRASHED = "crashed"
    KILLED = "killed"
    OVER_TIME = "over time"
    OVER_MEMORY = "over memory"
    TOO_LARGE = "too large"  # predicted to need more memory than there is
    LEFT_RUNNING = "left running"
    DISAGREES = "disagrees"
    STAYS_WARM = "stays warm"  # the file cannot be dropped from the page cache

    def __repr__(self) -> str:  # notebooks show results
        return repr(self.value)


#: This machine cannot give the figures: the file, or the bounds of a run, were too much for the
#: method, or a file that is to be cold is always in memory.
NOT_HERE = (
    Status.TOO_LARGE,
    Status.OVER_MEMORY,
    Status.OVER_TIME,
    Status.KILLED,
    Status.STAYS_WARM,
)


@dataclass(frozen=True)
class Result:
    """All runs of one method on one file on one machine.

    Attributes
    ----------
    task, method : str
        Names: of the example, and of the function.
    source_sha256 : str
        Digest of the method's code, comments and docstrings left out.
    status : Status
        ``"ok"``, or why there are no figures.
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
        State of the page cache before each run that was asked for of all methods: ``"warm"`` or
        ``"cold"``. A method that is always to find a cold file has that in its digest.
    images : int
        How many images a call went through.
    least_seconds, least_bytes : float or None
        The least time and memory that this machine could need; not stored, but worked out
        from its rates when the result is looked up.
    """

    task: str
    method: str
    source_sha256: str = ""
    status: Status = Status.OK
    message: str = ""
    measured_at: str = ""
    commit: str = ""
    raw_bytes: int | None = None
    time_runs: tuple[TimeRun, ...] = ()
    memory_runs: tuple[MemoryRun, ...] = ()
    returned: Returned | None = field(default=None, repr=False)
    cache: str = "warm"
    images: int = 1
    least_seconds: float | None = None
    least_bytes: float | None = None

    @classmethod
    def begun(cls, task: str, method: Method, dataset: Dataset, cache: str = "warm") -> Result:
        """Return the result of a method without any run."""
        return cls(
            task=task,
            method=method.name,
            source_sha256=method.source_sha256,
            raw_bytes=dataset.raw_bytes,
            cache=cache,
            images=dataset.images,
        )

    @property
    def failed(self) -> bool:
        """Whether there are no figures."""
        return self.status != Status.OK

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
        return Sample(tuple(run.peak_bytes for run in self._sharp_runs))

    @property
    def _sharp_runs(self) -> tuple[MemoryRun, ...]:
        return tuple(run for run in self.memory_runs if run.is_sharp) or self.memory_runs

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
    def is_noisy(self) -> bool:
        """Whether the interval of the median time is wide; never so without time runs."""
        return bool(self.time_runs) and self.wall_seconds.width > NOISY_FROM

    @property
    def noise(self) -> str:
        """Why the time is noisy, or that no reason was seen; empty if it is not noisy."""
        if not self.is_noisy:
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
    def has_workers(self) -> bool:
        """Whether processes ran beside the first one."""
        return any(count > 1 for count in self.series.processes)

    @property
    def series(self) -> Series:
        """Memory over time of the last memory run; empty without one."""
        return self.memory_runs[-1].series if self.memory_runs else Series()

    @property
    def kept_bytes(self) -> Sample:
        """Kept, bytes."""
        return Sample(tuple(run.kept_bytes for run in self.memory_runs))

    @property
    def needed_bytes(self) -> Sample:
        """The peak without the mapped pages of files, which the kernel can take back, bytes."""
        return Sample(tuple(run.peak_bytes - run.shared_bytes for run in self._sharp_runs))

    @property
    def mapped_bytes(self) -> Sample:
        """The mapped pages of files that are part of the peak, bytes."""
        return Sample(tuple(run.shared_bytes for run in self._sharp_runs))

    @property
    def multiplier(self) -> Sample:
        """What is needed over the raw size; empty where there is no file or no run."""
        return self._of_raw(self.needed_bytes)

    @property
    def mapped_multiplier(self) -> Sample:
        """Mapped pages of files over the raw size; empty where there is no file or no run."""
        return self._of_raw(self.mapped_bytes)

    def _of_raw(self, sample: Sample) -> Sample:
        raw = self.raw_bytes
        return Sample(tuple(value / raw for value in sample.values) if raw else ())

    @property
    def times_least(self) -> Sample:
        """Wall time over the least time; empty where that is not known."""
        least = self.least_seconds
        return Sample(tuple(v / least for v in self.wall_seconds.values) if least else ())

    @property
    def value(self) -> Sample:
        """What was returned, if that is a number or a truth value; no unit."""
        return Sample(self.returned.sample[:1] if self.returned and self.returned.text else ())

    @property
    def observed(self) -> str:
        """What was returned, or what an array is; raises FigureError if there are no figures."""
        self._refuse_failed()
        if self.returned is None:
            raise FigureError("There is no value: no run of this method has finished.")
        array = f"{self.returned.dtype} array of shape {self.returned.shape}"
        return self.returned.text or (array if self.returned.dtype else self.returned.kind)

    def _refuse_failed(self) -> None:
        if self.failed:
            error = AbsentError if self.status in NOT_HERE else FigureError
            raise error(f"{self.task}.{self.method} has no figures: {self.message}")

    def quantity(self, name: str) -> Sample:
        """Return one of `QUANTITIES` by its name; raises FigureError if it has no figures."""
        if name not in QUANTITIES:
            known = ", ".join(QUANTITIES)
            raise FigureError(f"There is no quantity {name!r}; there are: {known}.")
        self._refuse_failed()
        sample: Sample = getattr(self, QUANTITIES[name].field)
        return sample

    def note(self) -> str:
        """Return the figures in one line, for logs."""
        if self.failed:
            return self.message
        parts = [
            f"{QUANTITIES[name].heading} {QUANTITIES[name].write(self.quantity(name).median)}"
            for name in ("time", "peak")
            if self.quantity(name).values
        ]
        return ", ".join(parts)
