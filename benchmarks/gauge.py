"""From what the kernel counted, tick by tick, to peak, kept and their bounds.

Linux keeps the highest resident memory of each process and lets its owner set that mark
back. A watcher reads and resets the marks of the whole process tree about every ms, so that
no spike is missed however short. One process without shared memory: the mark is the answer,
exact. Several processes: pages that they share are counted once, and as the marks of two
processes need not fall on one moment, the truth is given as an interval, low to high.

Pure arithmetic on what `watching` has read; sizes are in KiB until the end.
"""

from __future__ import annotations

import bisect
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import procfs
from .runs import Series

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "kernel marks of the process tree (VmHWM), shared pages counted once"
WITHOUT_RESET = "kernel mark of one process (VmHWM, not reset): coarse"
COARSE = "process peak: coarse"

#: The kernel counts pages in batches for each core, so that its sums lag behind by some of
#: them (lib/percpu_counter.c: 32 pages a core or more). Readings of known allocations on two
#: cores were off by up to 0.1 MiB; the bounds are widened by three times that, which is half
#: of the error that this project promises and that each build checks.
LAG_KIB = 320

#: In a tree, pages may be mapped and let go of between two readings of the sharing: 20
#: repeats of each known call with workers were off by up to 0.17 % of the peak.
SHARING_FRACTION = 0.0025

#: At most so many points of memory over time are kept.
SERIES_POINTS = 500

#: Shared memory below this is semaphores and the like, and leaves one process alone.
NO_SHARED_KIB = 64

#: Two readings of the shared part differ by more than this if it moved between them.
MOVED_KIB = 256

_KIB = 1024


def name() -> str:
    """Return the name of the gauge that this system allows."""
    if sys.platform != "linux":
        return COARSE
    return NAME if procfs.can_reset_peak() else WITHOUT_RESET


@dataclass(frozen=True)
class Tick:
    """The process tree at one moment, summed over processes (KiB).

    Attributes
    ----------
    seconds : float
        When, by the monotonic clock.
    processes : int
        How many processes there were.
    private, file, shmem : int
        Anonymous pages, pages of files, shared memory; pages counted once a process.
    moving : int
        The part that processes can share: if it moved, sharing has to be read again.
    folder : int
        Files in the watched folder of /dev/shm, mapped by somebody or not.
    spike : int
        By how much marks rose above both ends of the time since the last tick.
    certain : bool
        Whether at most one process moved meanwhile, so that the spike is no upper bound.
    mark : int
        Sum of the marks.
    """

    seconds: float
    processes: int
    private: int
    file: int
    shmem: int
    moving: int
    folder: int
    spike: int
    certain: bool
    mark: int


@dataclass(frozen=True)
class Sharing:
    """How many pages were counted more than once, read from ``start`` to ``end`` (KiB)."""

    start: float
    end: float
    size: int
    repeated: int
    repeated_private: int
    shmem_once: int


@dataclass(frozen=True)
class Parts:
    """Memory of the tree, each page once (KiB)."""

    private: float
    shared: float
    shmem: float

    @property
    def total(self) -> float:
        """The sum."""
        return self.private + self.shared + self.shmem

    def __sub__(self, other: Parts) -> Parts:
        return Parts(
            self.private - other.private, self.shared - other.shared, self.shmem - other.shmem
        )

    def raised(self, private: float) -> Parts:
        """Return the same with more private memory."""
        return Parts(self.private + private, self.shared, self.shmem)


@dataclass(frozen=True)
class Reading:
    """Peak over one call, in bytes above the baseline.

    Attributes
    ----------
    peak_bytes : int
        What is published: the upper end, where the marks of processes leave an interval.
    low_bytes, high_bytes : int
        The truth lies between the two. For one process they differ by the lag alone.
    series : Series
        Memory over time.
    """

    peak_bytes: int
    low_bytes: int
    high_bytes: int
    series: Series


def read_out(ticks: Sequence[Tick], sharings: Sequence[Sharing]) -> Reading:
    """Find the peak of a call.

    Parameters
    ----------
    ticks : sequence of Tick
        The first is the baseline, the others cover the call.
    sharings : sequence of Sharing
        In the order of time; at least one.
    """
    parts = [parts_at(tick, sharings) for tick in ticks]
    rows = [_above(parts, ticks, index) for index in range(1, len(ticks))]
    lag = float(LAG_KIB)
    low: float = max(least for least, _ in rows)
    high: float = max(most.total for _, most in rows)
    if all(t.processes == 1 for t in ticks) and max(t.folder for t in ticks) < NO_SHARED_KIB:
        # One process: the kernel's own mark, exact.
        low = high = float(max(tick.mark for tick in ticks[1:]) - ticks[0].mark)
    else:
        lag += SHARING_FRACTION * high
    low, high = max(0.0, min(low, high)), max(0.0, high)
    return Reading(
        peak_bytes=round(high * _KIB),
        low_bytes=round(max(0.0, low - lag) * _KIB),
        high_bytes=round((high + lag) * _KIB),
        series=_series(ticks, rows),
    )


def _above(parts: Sequence[Parts], ticks: Sequence[Tick], index: int) -> tuple[float, Parts]:
    """Return low and high above the baseline for the time up to one tick."""
    ends = (parts[index - 1], parts[index])
    larger = max(ends, key=lambda part: part.total) - parts[0]
    spike = ticks[index].spike
    return larger.total + (spike if ticks[index].certain else 0), larger.raised(spike)


def parts_at(tick: Tick, sharings: Sequence[Sharing]) -> Parts:
    """Split a tick into private, shared and /dev/shm, each page counted once.

    Between two readings of the sharing, it is taken to follow the size of the shared part.
    """
    if tick.processes == 1:
        # What one process shares, it shares with processes that are not of the tree, such
        # as the pages of the interpreter; that was so before the call too.
        own = tick.file - sharings[0].repeated
        return Parts(tick.private, own, max(tick.shmem, tick.folder))
    after = bisect.bisect([sharing.start for sharing in sharings], tick.seconds)
    a, b = sharings[max(after - 1, 0)], sharings[min(after, len(sharings) - 1)]
    if abs(b.size - a.size) > MOVED_KIB:
        share = min(1.0, max(0.0, (tick.moving - a.size) / (b.size - a.size)))
    else:
        share = 0.0 if tick.seconds - a.end < b.start - tick.seconds else 1.0
    repeated = a.repeated + (b.repeated - a.repeated) * share
    repeated_private = a.repeated_private + (b.repeated_private - a.repeated_private) * share
    once = a.shmem_once + (b.shmem_once - a.shmem_once) * share
    total = tick.private + tick.file + tick.shmem - repeated + max(0.0, tick.folder - once)
    private = tick.private - repeated_private
    shmem = max(once, tick.folder)
    return Parts(private, total - private - shmem, shmem)


def _series(ticks: Sequence[Tick], rows: Sequence[tuple[float, Parts]]) -> Series:
    """Thin the rows out, keeping of each stretch of time the one that reaches highest."""
    stretch = -(-len(rows) // SERIES_POINTS)
    chosen = [
        max(range(start, min(start + stretch, len(rows))), key=lambda i: rows[i][1].total)
        for start in range(0, len(rows), stretch)
    ]

    def kib(values: list[float]) -> tuple[int, ...]:
        return tuple(round(value * _KIB) for value in values)

    return Series(
        seconds=tuple(round(ticks[i + 1].seconds - ticks[0].seconds, 5) for i in chosen),
        private_bytes=kib([rows[i][1].private for i in chosen]),
        shared_bytes=kib([rows[i][1].shared for i in chosen]),
        shmem_bytes=kib([rows[i][1].shmem for i in chosen]),
        processes=tuple(ticks[i + 1].processes for i in chosen),
    )
