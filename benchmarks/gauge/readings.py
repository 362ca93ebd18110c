"""What is read in one run: raw values, nothing derived."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.units import MIB

#: Memory is counted in pages of 4 KiB and the kernel's counters lag by some of them, so a
#: peak below this cannot be told from nothing. Ratios take it as the smallest amount.
SMALLEST_BYTES = 0.1 * MIB

#: What memory consists of, as readers see it.
PARTS = ("private", "mapped files", "/dev/shm")  # noqa: S108 - no temporary folder, but memory


@dataclass(frozen=True)
class TimeRun:
    """One execution under the clock, nothing watching memory."""

    #: From just before the call to just after it, before the return value is looked at.
    wall_seconds: float
    #: CPU time of the worker process, all threads.
    cpu_seconds: float
    #: CPU time of the processes below it, living or ended.
    children_cpu_seconds: float
    #: Over how many calls in the same process the three are averaged: a call too short for the
    #: clock is repeated.
    calls: int = 1
    #: How long the main thread was ready and had no processor, a call.
    waited_seconds: float = 0.0
    #: Time that the host of a virtual machine took from it, all cores, a call.
    stolen_seconds: float = 0.0
    #: Pages that had to be read from a disk during all calls.
    major_faults: int = 0


@dataclass(frozen=True)
class Series:
    """Memory of the process tree over time, above the baseline, each page counted once."""

    #: Time since the call began.
    seconds: tuple[float, ...] = ()
    #: Anonymous memory; spikes between two readings are counted here.
    private_bytes: tuple[int, ...] = ()
    #: Pages of mapped files.
    shared_bytes: tuple[int, ...] = ()
    #: Shared memory and files in /dev/shm.
    shmem_bytes: tuple[int, ...] = ()
    #: Number of processes.
    processes: tuple[int, ...] = ()

    @property
    def parts_bytes(self) -> tuple[tuple[int, ...], ...]:
        """What the memory consists of, in the order of `PARTS`, bytes."""
        return self.private_bytes, self.shared_bytes, self.shmem_bytes


@dataclass(frozen=True)
class MemoryRun:
    """One execution under the memory gauge."""

    #: Highest memory of the process tree during the call minus ``baseline_bytes``: the upper
    #: bound, where the gauge gives an interval.
    peak_bytes: int
    #: Memory while the return value is alive minus ``baseline_bytes``.
    kept_bytes: int
    #: Memory just before the call: imports and a warm-up call done.
    baseline_bytes: int
    #: The true peak lies between the two.
    low_bytes: int = 0
    high_bytes: int = 0
    #: What the peak consists of: anonymous memory, pages of mapped files, and shared memory with
    #: files in /dev/shm. Their sum is ``peak_bytes``.
    private_bytes: int = 0
    shared_bytes: int = 0
    shmem_bytes: int = 0
    #: Memory over time; of the last run only, to keep the results small.
    series: Series = Series()

    @property
    def parts_bytes(self) -> tuple[int, ...]:
        """What the peak consists of, in the order of `PARTS`, bytes."""
        return self.private_bytes, self.shared_bytes, self.shmem_bytes

    @property
    def is_sharp(self) -> bool:
        """Whether the bounds of the peak lie within 1 % of it, or within 1 MiB."""
        return self.high_bytes - self.low_bytes <= max(0.01 * self.peak_bytes, MIB)
