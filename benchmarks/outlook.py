"""What many runs would take: worked out from what was measured of a few.

It is assumed that

- every run is like the run of the site, and its time grows with its raw size;
- every worker is as fast as those measured, however many there are;
- all files lie on one disk that is as fast as the one here, and none is in the page cache;
- one scheduler hands out all runs, as fast as it did here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import growth
from .cells import Table
from .columns import NONE
from .errors import FigureError
from .units import KIB, MIB, SPACE, format_bytes, format_duration, format_seconds, significant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .lookup import Lookup
    from .runs import Data

TASK = "many_images@images8"

#: The number of workers of Dask, by the method that was measured with them.
WORKERS = {"dask_one_worker": 1, "dask_paths": 2, "dask_four_workers": 4}

#: So often does the example hand out each path, where nothing else is done.
TIMES = 25

#: The example returns the signals of so many regions, as float64.
REGIONS = 3
_FLOAT64_BYTES = 8
_KILO = 1000

#: From this time on, fractions of a second say nothing.
_LONG_SECONDS = 60

UNPACKING, COMPUTING = "unpacking", "averaging and saving"
READING, HANDING_OUT = "reading from the disk", "handing out"


@dataclass(frozen=True)
class Outlook:
    """What one run takes, and what follows for many.

    Attributes
    ----------
    work_seconds : float
        Of one process, for one run that is in the page cache: unpacking, averaging, saving.
    unpack_seconds : float
        The part of it that is unpacking; 0 for a plain file.
    read_seconds : float or None
        To read the file from the disk; None where the page cache could not be dropped.
    hand_out_seconds : float
        Of the scheduler.
    two_workers_seconds : float
        Of two workers together, as measured.
    sent_bytes, sent_image_bytes : float
        Sent to a worker, given the path, or the loaded image.
    signals_bytes : int
        What comes back.
    worker_bytes, start_bytes : float
        Memory of each worker, and of all the rest.
    """

    work_seconds: float
    unpack_seconds: float
    read_seconds: float | None
    hand_out_seconds: float
    two_workers_seconds: float
    sent_bytes: float
    sent_image_bytes: float
    signals_bytes: int
    worker_bytes: float
    start_bytes: float

    @property
    def serial(self) -> dict[str, float]:
        """What more workers do not make faster: seconds a run, by its name."""
        found = {HANDING_OUT: self.hand_out_seconds}
        return found if self.read_seconds is None else found | {READING: self.read_seconds}

    @property
    def bottleneck(self) -> str:
        """What takes most of the time of few workers."""
        rest = self.work_seconds - self.unpack_seconds
        return UNPACKING if self.unpack_seconds > rest else COMPUTING

    @property
    def next_bottleneck(self) -> str:
        """What takes most of the time when there are workers enough."""
        return max(self.serial, key=self.serial.__getitem__)

    @property
    def workers(self) -> float:
        """From how many workers on another one gains nothing."""
        return self.work_seconds / self.serial[self.next_bottleneck]

    def figures(self) -> dict[str, str]:
        """Return what pages can ask for, by name."""
        return {
            "bottleneck": self.bottleneck,
            "next bottleneck": self.next_bottleneck,
            "workers": significant(self.workers, 2),
            "memory of a worker": format_bytes(self.worker_bytes),
            "handing out": format_seconds(self.hand_out_seconds),
        }

    def table(self, counts: Sequence[int]) -> Table:
        """Return the table.

        Parameters
        ----------
        counts : sequence of int
            Numbers of runs, a column each.
        """
        columns = (1, *counts)
        times = {
            f"{UNPACKING}, one process": self.unpack_seconds or None,
            f"{COMPUTING}, one process": self.work_seconds - self.unpack_seconds,
            f"{READING}, one disk": self.read_seconds,
            f"{HANDING_OUT}, one scheduler": self.hand_out_seconds,
            "all of it, the two workers measured": self.two_workers_seconds,
            f"all of it, {significant(self.workers, 2)} workers": max(self.serial.values()),
        }
        sizes = {
            "sent to workers, as paths": self.sent_bytes,
            "sent to workers, as loaded images": self.sent_image_bytes,
            "signals that come back": self.signals_bytes,
        }
        processes = self.start_bytes + 2 * self.worker_bytes
        memory = (format_bytes(processes + n * self.signals_bytes) for n in columns)
        rows = [
            *(_row(name, columns, value, _time) for name, value in times.items()),
            *(_row(name, columns, value, _size) for name, value in sizes.items()),
            ("memory with the signals, the two workers measured", *memory),
        ]
        headings = (f"{significant(n, len(str(n)))} run{'s' * (n > 1)}" for n in columns)
        return Table(("what is needed", *headings), tuple(rows))


def _row(
    name: str, counts: Sequence[int], value: float | None, write: Callable[[float], str]
) -> tuple[str, ...]:
    return (name, *(NONE if value is None else write(n * value) for n in counts))


def _time(seconds: float) -> str:
    return format_duration(seconds) if seconds >= _LONG_SECONDS else format_seconds(seconds)


def _size(size_bytes: float) -> str:
    """Write also what is far below a MiB, as messages are."""
    if size_bytes < MIB / 10:
        return f"{significant(size_bytes / KIB)}{SPACE}KiB"
    return format_bytes(size_bytes)


def of(lookup: Lookup) -> Outlook:
    """Work out what many runs like that of the site would take.

    Parameters
    ----------
    lookup : Lookup
        With the results.

    Raises
    ------
    FigureError
        One of the results is missing or stale, or the method failed.
    """
    data, few = lookup.store.data, lookup.data_of(TASK)
    longer = data.raw_bytes * few.images / few.raw_bytes

    def seconds(method: str) -> float:
        return lookup.find(TASK, method).quantity("time").median / few.images

    def sent_bytes(method: str) -> float:
        return lookup.find(TASK, method).quantity("value").median * _KILO

    memory = _memory(lookup)
    return Outlook(
        work_seconds=seconds("loop_paths") * longer,
        unpack_seconds=_rate(lookup, "inflate_isal") or 0.0 if data.compression == "gz" else 0.0,
        read_seconds=_rate(lookup, "read_cold"),
        hand_out_seconds=seconds("handed_out") / TIMES,
        two_workers_seconds=seconds("dask_paths") * longer,
        sent_bytes=sent_bytes("kilobytes_with_paths"),
        sent_image_bytes=sent_bytes("kilobytes_with_images") * longer,
        signals_bytes=REGIONS * data.shape[3] * _FLOAT64_BYTES,
        worker_bytes=memory.value * MIB,
        start_bytes=memory.start * MIB,
    )


def _memory(lookup: Lookup) -> growth.Slope:
    """Return the line through all memory of Dask with its workers, in MiB."""
    results = [lookup.find(TASK, method) for method in WORKERS]
    memory = growth.of_jobs(tuple(WORKERS.values()), results, "")
    slope = memory.slope(next(iter(memory.rows)), "whole")
    if slope is None:
        raise FigureError("The memory of workers is not known: a method has no figures.")
    return slope


def _rate(lookup: Lookup, name: str) -> float | None:
    """Return how long a kernel took for the run of the site, s; None where it failed."""
    result = lookup.find("mean_over_time", name)
    return result.wall_seconds.median if result.status == "ok" else None


def caption(data: Data) -> str:
    """Return what the table is about."""
    return f"Worked out for runs like {data.name}, {format_bytes(data.raw_bytes)} raw size each."
