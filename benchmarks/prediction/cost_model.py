"""Time and peak for any file: a fixed part, one by a volume's voxels, one by the run's."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.errors import StoreError
from benchmarks.gauge import peak
from benchmarks.gauge.readings import SMALLEST_BYTES
from benchmarks.tasks import chapter
from benchmarks.units import KIB

from . import small_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from benchmarks.images.image import Image
    from benchmarks.results.result import Result
    from benchmarks.results.store import Store

ADVICE = "Measure it with: fmri-bench calibrate (some minutes)."

#: What a peak can be off by: the lag of the kernel's counters, or this fraction of it.
PEAK_NOISE = 0.01

#: What a time can be off by, as a fraction of it. Calls of less than 3 ms scattered by a fourth on
#: a virtual machine.
TIME_NOISE = 0.03
SHORT_NOISE = 0.25
SHORT_SECONDS = 0.003

_PARTS = 3
_TIE = 1e-6


@dataclass(frozen=True)
class Cost:
    """How a quantity (s or bytes) grows; `again`: the n-th volume costs as much as n volumes."""

    fixed: float
    per_volume_voxel: float
    #: Of the run, or of the runs that are read if it is read again and again.
    per_voxel: float
    again: bool = False

    def at(self, voxels: int, volumes: int) -> float:
        """Return the quantity for so many voxels of a volume, and so many volumes."""
        parts = self.fixed, self.per_volume_voxel, self.per_voxel
        return float(np.dot(parts, _sizes(voxels, volumes, again=self.again)))

    def scaled(self, factor: float) -> Cost:
        """Return the same of a machine that is so many times slower."""
        return replace(
            self,
            fixed=factor * self.fixed,
            per_volume_voxel=factor * self.per_volume_voxel,
            per_voxel=factor * self.per_voxel,
        )

    @classmethod
    def through(
        cls,
        images: Sequence[Image],
        values: Sequence[float],
        noise: Sequence[float],
        *,
        again: bool = False,
    ) -> Cost:
        """Fit the fewest parts, none below 0, that explain values but for noise (same unit)."""
        rows = np.array([_sizes(image.voxels, image.volumes, again=again) for image in images])
        off = np.array(noise)
        # The fewest parts: what is noise in a small file would be large in a large one.
        parts = _least_squares(rows / off[:, None], np.array(values) / off)
        fixed, per_volume_voxel, per_voxel = map(float, parts)
        return cls(fixed, per_volume_voxel, per_voxel, again)


def _sizes(voxels: int, volumes: int, *, again: bool) -> tuple[float, float, float]:
    read = volumes * (volumes + 1) / 2 if again else volumes
    return 1.0, float(voxels), voxels * float(read)


def _least_squares(rows: npt.NDArray[Any], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the fewest parts, none below zero, within 1 of each value; else the nearest."""
    best, least = np.zeros(_PARTS), np.inf
    for count in range(1, _PARTS + 1):
        for chosen in itertools.combinations(range(_PARTS), count):
            part = np.linalg.lstsq(rows[:, chosen], values, rcond=None)[0]
            error = float(np.abs(rows[:, chosen] @ part - values).max())
            # A tie goes to the fixed part: files whose volumes are alike tell nothing of volumes.
            if (part >= 0).all() and error < least - _TIE:
                best, least = np.zeros(_PARTS), error
                best[list(chosen)] = part
        if least <= 1:
            break
    return best


@dataclass(frozen=True)
class Costs:
    """What a method needs for files of one kind; None, and why in a sentence, where it failed."""

    task: str
    method: str
    wall_seconds: Cost | None
    peak_bytes: Cost | None
    #: All memory at the peak: interpreter, imports and workers too.
    whole_bytes: Cost | None
    message: str = ""
    #: How many processes or threads of its own share the work.
    workers: int = 1
    #: The most memory that was measured on each small file, over what the fit has for it.
    misses: tuple[float, ...] = ()


def name(task: str, size: str) -> str:
    """Return the name under which the results of a task on a small file are stored."""
    return f"{task}@{size}"


def of_kind(found: Store[Image], kind: str) -> list[Costs]:
    """Return what each method needs for files of a kind (from `small_files.kind_of`)."""
    by_method: dict[tuple[str, str], dict[str, Result]] = {}
    unseen = small_files.unseen(found.data)
    for result in found.all():
        task, _, size = result.task.partition("@")
        if size.rpartition("_")[0] == kind and size not in unseen:
            by_method.setdefault((task, result.method), {})[size] = result
    names = [*small_files.SIZES, *small_files.BULKY]
    known = small_files.planned(found.data, names)
    return [_costs(*pair, results, known) for pair, results in by_method.items()]


def _costs(task: str, method: str, results: dict[str, Result], known: dict[str, Image]) -> Costs:
    failed = next((result for result in results.values() if result.failed), None)
    if failed:
        return Costs(task, method, None, None, None, failed.message)
    images = [known[size] for size in results]
    if not all(result.time_runs and result.memory_runs for result in results.values()):
        raise StoreError(f"{task}.{method} is not measured to its end on small files. {ADVICE}")
    again = method in chapter.about(task).reads_again
    again &= next(iter(results)).rpartition("_")[0].endswith("gz")
    seconds = [result.wall_seconds.median for result in results.values()]
    off = SHORT_NOISE if max(seconds) < SHORT_SECONDS else TIME_NOISE
    time = Cost.through(images, seconds, [off * value for value in seconds], again=again)
    peaks = [result.peak_bytes.median for result in results.values()]
    wholes = [result.whole_bytes.median for result in results.values()]
    whole = _weight(images, wholes)
    return Costs(
        task,
        method,
        time,
        _weight(images, peaks),
        whole,
        workers=small_files.workers(results),
        misses=tuple(
            miss(result, whole.at(image.voxels, image.volumes))
            for result, image in zip(results.values(), images, strict=True)
        ),
    )


def miss(result: Result, expected_bytes: float) -> float:
    """Return the most memory that a run of a result took, over what was expected of it."""
    return result.whole_bytes.high / max(expected_bytes, SMALLEST_BYTES)


def _weight(images: Sequence[Image], sizes: Sequence[float]) -> Cost:
    """Fit how memory grows."""
    lag = peak.LAG_KIB * KIB
    return Cost.through(images, sizes, [max(lag, PEAK_NOISE * size) for size in sizes])
