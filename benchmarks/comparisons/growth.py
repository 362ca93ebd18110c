"""How time and memory grow: with the length of the run, the number of images, and of workers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.images import variants
from benchmarks.report.captions import caption, titled
from benchmarks.report.result_tables import NONE, Column, marked
from benchmarks.report.table import Table
from benchmarks.results.quantities import QUANTITIES
from benchmarks.units import MIB, format_bytes, significant

from .compare import compare

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import FunctionType

    from matplotlib.figure import Figure

    from benchmarks.images.image import Image
    from benchmarks.results.provenance import Provenance
    from benchmarks.results.result import Result
    from benchmarks.tasks.task import Methods

#: The run in these lengths, each twice as long as the one before.
LENGTHS = ("short", *variants.LONGER)

RAW_SIZE = "MiB of raw size"
WORKERS = "worker"
IMAGES = "image"
_LABELS = {RAW_SIZE: "raw size in MiB", WORKERS: "workers", IMAGES: "images"}

#: Two points make a line, but say nothing of its error.
LEAST_POINTS = 3

#: From where on there is a line. The C library may keep arrays of less than 32 MiB when they are
#: freed (glibc's ``DEFAULT_MMAP_THRESHOLD_MAX``), so that short runs need more than in proportion;
#: and with ``n_jobs=1``, joblib works in the process itself, and starts no worker.
STRAIGHT_FROM = {RAW_SIZE: 32.0, WORKERS: 2.0}

#: By the name of a quantity: the unit of its slope, and how large that is. What does not grow
#: along a line has none: more workers than cores get through no more images.
UNITS = {
    "time": ("ms", 1e-3),
    "peak": ("MiB", MIB),
    "whole": ("MiB", MIB),
    "throughput": ("", 1.0),
}

#: In the place of a number of workers: one for each core.
ALL_CORES = -1

#: What is printed of a growth without being asked for.
_SHOWN = ("time", "peak")

_OF_MEMORY = {"peak", "whole"}


@dataclass(frozen=True)
class Slope:
    """A line: ms or MiB for each MiB, image or worker, its standard error, and where it begins."""

    value: float
    error: float
    start: float

    @classmethod
    def through(cls, xs: Sequence[float], ys: Sequence[float]) -> Slope:
        """Fit a line by least squares to `LEAST_POINTS` or more, at two places or more."""
        (value, start), covariance = np.polyfit(xs, ys, 1, cov=True)
        return cls(float(value), float(np.sqrt(covariance[0, 0])), float(start))

    def __str__(self) -> str:
        return f"{_rounded(self.value)} ± {_rounded(self.error)}"


def _rounded(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}" if abs(value) < 100 else significant(value)  # noqa: PLR2004


@dataclass(frozen=True)
class Growth:
    """The results of several methods at several places of an axis.

    Attributes
    ----------
    axis : str
        What grows: `RAW_SIZE`, `IMAGES` or `WORKERS`.
    places : tuple of float
        Where: MiB, or number of images or workers.
    rows : dict
        The results at these places, by the name of the row.
    caption : str
        The file and the machine, in one line.
    cores : float
        How many cores the workers had; 0 where nothing is said of workers.
    """

    axis: str
    places: tuple[float, ...]
    rows: dict[str, tuple[Result, ...]]
    caption: str
    cores: float = 0.0

    def slope(self, row: str, quantity: str) -> Slope | None:
        """Return the line through the runs of a row, from where on there is a line.

        Parameters
        ----------
        row : str
            Name of the row.
        quantity : str
            One of `UNITS`.

        Returns
        -------
        Slope or None
            None if one of the methods failed, for fewer than three runs, and for a quantity that
            does not grow along a line.
        """
        results = self.rows[row]
        if not UNITS[quantity][0] or any(result.failed for result in results):
            return None
        fitted = self.fitted(quantity)
        points = [
            (place, value / UNITS[quantity][1])
            for place, result in zip(self.places, results, strict=True)
            for value in result.quantity(quantity).values
            if place in fitted
        ]
        if len(points) < LEAST_POINTS:
            return None
        xs, ys = zip(*points, strict=True)
        return Slope.through(xs, ys)

    def fitted(self, quantity: str) -> tuple[float, ...]:
        """Return the places that a line goes through: all if too few are beyond its start."""
        grows_late = self.axis == WORKERS or quantity in _OF_MEMORY
        start = STRAIGHT_FROM.get(self.axis, 0.0) if grows_late else 0.0
        beyond = tuple(place for place in self.places if place >= start)
        return beyond if len(beyond) > 1 else self.places

    def words(self, quantity: str) -> str:
        """Say what the slope is, and what stands behind it; empty for a table without any."""
        if not any(self.slope(row, quantity) for row in self.rows):
            return ""
        fitted = self.fitted(quantity)
        unit = " workers" if self.axis == WORKERS else ""
        start = f" from {self._heading(fitted[0])}{unit} on" if fitted != self.places else ""
        return (
            f"The last column is the slope of a line through all repeats{start}, ± its standard "
            "error, which assumes that the points lie on a line."
        )

    def _heading(self, place: float) -> str:
        return format_bytes(place * MIB) if self.axis == RAW_SIZE else f"{place:g}"

    def table(self, quantity: str) -> Table:
        """Return the table of one quantity: its medians, and the slope with its error if any."""
        unit = UNITS[quantity][0]
        column = Column(quantity, [result for results in self.rows.values() for result in results])
        places = [self._heading(place) for place in self.places]
        rows = []
        for name, results in self.rows.items():
            cells = [marked(column, result) for result in results]
            slope = [str(self.slope(name, quantity) or NONE)] if unit else []
            rows.append((name, *cells, *slope))
        last = [f"{unit} for each {self.axis}"] if unit else []
        return Table((column.heading, *places, *last), tuple(rows))

    def scaling(self) -> Table:
        """Return what more workers are worth: time for each run, and use made of the cores.

        The last row is the speed, relative to that with the least workers, of what it would be if
        every core that has a worker did as much as one did there.
        """
        (results,) = self.rows.values()
        # Each worker has a run of its own, unless the images are handed out among all of them.
        runs = [
            result.images if result.images > 1 else place
            for place, result in zip(self.places, results, strict=True)
        ]
        timed = [not result.failed and bool(result.time_runs) for result in results]
        each = [
            result.wall_seconds.median / count if is_timed else math.nan
            for result, count, is_timed in zip(results, runs, timed, strict=True)
        ]
        noise = ["~" if t and r.is_noisy else "" for t, r in zip(timed, results, strict=True)]
        speeds = [each[0] / seconds for seconds in each]
        busy = [min(place, self.cores) / min(self.places[0], self.cores) for place in self.places]
        rows = {
            "ms for each run": [seconds / UNITS["time"][1] for seconds in each],
            f"times as fast as {self._heading(self.places[0])}": speeds,
            "use of the cores (%)": [100 * s / n for s, n in zip(speeds, busy, strict=True)],
        }
        return Table(
            ("workers", *map(self._heading, self.places)),
            tuple((name, *map(_noted, noise, values)) for name, values in rows.items()),
        )

    def __str__(self) -> str:
        return "\n\n".join([*(self.table(quantity).text() for quantity in _SHOWN), self.caption])

    def plot(self, quantity: str) -> Figure:
        """Draw one quantity: every run a dot, and lines: fitted, or through the medians."""
        from benchmarks.report import plots  # noqa: PLC0415 - matplotlib is slow to import

        unit, size = UNITS[quantity]
        points = {
            name: [[value / size for value in result.quantity(quantity).values] for result in row]
            for name, row in self.rows.items()
            if all(not result.failed for result in row)
        }
        # Without any worker there is none of what one costs; a run of no length has a fixed part.
        first = self.fitted(quantity)[0] if self.axis == WORKERS else 0.0
        lines = {
            name: (first, slope.start, slope.value)
            for name in points
            if (slope := self.slope(name, quantity))
        }
        heading = QUANTITIES[quantity].heading
        named = f"{heading} in {unit}" if unit else heading
        labels = (_LABELS[self.axis], f"{named} (dots: repeats)")
        title = f"{heading.capitalize()} against {_LABELS[self.axis].partition(' in ')[0]}"
        title = titled(title, self.caption)
        return plots.plot_growth(self.places, points, lines, labels, title)


def _noted(mark: str, value: float) -> str:
    return NONE if math.isnan(value) else f"{mark}{significant(value, 2)}"


def of_lengths(found: Sequence[tuple[Image, Iterable[Result]]], caption: str) -> Growth:
    """Gather the results of the same methods on longer and longer files."""
    columns = [{result.method: result for result in results} for _, results in found]
    return Growth(
        RAW_SIZE,
        tuple(image.raw_bytes / MIB for image, _ in found),
        {name: tuple(column[name] for column in columns) for name in columns[0]},
        caption,
    )


def compare_lengths(methods: Methods, *, runs: int | None = None) -> Growth:
    """Measure methods on the first volumes of the run, and on longer and longer files of them.

    Parameters
    ----------
    methods : sequence of functions, or of such sequences
        As `benchmarks.compare` takes them.
    runs : int, optional
        Time runs at each length.

    Raises
    ------
    BenchmarkError
        As `benchmarks.compare`.
    """
    found = [compare(methods, form=name, runs=runs) for name in LENGTHS]
    return of_lengths([(one.data, one.results) for one in found], found[0].caption)


def of_images(found: Sequence[tuple[Image, Iterable[Result]]], provenance: Provenance) -> Growth:
    """Gather the results of the same methods on more and more images."""
    one = replace(found[0][0], images=1)
    growth = of_lengths(found, f"Copies of {caption(one, provenance)}")
    return replace(growth, axis=IMAGES, places=tuple(float(image.images) for image, _ in found))


def compare_images(methods: Methods, *, runs: int | None = None) -> Growth:
    """Measure methods on more and more copies of the first volumes of the run.

    Parameters
    ----------
    methods : sequence of functions, or of such sequences
        As `benchmarks.compare` takes them; of the paths of the copies.
    runs : int, optional
        Time runs for each number of images.

    Raises
    ------
    BenchmarkError
        As `benchmarks.compare`.
    """
    found = [compare(methods, form=name, runs=runs) for name in variants.MANY]
    return of_images([(one.data, one.results) for one in found], found[0].provenance)


def compare_jobs(
    methods: Mapping[int, FunctionType], *, form: str = "short", runs: int | None = None
) -> Growth:
    """Measure one work with more and more workers.

    Parameters
    ----------
    methods : mapping
        By the number of workers: a function of the path, or the paths. The function under -1 has a
        worker for each core, and is shown if these are more than all other numbers.
    form : str
        One of `benchmarks.images.variants.VARIANTS`; by default the first volumes of the run.
    runs : int, optional
        Time runs for each number of workers.

    Raises
    ------
    BenchmarkError
        As `benchmarks.compare`.
    """
    found = compare([[function] for function in methods.values()], form=form, runs=runs)
    return of_jobs(tuple(methods), found.results, found.caption, found.provenance.cores)


def of_jobs(
    workers: Sequence[int], results: Sequence[Result], caption: str, cores: float
) -> Growth:
    """Gather the results of one work, one for each number of workers."""
    shared = results[0].images > 1
    row = "images shared by all" if shared else "the same work for each"
    found = {float(n): result for n, result in zip(workers, results, strict=True)}
    on_all = found.pop(float(ALL_CORES), None)
    if on_all and int(cores) > max(found):
        found[float(int(cores))] = on_all
    return Growth(WORKERS, tuple(found), {row: tuple(found.values())}, caption, cores)
