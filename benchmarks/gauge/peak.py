"""From what `sampler` read (KiB), tick by tick, to a peak and the interval that holds it."""

from __future__ import annotations

import bisect
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import procfs
from .readings import Series

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "kernel marks of the process tree (VmHWM), shared pages counted once"
WITHOUT_RESET = "kernel mark of one process (VmHWM, not reset): coarse"
COARSE = "process peak: coarse"

#: The kernel counts pages in batches for each core, so that its marks lag behind by up to 31
#: pages of 4 KiB a core, for anonymous pages and for pages of files each
#: (lib/percpu_counter.c): 496 KiB on two cores. A call that fills memory in two threads was
#: read up to 360 KiB too low in 90 readings. A call that stays on one core lags by less.
LAG_KIB = 512

#: A tree is read at rest most of the time, from sums that do not lag; marks only tell what rose
#: between two readings. Readings of known allocations were off by up to 0.1 MiB; the bounds are
#: widened by three times that.
TREE_LAG_KIB = 320

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
    """The process tree at one moment of the monotonic clock (KiB, pages once a process)."""

    seconds: float
    processes: int
    private: int
    file: int
    shmem: int
    #: The part whose sharing has to be read again if it moved.
    moving: int
    #: Files of the tree in /dev/shm, mapped by somebody or not: each counts once.
    files: int
    #: By how much marks rose above both ends of the time since the last tick.
    spike: int
    #: Whether at most one process moved meanwhile, so that the spike is no upper bound.
    certain: bool
    mark: int
    #: Shared memory of the process that has most of it.
    most_shmem: int = 0

    @property
    def resident(self) -> int:
        """All of it, pages counted once a process."""
        return self.private + self.file + self.shmem


@dataclass(frozen=True)
class Sharing:
    """What was counted more than once, read from ``start`` to ``end`` (KiB)."""

    start: float
    end: float
    #: `Tick.moving` at that time.
    size: int
    #: Pages of files.
    repeated: int
    #: Anonymous pages that forked processes still share.
    repeated_private: int
    #: Shared memory that is in no file of /dev/shm, counted once.
    hidden_shmem: int


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
    """Peak over one call, bytes above the baseline: the upper end, where there is an interval."""

    peak_bytes: int
    #: The truth lies between the two, which differ by the lag alone for one process.
    low_bytes: int
    high_bytes: int
    private_bytes: int
    shared_bytes: int
    shmem_bytes: int
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
    lag = float(TREE_LAG_KIB)
    low: float = max(least for least, _ in rows)
    high: float = max(most.total for _, most in rows)
    if all(t.processes == 1 for t in ticks) and max(t.files for t in ticks) < NO_SHARED_KIB:
        # One process: the kernel's own mark. The baseline is what was resident: newer kernels
        # sum that over all cores (commit 82241a83cd15), other than marks.
        low = high = float(max(tick.mark for tick in ticks[1:]) - ticks[0].resident)
        lag = float(LAG_KIB)
    else:
        lag += SHARING_FRACTION * high
    low, high = max(0.0, min(low, high)), max(0.0, high)
    private, shared, shmem = _split(round(high * _KIB), max((p for _, p in rows), key=_total))
    return Reading(
        peak_bytes=round(high * _KIB),
        low_bytes=round(max(0.0, low - lag) * _KIB),
        high_bytes=round((high + lag) * _KIB),
        private_bytes=private,
        shared_bytes=shared,
        shmem_bytes=shmem,
        series=_series(ticks, rows),
    )


def _total(parts: Parts) -> float:
    return parts.total


def _split(peak_bytes: int, at_peak: Parts) -> list[int]:
    """Split a peak (bytes) as the highest tick is; the largest part takes the difference."""
    parts = [round(part * _KIB) for part in (at_peak.private, at_peak.shared, at_peak.shmem)]
    parts[parts.index(max(parts))] += peak_bytes - sum(parts)
    return parts


def _above(parts: Sequence[Parts], ticks: Sequence[Tick], index: int) -> tuple[float, Parts]:
    """Return low and high above the baseline up to a tick: marks need not fall on one moment."""
    ends = (parts[index - 1], parts[index])
    larger = max(ends, key=lambda part: part.total) - parts[0]
    spike = ticks[index].spike
    return larger.total + (spike if ticks[index].certain else 0), larger.raised(spike)


def parts_at(tick: Tick, sharings: Sequence[Sharing]) -> Parts:
    """Split a tick into private, shared and /dev/shm, each page counted once (KiB)."""
    if tick.processes == 1:
        # What one process shares, it shares with processes that are not of the tree, such
        # as the pages of the interpreter; that was so before the call too.
        own = tick.file - sharings[0].repeated
        return Parts(tick.private, own, max(tick.shmem, tick.files))
    # Between two readings of the sharing, it is taken to follow the size of the shared part.
    after = bisect.bisect([sharing.start for sharing in sharings], tick.seconds)
    a, b = sharings[max(after - 1, 0)], sharings[min(after, len(sharings) - 1)]
    if abs(b.size - a.size) > MOVED_KIB:
        share = min(1.0, max(0.0, (tick.moving - a.size) / (b.size - a.size)))
    else:
        share = 0.0 if tick.seconds - a.end < b.start - tick.seconds else 1.0

    def between(first: int, last: int) -> float:
        return first + (last - first) * share

    # What is in files of /dev/shm is known exactly, however many processes map it.
    shmem = tick.files + between(a.hidden_shmem, b.hidden_shmem)
    return Parts(
        tick.private - between(a.repeated_private, b.repeated_private),
        tick.file - between(a.repeated, b.repeated),
        max(shmem, tick.most_shmem),
    )


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
