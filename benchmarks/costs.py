"""What a method needs for any file: fitted to what it needed for small ones.

Time and peak are taken as a sum of three parts: a fixed one, one that grows with the voxels of a
volume, and one that grows with the voxels of the run. What was measured on the files of `sizes`
is stored as it was read; the parts are worked out when they are asked for.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import folders, sizes, store, tasks
from .errors import FigureError, StoreError
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from .data import FmriFile
    from .provenance import Provenance
    from .results import Result
    from .sizes import Sized

ADVICE = "Measure it with: fmri-bench calibrate (some minutes), or: make html."

#: Methods that unpack a compressed file from its start for each volume, so that the last volume
#: takes as long as the whole file.
READS_AGAIN = {("mean_over_time", "mean_file_reopened")}

#: Relative error of a single time that is taken for noise, if no call takes longer than this (s):
#: on a virtual machine they scattered by a fourth. And that of a single peak.
TIME_NOISE = 0.25
SHORT_SECONDS = 0.003
PEAK_NOISE = 0.03

#: The same of a peak to which several workers or threads add: that they reach theirs at the same
#: moment is chance, and single peaks scattered by so much.
TOGETHER_NOISE = 0.15

#: What is too short or too small to be told from nothing: s, and bytes.
_LEAST_SECONDS = 1e-5
_LEAST_BYTES = 4096

_PARTS = 3
_TIE = 1e-6


@dataclass(frozen=True)
class Cost:
    """How one quantity grows, in its unit: s or bytes.

    Attributes
    ----------
    fixed : float
        What it is for any file.
    per_volume_voxel : float
        What a voxel of a volume adds.
    per_voxel : float
        What a voxel of the run adds, or of the runs that are read if it is read again and again.
    again : bool
        Whether the n-th volume costs as much as n volumes.
    """

    fixed: float
    per_volume_voxel: float
    per_voxel: float
    again: bool = False

    def at(self, voxels: int, volumes: int) -> float:
        """Return the quantity for so many voxels of a volume, and so many volumes."""
        parts = self.fixed, self.per_volume_voxel, self.per_voxel
        return float(np.dot(parts, _sizes(voxels, volumes, again=self.again)))

    @classmethod
    def through(
        cls,
        files: Sequence[Sized],
        values: Sequence[float],
        tolerance: float = 0.0,
        *,
        again: bool = False,
    ) -> Cost:
        """Fit the parts to measurements: the least relative error with no part below zero.

        A part that is not needed is left out: what is noise in small files would be large in a
        large one.

        Parameters
        ----------
        files : sequence of Sized
            What was measured on.
        values : sequence of float
            What was measured, above zero.
        tolerance : float
            Relative error of a single value that is taken for noise.
        again : bool
            Whether the n-th volume costs as much as n volumes.
        """
        rows = np.array([_sizes(file.voxels, file.volumes, again=again) for file in files])
        fixed, per_volume_voxel, per_voxel = map(
            float, _least_squares(rows / np.array(values)[:, None], tolerance)
        )
        return cls(fixed, per_volume_voxel, per_voxel, again)


def _sizes(voxels: int, volumes: int, *, again: bool) -> tuple[float, float, float]:
    read = volumes * (volumes + 1) / 2 if again else volumes
    return 1.0, float(voxels), voxels * float(read)


def _least_squares(rows: npt.NDArray[Any], tolerance: float) -> npt.NDArray[Any]:
    """Return the parts, none below zero, with which the rows come nearest to 1.

    With three parts, all choices of those that are above zero can be tried: the fewest first.
    """
    best, least = np.zeros(_PARTS), np.inf
    for count in range(1, _PARTS + 1):
        for chosen in itertools.combinations(range(_PARTS), count):
            part = np.linalg.lstsq(rows[:, chosen], np.ones(len(rows)), rcond=None)[0]
            error = float(np.abs(rows[:, chosen] @ part - 1).max())
            # A tie goes to the fixed part: files whose volumes are alike tell nothing of volumes.
            if (part >= 0).all() and error < least - _TIE:
                best, least = np.zeros(_PARTS), error
                best[list(chosen)] = part
        if least <= tolerance:
            break
    return best


@dataclass(frozen=True)
class Costs:
    """What a method needs for files of one kind.

    Attributes
    ----------
    task, method : str
        Names.
    wall_seconds, peak_bytes : Cost or None
        How time and peak grow; None where the method failed.
    message : str
        Why it has no figures, as a sentence; else empty.
    """

    task: str
    method: str
    wall_seconds: Cost | None
    peak_bytes: Cost | None
    message: str = ""


def store_of(file: FmriFile, here: Provenance) -> Store:
    """Open what was measured on small files of a run."""
    return Store(_folder(), file.data, here)


def latest(here: Provenance) -> Store:
    """Open what was last measured on this machine, on small files of whatever run.

    Parameters
    ----------
    here : Provenance
        The machine and the versions. The file system may be another one.

    Raises
    ------
    FigureError
        Nothing was measured with these versions, or an example has changed since.
    StoreError
        It cannot be read.
    """
    for path in sorted(_folder().glob("*.json"), key=_changed, reverse=True):
        found, data, _ = store.read(path)
        if replace(found, file_system=here.file_system).digest == here.digest:
            _refuse_stale(path)
            return Store(_folder(), data, found)
    raise FigureError(f"Small files were not measured with these versions yet. {ADVICE}")


def _folder() -> Path:
    return folders.results_folder() / "sizes"


def _changed(path: Path) -> float:
    return path.stat().st_mtime


def _refuse_stale(path: Path) -> None:
    changed = max(map(_changed, tasks.example_paths().values()), default=0.0)
    if changed > _changed(path):
        raise FigureError(f"An example has changed since small files were measured. {ADVICE}")


def name(task: str, size: str) -> str:
    """Return the name under which the results of a task on a small file are stored."""
    return f"{task}@{size}"


def of_kind(found: Store, kind: str) -> list[Costs]:
    """Return what each method needs for files of a kind, in the order of the names.

    Parameters
    ----------
    found : Store
        From `latest`.
    kind : str
        From `sizes.kind_of`.
    """
    by_method: dict[tuple[str, str], dict[str, Result]] = {}
    for result in found.all():
        task, _, size = result.task.partition("@")
        if size.rpartition("_")[0] == kind:
            by_method.setdefault((task, result.method), {})[size] = result
    known = sizes.files(found.data, [*sizes.SIZES, *sizes.BULKY])
    return [_costs(*names, results, known) for names, results in by_method.items()]


def _costs(task: str, method: str, results: dict[str, Result], known: dict[str, Sized]) -> Costs:
    failed = next((result for result in results.values() if result.status != "ok"), None)
    if failed:
        return Costs(task, method, None, None, failed.message)
    files = [known[size] for size in results]
    if not all(result.time_runs and result.memory_runs for result in results.values()):
        raise StoreError(f"{task}.{method} is not measured to its end on small files. {ADVICE}")
    seconds = [max(r.wall_seconds.median, _LEAST_SECONDS) for r in results.values()]
    peaks = [max(r.peak_bytes.median, _LEAST_BYTES) for r in results.values()]
    again = (task, method) in READS_AGAIN and next(iter(results)).rpartition("_")[0].endswith("gz")
    noise = TIME_NOISE if max(seconds) < SHORT_SECONDS else 0.0
    time = Cost.through(files, seconds, noise, again=again)
    together = any(len(result.memory_runs) > 1 for result in results.values())
    noise = TOGETHER_NOISE if together else PEAK_NOISE
    return Costs(task, method, time, Cost.through(files, peaks, noise))


def missing(
    found: Store, task: str, method: str, source_sha256: str, names: Iterable[str]
) -> bool:
    """Tell whether a method has to be measured on one of these small files, or all of them."""
    for size in names:
        result = found.get(name(task, size), method)
        if result is None or result.source_sha256 != source_sha256:
            return True
    return False
