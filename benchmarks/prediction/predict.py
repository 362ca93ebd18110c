"""What every method would need for a file, told from its header alone."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks.errors import MethodError
from benchmarks.gauge import machine
from benchmarks.images import header
from benchmarks.report.result_tables import NONE
from benchmarks.report.table import Table
from benchmarks.tasks import chapter
from benchmarks.tasks.task import example_paths, names_by_group
from benchmarks.units import format_bytes, format_seconds, printable

from . import request, small_files
from .basis import Basis

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.images.image import Image
    from benchmarks.images.workspace import Workspace
    from benchmarks.results.provenance import Provenance

    from .cost_model import Costs

    N = TypeVar("N", "Prediction", Costs)

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
    #: What to request for as many at a time as were asked for, with a margin.
    request_bytes: float | None = None
    #: How many at a time fit here; none where one does not.
    at_once: int = 0
    #: How many processors those that were asked for keep busy.
    processors: int = 1
    #: What does the same and fits, if this one does not.
    instead: Prediction | None = None

    @property
    def name(self) -> str:
        """Task and method."""
        return f"{self.task}.{self.method}"

    @property
    def does_not_fit(self) -> bool:
        """Whether it would need too much memory; not so if nothing is known of it."""
        return self.verdict == DOES_NOT_FIT

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it; of what takes its place, the name."""
        return vars(self) | {"instead": self.instead and self.instead.method}


@dataclass(frozen=True)
class Predictions:
    """What every method would need for a file: by task, the leanest first; what is free now."""

    image: Image
    basis: Basis
    kind: str
    free_bytes: int
    rows: tuple[Prediction, ...]
    #: How many at a time were asked for.
    jobs: int = 1

    def of_task(self, *names: str) -> Predictions:
        """Return those of some tasks alone; raises MethodError for one that has none."""
        known = {row.task for row in self.rows}
        if unknown := [name for name in names if name not in known]:
            raise MethodError(
                f"Nothing is predicted for a task {unknown[0]!r}; there are: "
                f"{', '.join(sorted(known))}."
            )
        return replace(self, rows=tuple(row for row in self.rows if row.task in names))

    def of_method(self, name: str) -> Predictions:
        """Return that of one method, named ``task.method``; raises MethodError for another."""
        return replace(self, rows=(named(name, self.rows, self.image),))

    @property
    def largest(self) -> Prediction:
        """The one that needs most."""
        return max(self.rows, key=lambda row: row.request_bytes or 0)

    def table(self) -> Table:
        """Return the table: method, time, peak, all memory, what to request, whether it fits."""
        rows = [(row.name, *_written(row), row.verdict) for row in self.rows]
        headings = ("time, about", "peak, about", "all memory, about", "request", "at once")
        return Table(("method", *headings, "here"), tuple(rows))

    @property
    def advice(self) -> list[str]:
        """What to do where a method does not fit: a sentence for each that takes its place."""
        too_large = [row for row in self.rows if row.does_not_fit]
        lines = []
        for task, other in dict.fromkeys((row.task, row.instead) for row in too_large):
            names = (row.method for row in too_large if (row.task, row.instead) == (task, other))
            place = f"in the place of {', '.join(names)}"
            if other is None:
                lines.append(f"{task}: no method that does the same fits {place}.")
            else:
                seconds, _, _, asked, _ = _written(other)
                lines.append(f"{task}: {other.method} fits {place}, with {asked}, in {seconds}.")
        return lines

    @property
    def caption(self) -> str:
        """The file, its raw size, and what is free."""
        jobs = f" for {self.jobs} files at a time" if self.jobs > 1 else ""
        free = f"Free memory{jobs}: {format_bytes(self.free_bytes)}."
        words = f"{free} {request.words(self.basis)} {self.basis.words}"
        return f"{self.image.description} {words} {self.image.remark}".strip()

    def __str__(self) -> str:
        return "\n".join([self.table().text(), "", self.caption, *self.advice])

    def _repr_html_(self) -> str:
        return self.table().html(" ".join([self.caption, *self.advice]))

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
            "jobs": self.jobs,
            "methods": [row.as_dict() for row in self.rows],
        }


def _written(row: Prediction) -> tuple[str, ...]:
    sizes = row.peak_bytes, row.whole_bytes, row.request_bytes
    if row.wall_seconds is None or None in sizes:
        return (NONE,) * 5
    written = (format_bytes(size or 0) for size in sizes)
    return (format_seconds(row.wall_seconds), *written, str(row.at_once or NONE))


def named(name: str, rows: Iterable[N], image: Image) -> N:
    """Return what is about a method, by its name; raises MethodError if there is none."""
    by_name = {f"{row.task}.{row.method}": row for row in rows}
    if name in by_name:
        return by_name[name]
    task, _, method = name.partition(".")
    if same_group(task, method):
        raise MethodError(
            f"{name} is there, but not predicted for files such as {image.name}. List those that "
            "are with: fmri-bench predict FILE."
        )
    near = difflib.get_close_matches(name, by_name)
    advice = f"Did you mean {near[0]}?" if near else "List them with: fmri-bench predict FILE."
    raise MethodError(f"{printable(name)} is no method predicted for {image.name}. {advice}")


def verdict(request_bytes: float, free_bytes: float) -> str:
    """Tell whether what would be requested fits into what is free."""
    if request_bytes > machine.USABLE_FRACTION * free_bytes:
        return DOES_NOT_FIT
    return TIGHT if request_bytes > TIGHT_FROM * free_bytes else FITS


def of_image(
    image: Image,
    basis: Basis,
    free_bytes: int | None = None,
    *,
    jobs: int = 1,
    processors: float | None = None,
) -> Predictions:
    """Predict what every method would need.

    Parameters
    ----------
    image : Image
        The file; it need not be here.
    basis : Basis
        What small files took.
    free_bytes : int, optional
        Free memory; by default what is free now.
    jobs : int
        How many such files at a time, each in a process of its own.
    processors : float, optional
        How many there are; by default those that may be used here.

    Returns
    -------
    Predictions
        Of the methods that are for files of this kind.
    """
    here = Here(
        machine.free_bytes() if free_bytes is None else free_bytes,
        machine.cores() if processors is None else processors,
        jobs,
    )
    kind = small_files.kind(image)
    basis = basis.for_kind(kind)
    rows = [of_costs(costs, image, basis, here) for costs in basis.of_kind(kind)]
    rows.sort(key=lambda row: (row.task, row.peak_bytes or 0))
    return Predictions(image, basis, kind, here.free_bytes, tuple(_with_others(rows)), jobs)


@dataclass(frozen=True)
class Here:
    """What there is to run on, and how many files at a time are asked for."""

    free_bytes: int
    processors: float
    jobs: int = 1


def of_costs(costs: Costs, image: Image, basis: Basis, here: Here) -> Prediction:
    """Predict what one method would need; what may take its place is not looked for."""
    if costs.peak_bytes is None or costs.whole_bytes is None or costs.wall_seconds is None:
        return Prediction(costs.task, costs.method, None, None, None, costs.message)
    peak, whole, seconds = (
        quantity.at(image.voxels, image.volumes)
        for quantity in (costs.peak_bytes, costs.whole_bytes, costs.wall_seconds)
    )
    share = request.Share.of(costs, whole, peak, basis)
    request_bytes = share.request_bytes(here.jobs)
    usable = machine.USABLE_FRACTION * here.free_bytes
    return Prediction(
        costs.task,
        costs.method,
        peak,
        whole,
        seconds,
        verdict(request_bytes, here.free_bytes),
        request_bytes=request_bytes,
        at_once=share.most(usable, here.processors),
        processors=here.jobs * costs.workers,
    )


def _with_others(rows: Sequence[Prediction]) -> Iterable[Prediction]:
    """Name beside each method that does not fit the fastest that does, and returns the same."""
    fitting = [row for row in rows if row.verdict in {FITS, TIGHT} and may_replace(row)]
    fitting.sort(key=lambda row: row.wall_seconds or 0)
    for row in rows:
        others = same_group(row.task, row.method) if row.does_not_fit else ()
        found = (one for one in fitting if one.task == row.task and one.method in others)
        yield replace(row, instead=next(found, None))


def same_group(task: str, method: str) -> tuple[str, ...]:
    """Return the names of the methods that return what a method does; none if it is unknown."""
    path = example_paths().get(task)
    groups = names_by_group(path) if path else ()
    return next((group for group in groups if method in group), ())


def may_replace(row: Prediction | Costs) -> bool:
    """Tell whether a method does the work; not one that reads no voxel, and puts it off."""
    return chapter.about(row.task).needs.get(row.method, chapter.Need()) is not None


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
