"""Raw runs and what follows from them.

Only what was read from the clock and the gauge is kept; medians, ranges and ratios are
derived when they are asked for, so that a better statistic needs no new measurement.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import FigureError
from .units import MIB, format_bytes, format_ratio, format_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

#: Memory is counted in pages of 4 KiB and the kernel's counters lag by some of them, so a
#: peak below this cannot be told from nothing. Ratios take it as the smallest amount.
SMALLEST_BYTES = 0.1 * MIB


@dataclass(frozen=True)
class Data:
    """The fMRI file that was measured on, as far as figures depend on it.

    Attributes
    ----------
    name : str
        File name, without its folder.
    shape : tuple of int
        Number of voxels along x, y, z, and of volumes.
    dtype : str
        Type of a voxel on disk, for example ``"int16"``.
    scaled : bool
        Whether the header asks for values to be multiplied or shifted when read.
    compression : str
        ``"none"``, or the ending of the compressed file: ``"gz"``, ``"bz2"``, ``"zst"``.
    raw_bytes : int
        Number of voxels x bytes per voxel on disk, uncompressed.
    file_bytes : int
        Size of the file on disk.
    sha256 : str
        Digest of the file's bytes.
    reason : str
        Why this file was taken, as a sentence.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scaled: bool
    compression: str
    raw_bytes: int
    file_bytes: int
    sha256: str
    reason: str


@dataclass(frozen=True)
class TimeRun:
    """One execution under the clock, in a fresh interpreter, nothing watching memory.

    Attributes
    ----------
    wall_seconds : float
        From just before the call to just after it, before the return value is looked at.
    cpu_seconds : float
        CPU time of the worker process, all threads.
    children_cpu_seconds : float
        CPU time of processes that the call started and that ended during it.
    """

    wall_seconds: float
    cpu_seconds: float
    children_cpu_seconds: float


@dataclass(frozen=True)
class MemoryRun:
    """One execution under the memory gauge, in a fresh interpreter.

    Attributes
    ----------
    peak_bytes : int
        Highest resident memory during the call minus ``baseline_bytes``.
    kept_bytes : int
        Resident memory while the return value is alive minus ``baseline_bytes``.
    baseline_bytes : int
        Resident memory just before the call: imports and a warm-up call done.
    """

    peak_bytes: int
    kept_bytes: int
    baseline_bytes: int


@dataclass(frozen=True)
class Returned:
    """What a method returned, reduced to what two methods can be compared by.

    Attributes
    ----------
    kind : str
        ``"array"`` for images and arrays, else the name of the type.
    shape : tuple of int
        Shape of the array; empty for anything else.
    dtype : str
        Type of the values as an array holds them; empty for anything else.
    sums : tuple of float
        Sum of the values, and sum of their squares, in float64, NaN taken as 0.
    sample : tuple of float
        Values at evenly spread voxels, in C order of their flat index.
    affine : tuple of float
        The 16 values of an image's affine, in mm; empty for an array.
    """

    kind: str
    shape: tuple[int, ...] = ()
    dtype: str = ""
    sums: tuple[float, ...] = ()
    sample: tuple[float, ...] = ()
    affine: tuple[float, ...] = ()


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
        """Middle value; raises FigureError without runs."""
        return statistics.median(self._seen())

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
        ``"ok"``, or why there are no figures: ``"raised"``, ``"crashed"``, ``"stopped"``.
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
        """Peak, bytes."""
        return Sample(tuple(run.peak_bytes for run in self.memory_runs))

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
        if self.status != "ok":
            raise FigureError(f"{self.task}.{self.method} has no figures: {self.message}")
        if name == "multiplier":
            return Sample(
                tuple(peak / self.raw_bytes for peak in self.peak_bytes.values)
                if self.raw_bytes
                else ()
            )
        sample: Sample = getattr(self, QUANTITIES[name].field)
        return sample


@dataclass(frozen=True)
class Quantity:
    """What the faces need to know of one quantity.

    Attributes
    ----------
    heading : str
        Its name in tables and plots.
    field : str
        The attribute of `Result` that holds it.
    write : callable
        Writes a value with its unit.
    smallest : float
        The smallest amount that means anything; ratios take nothing as less.
    drawn_in : float
        The unit of plots, so that their ticks are round numbers.
    """

    heading: str
    field: str
    write: Callable[[float], str]
    smallest: float
    drawn_in: float = 1.0


QUANTITIES = {
    "time": Quantity("time", "wall_seconds", format_seconds, 1e-7),
    "cpu": Quantity("CPU time", "cpu_seconds", format_seconds, 1e-7),
    "peak": Quantity("peak", "peak_bytes", format_bytes, SMALLEST_BYTES, MIB),
    "kept": Quantity("kept", "kept_bytes", format_bytes, SMALLEST_BYTES, MIB),
    "multiplier": Quantity("multiplier", "multiplier", format_ratio, 1e-3),
}
