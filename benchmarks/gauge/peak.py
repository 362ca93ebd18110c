"""From what `sampler` read (KiB), tick by tick, to a peak and the interval that holds it."""

from __future__ import annotations

import bisect
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from . import procfs
from .readings import Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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

#: At most so many points of memory over time are kept: more than a plot can tell apart.
SERIES_POINTS = 200

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
    #: Pages that processes of a tree with forks have copied since the call began, or may have.
    copied: int = 0
    #: The most that forks can have copied whose sharing was not read yet; not part of `private`.
    young: int = 0
    #: The forks that are part of `private`.
    forks: frozenset[int] = frozenset()

    @property
    def resident(self) -> int:
        """All of it, pages counted once a process."""
        return self.private + self.young + self.file + self.shmem


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
    #: `Tick.copied` in the middle of that time, and by how much it rose meanwhile.
    copied: int = 0
    drift: int = 0
    #: The forks among the processes that were read, with what each shares of its private memory.
    forks: Mapping[int, int] = field(default_factory=dict)


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


@dataclass(frozen=True)
class Reading:
    """Peak over one call, bytes above the baseline."""

    #: Marks of several processes are added, as if they fell on one moment; pages of forks that
    #: were not read since are taken to be copied, if a fault says that they may be.
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
    doubts = [_doubt(tick, sharings) for tick in ticks]
    rows = [_above(parts, doubts, ticks, index) for index in range(1, len(ticks))]
    lag = float(TREE_LAG_KIB)
    low: float = max(row.least for row in rows)
    peak: float = max(row.parts.total for row in rows)
    high: float = max(row.most for row in rows)
    if all(t.processes == 1 for t in ticks) and max(t.files for t in ticks) < NO_SHARED_KIB:
        # One process: the kernel's own mark. The baseline is what was resident: newer kernels
        # sum that over all cores (commit 82241a83cd15), other than marks.
        low = peak = high = float(max(tick.mark for tick in ticks[1:]) - ticks[0].resident)
        lag = float(LAG_KIB)
    else:
        lag += SHARING_FRACTION * peak
    low, peak, high = max(0.0, min(low, peak)), max(0.0, peak), max(0.0, high)
    # A mark may be read later than the sums beside it: of equal rows, the last is of its time.
    at_peak = max((row.parts for row in reversed(rows)), key=_total)
    private, shared, shmem = _split(round(peak * _KIB), at_peak)
    return Reading(
        peak_bytes=round(peak * _KIB),
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
    """Split a peak (bytes) as the highest tick is, which may be some way below it."""
    shares = [max(0.0, part) for part in (at_peak.private, at_peak.shared, at_peak.shmem)]
    total = sum(shares) or 1.0
    parts = [round(peak_bytes * share / total) for share in shares]
    parts[parts.index(max(parts))] += peak_bytes - sum(parts)
    return parts


@dataclass(frozen=True)
class _Row:
    """Memory above the baseline up to a tick: marks of processes need not fall on one moment."""

    least: float
    parts: Parts
    most: float


def _above(
    parts: Sequence[Parts],
    doubts: Sequence[tuple[float, float]],
    ticks: Sequence[Tick],
    index: int,
) -> _Row:
    """Return the memory from one tick to the next."""
    ends = [(parts[i] - parts[0], *doubts[i]) for i in (index - 1, index)]
    spike = ticks[index].spike
    certain = spike if ticks[index].certain else 0
    return _Row(
        max(part.total - less for part, less, _ in ends) + certain,
        _raised(ends[0][0], ends[1][0], spike),
        max(part.total + more for part, _, more in ends) + spike,
    )


def _raised(before: Parts, after: Parts, spike: float) -> Parts:
    """Return the memory at a moment between two ticks, a spike above the higher of them."""
    higher, lower = sorted((before, after), key=_total, reverse=True)
    # What the lower has more of is taken to have been there: memory is filled from a mapped file,
    # which is let go of once it is full.
    private = min(spike, max(0.0, lower.private - higher.private))
    shared = min(spike - private, max(0.0, lower.shared - higher.shared))
    rest = spike - private - shared
    of_files = rest * _part_of_files(after - before)
    return Parts(
        higher.private + private + rest - of_files,
        higher.shared + shared + of_files,
        higher.shmem,
    )


def _part_of_files(moved: Parts) -> float:
    """Return how much of what was there in between was of files: as of what was let go of then.

    If nothing was, it is shared out as what has grown.
    """
    fallen = max(0.0, -moved.private), max(0.0, -moved.shared)
    private, shared = fallen if any(fallen) else (moved.private, moved.shared)
    return shared / (private + shared) if shared else 0.0


def parts_at(tick: Tick, sharings: Sequence[Sharing]) -> Parts:
    """Split a tick into private, shared and /dev/shm, each page counted once (KiB)."""
    if tick.processes == 1:
        # What one process shares, it shares with processes that are not of the tree, such
        # as the pages of the interpreter; that was so before the call too.
        own = tick.file - sharings[0].repeated
        return Parts(tick.private, own, max(tick.shmem, tick.files))
    # Between two readings of the sharing, it is taken to follow the size of the shared part.
    a, b = _around(tick, sharings)
    share = _share(tick.seconds, a, b, tick.moving - a.size, b.size - a.size)

    def between(first: int, last: int) -> float:
        return first + (last - first) * share

    # What is in files of /dev/shm is known exactly, however many processes map it.
    shmem = tick.files + between(a.hidden_shmem, b.hidden_shmem)
    return Parts(
        tick.private + tick.young - _repeated_private(tick, sharings)[0],
        tick.file - between(a.repeated, b.repeated),
        max(shmem, tick.most_shmem),
    )


def _around(tick: Tick, sharings: Sequence[Sharing]) -> tuple[Sharing, Sharing]:
    """Return the readings before and after a tick; at the ends, the same twice."""
    after = bisect.bisect([sharing.start for sharing in sharings], tick.seconds)
    return sharings[max(after - 1, 0)], sharings[min(after, len(sharings) - 1)]


def _share(seconds: float, a: Sharing, b: Sharing, moved: int, moves: int) -> float:
    """Return how far a tick has come from one reading to the next, 0 to 1."""
    if abs(moves) > MOVED_KIB:
        return min(1.0, max(0.0, moved / moves))
    return 0.0 if seconds - a.end < b.start - seconds else 1.0


def _repeated_private(tick: Tick, sharings: Sequence[Sharing]) -> tuple[float, float, float]:
    """Return how much private memory was counted more than once: the best guess, least and most.

    A page that is copied changes no counter but that of faults, and not every fault copies one:
    it may give a page that is new, or give back one that nobody shares any more.
    """
    same = [sharing for sharing in sharings if sharing.forks.keys() == tick.forks]
    a, b = _around(tick, same or _without_gone(tick, sharings) or sharings)
    # What a reading says was so between its start and its end, as long as pages are only copied.
    drift = a.drift if a.start <= tick.seconds < a.end else 0
    since = tick.copied - a.copied
    if a is b and since > 0:  # nothing was read after it with these processes
        guess = max(0, a.repeated_private - since)
        return guess, max(0, guess - a.drift), a.repeated_private + drift
    if a is b:
        guess = a.repeated_private
        return guess, max(0, guess - drift), guess - since + a.drift
    if b.copied - a.copied <= MOVED_KIB:
        share = _share(tick.seconds, a, b, tick.moving - a.size, b.size - a.size)
        between = _between(a, b, share)
        return between, between, between + drift
    share = _share(tick.seconds, a, b, since, b.copied - a.copied)
    return _between(a, b, share), b.repeated_private, a.repeated_private + drift


def _between(a: Sharing, b: Sharing, share: float) -> float:
    return a.repeated_private + (b.repeated_private - a.repeated_private) * share


def _without_gone(tick: Tick, sharings: Sequence[Sharing]) -> list[Sharing]:
    """Return the last reading before forks have ended, as if they had been gone then."""
    for read in reversed(sharings):
        if read.end < tick.seconds and read.forks.keys() > tick.forks:
            # A page that one of them shared has another owner still, and counts once less.
            gone = sum(read.forks[pid] for pid in read.forks.keys() - tick.forks)
            return [replace(read, repeated_private=max(0, read.repeated_private - gone))]
    return []


def _doubt(tick: Tick, sharings: Sequence[Sharing]) -> tuple[float, float]:
    """Return by how much the memory at a tick may be less, or more, than `parts_at` says."""
    if tick.processes == 1:
        return 0.0, 0.0
    guess, least, most = _repeated_private(tick, sharings)
    return most - guess + tick.young, guess - least


def _series(ticks: Sequence[Tick], rows: Sequence[_Row]) -> Series:
    """Thin the rows out, keeping of each stretch of time the one that reaches highest."""
    stretch = -(-len(rows) // SERIES_POINTS)
    chosen = [
        max(range(start, min(start + stretch, len(rows))), key=lambda i: rows[i].parts.total)
        for start in range(0, len(rows), stretch)
    ]

    def kib(values: list[float]) -> tuple[int, ...]:
        return tuple(round(value * _KIB) for value in values)

    return Series(
        seconds=tuple(round(ticks[i + 1].seconds - ticks[0].seconds, 5) for i in chosen),
        private_bytes=kib([rows[i].parts.private for i in chosen]),
        shared_bytes=kib([rows[i].parts.shared for i in chosen]),
        shmem_bytes=kib([rows[i].parts.shmem for i in chosen]),
        processes=tuple(ticks[i + 1].processes for i in chosen),
    )
