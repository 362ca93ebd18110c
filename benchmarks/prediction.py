"""What every method would need for a file, told from its header alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import comparison, costs, headers, memory, sizes
from .cells import Table
from .columns import NONE
from .units import format_bytes, format_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .headers import Header
    from .provenance import Provenance
    from .runs import Data
    from .store import Store

FITS, TIGHT, DOES_NOT_FIT = "fits", "tight", "does not fit"

#: A peak that takes more than this fraction of the free memory is tight.
TIGHT_FROM = 0.7


@dataclass(frozen=True)
class Prediction:
    """What one method would need.

    Attributes
    ----------
    task, method : str
        Names.
    peak_bytes, wall_seconds : float or None
        None where the method failed on small files.
    verdict : str
        `FITS`, `TIGHT` or `DOES_NOT_FIT`; or why there is no prediction.
    """

    task: str
    method: str
    peak_bytes: float | None
    wall_seconds: float | None
    verdict: str


@dataclass(frozen=True)
class Predictions:
    """What every method would need for one file.

    Attributes
    ----------
    header : Header
        Of the file.
    kind : str
        The kind of files whose measurements were taken.
    free_bytes : int
        Memory that is free now.
    rows : tuple of Prediction
        By task, the leanest first.
    """

    header: Header
    kind: str
    free_bytes: int
    rows: tuple[Prediction, ...]

    def of_task(self, *names: str) -> Predictions:
        """Return those of some tasks alone."""
        rows = tuple(row for row in self.rows if row.task in names)
        return Predictions(self.header, self.kind, self.free_bytes, rows)

    def table(self) -> Table:
        """Return the table: method, time, peak, and whether it fits."""
        rows = [(f"{row.task}.{row.method}", *_written(row), row.verdict) for row in self.rows]
        return Table(("method", "time, about", "peak, about", "here"), tuple(rows))

    @property
    def caption(self) -> str:
        """The file, its raw size, and what is free."""
        free = f"Free memory: {format_bytes(self.free_bytes)}."
        return f"{comparison.described(self.header)} {free} {self.header.remark}".strip()

    def __str__(self) -> str:
        return f"{self.table().text()}\n\n{self.caption}"

    def _repr_html_(self) -> str:
        return self.table().html(self.caption)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        header = self.header
        return {
            "file": str(header.path),
            "shape": list(header.shape),
            "dtype": header.dtype,
            "scaled": header.scaled,
            "compression": header.compression,
            "raw_bytes": header.raw_bytes,
            "kind": self.kind,
            "free_bytes": self.free_bytes,
            "methods": [vars(row) for row in self.rows],
        }


def _written(row: Prediction) -> tuple[str, str]:
    if row.peak_bytes is None or row.wall_seconds is None:
        return NONE, NONE
    return format_seconds(row.wall_seconds), format_bytes(row.peak_bytes)


def verdict(peak_bytes: float, free_bytes: float) -> str:
    """Tell whether a peak fits into the free memory."""
    if peak_bytes > memory.USABLE_FRACTION * free_bytes:
        return DOES_NOT_FIT
    return TIGHT if peak_bytes > TIGHT_FROM * free_bytes else FITS


def of_header(header: Header, found: Store, free_bytes: int | None = None) -> Predictions:
    """Predict what every method would need.

    Parameters
    ----------
    header : Header
        Of the file.
    found : Store
        What was measured on small files: from `benchmarks.costs.latest`.
    free_bytes : int, optional
        Free memory; by default what is free now.

    Returns
    -------
    Predictions
        Of the methods that are for files of this kind.
    """
    kind = sizes.kind_of(header.dtype, header.slope, header.inter, header.compression)
    free = memory.free_bytes() if free_bytes is None else free_bytes
    voxels, volumes = math.prod(header.shape[:3]), header.shape[3]
    rows = [_row(cost, voxels, volumes, free) for cost in costs.of_kind(found, kind)]
    rows.sort(key=lambda row: (row.task, row.peak_bytes or 0))
    return Predictions(header, kind, free, tuple(rows))


def of_data(file_data: Data, found: Store) -> Predictions:
    """Predict for a file that is described already; it need not be here."""
    header = headers.Header(
        path=Path(file_data.name),
        shape=file_data.shape,
        dtype=file_data.dtype,
        slope=file_data.slope,
        inter=file_data.inter,
        compression=file_data.compression,
        file_bytes=file_data.file_bytes,
        offset=0,
    )
    return of_header(header, found)


def _row(cost: costs.Costs, voxels: int, volumes: int, free: int) -> Prediction:
    if cost.peak_bytes is None or cost.wall_seconds is None:
        return Prediction(cost.task, cost.method, None, None, cost.message)
    peak = cost.peak_bytes.at(voxels, volumes)
    seconds = cost.wall_seconds.at(voxels, volumes)
    return Prediction(cost.task, cost.method, peak, seconds, verdict(peak, free))


def predict(fmri_path: Any, here: Provenance, tasks: Sequence[str] = ()) -> Predictions:
    """Predict from the header of a file; nothing else of it is read.

    Parameters
    ----------
    fmri_path : path
        A 4D image.
    here : Provenance
        The machine and the versions.
    tasks : sequence of str
        Names of tasks; all of them if empty.

    Raises
    ------
    DataError
        The header cannot be read, or cannot be true.
    FigureError
        Small files were not measured with these versions.
    """
    found = of_header(headers.read(fmri_path), costs.latest(here))
    return found.of_task(*tasks) if tasks else found
