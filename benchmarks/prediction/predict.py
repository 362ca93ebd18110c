"""What every method would need for a file, told from its header alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.gauge import machine
from benchmarks.images import header
from benchmarks.report.result_tables import NONE
from benchmarks.report.table import Table
from benchmarks.units import format_bytes, format_seconds

from . import small_files
from .basis import Basis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.images.image import Image
    from benchmarks.images.workspace import Workspace
    from benchmarks.results.provenance import Provenance

    from .cost_model import Costs

FITS, TIGHT, DOES_NOT_FIT = "fits", "tight", "does not fit"

#: What takes, all in all, more than this fraction of the free memory is tight.
TIGHT_FROM = 0.7


@dataclass(frozen=True)
class Prediction:
    """What one method would need, and a verdict: `FITS`, `TIGHT`, `DOES_NOT_FIT`; or why None."""

    task: str
    method: str
    #: Above what is held before the call.
    peak_bytes: float | None
    #: All memory at the peak, interpreter, imports and workers included: what has to fit.
    whole_bytes: float | None
    wall_seconds: float | None
    verdict: str


@dataclass(frozen=True)
class Predictions:
    """What every method would need for a file: by task, the leanest first; what is free now."""

    image: Image
    basis: Basis
    kind: str
    free_bytes: int
    rows: tuple[Prediction, ...]

    def of_task(self, *names: str) -> Predictions:
        """Return those of some tasks alone."""
        rows = tuple(row for row in self.rows if row.task in names)
        return Predictions(self.image, self.basis, self.kind, self.free_bytes, rows)

    def table(self) -> Table:
        """Return the table: method, time, peak, and whether it fits."""
        rows = [(f"{row.task}.{row.method}", *_written(row), row.verdict) for row in self.rows]
        headings = ("method", "time, about", "peak, about", "all memory, about", "here")
        return Table(headings, tuple(rows))

    @property
    def caption(self) -> str:
        """The file, its raw size, and what is free."""
        free = f"Free memory: {format_bytes(self.free_bytes)}."
        return f"{self.image.description} {free} {self.basis.words} {self.image.remark}".strip()

    def __str__(self) -> str:
        return f"{self.table().text()}\n\n{self.caption}"

    def _repr_html_(self) -> str:
        return self.table().html(self.caption)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        image = self.image
        return {
            "file": str(image.path),
            "shape": list(image.shape),
            "dtype": image.dtype,
            "scaled": image.scaled,
            "compression": image.compression,
            "raw_bytes": image.raw_bytes,
            "kind": self.kind,
            "basis": self.basis.words,
            "free_bytes": self.free_bytes,
            "methods": [vars(row) for row in self.rows],
        }


def _written(row: Prediction) -> tuple[str, str, str]:
    if row.peak_bytes is None or row.whole_bytes is None or row.wall_seconds is None:
        return NONE, NONE, NONE
    peak, whole = map(format_bytes, (row.peak_bytes, row.whole_bytes))
    return format_seconds(row.wall_seconds), peak, whole


def verdict(whole_bytes: float, free_bytes: float) -> str:
    """Tell whether all memory of a method fits into what is free."""
    if whole_bytes > machine.USABLE_FRACTION * free_bytes:
        return DOES_NOT_FIT
    return TIGHT if whole_bytes > TIGHT_FROM * free_bytes else FITS


def of_image(image: Image, basis: Basis, free_bytes: int | None = None) -> Predictions:
    """Predict what every method would need.

    Parameters
    ----------
    image : Image
        The file; it need not be here.
    basis : Basis
        What small files took.
    free_bytes : int, optional
        Free memory; by default what is free now.

    Returns
    -------
    Predictions
        Of the methods that are for files of this kind.
    """
    kind = small_files.kind_of(image.dtype, image.slope, image.inter, image.compression)
    free = machine.free_bytes() if free_bytes is None else free_bytes
    rows = [_row(cost, image, free) for cost in basis.of_kind(kind)]
    rows.sort(key=lambda row: (row.task, row.peak_bytes or 0))
    return Predictions(image, basis, kind, free, tuple(rows))


def _row(cost: Costs, image: Image, free: int) -> Prediction:
    if cost.peak_bytes is None or cost.whole_bytes is None or cost.wall_seconds is None:
        return Prediction(cost.task, cost.method, None, None, None, cost.message)
    peak, whole, seconds = (
        quantity.at(image.voxels, image.volumes)
        for quantity in (cost.peak_bytes, cost.whole_bytes, cost.wall_seconds)
    )
    return Prediction(cost.task, cost.method, peak, whole, seconds, verdict(whole, free))


def of_workspace(workspace: Workspace) -> Predictions:
    """Predict for the file in use, on this machine or on the reference's."""
    return of_image(workspace.image, basis_of(workspace))


def basis_of(workspace: Workspace) -> Basis:
    """Return what predictions rest on where results are of this machine, or the reference's."""
    if workspace.is_reference:
        return Basis.of_reference()
    return Basis.of(workspace.store.provenance)


def predict(fmri_path: Any, here: Provenance, tasks: Sequence[str] = ()) -> Predictions:
    """Predict from the header of a file alone, for all tasks or some."""
    found = of_image(header.read(fmri_path), Basis.of(here))
    return found.of_task(*tasks) if tasks else found
