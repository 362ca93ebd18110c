"""For pipelines: the memory that a node of a workflow has to ask for, from headers alone."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks import files
from benchmarks.errors import DataError, MethodError
from benchmarks.gauge import machine, peak
from benchmarks.images import header
from benchmarks.report.table import Table
from benchmarks.results import provenance
from benchmarks.tasks.task import example_paths
from benchmarks.units import GIB, format_bytes, format_seconds

from . import predict, small_files
from .basis import Basis

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.images.image import Image

    from .predict import Prediction, Predictions

Paths: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]]"

#: How the names of BOLD runs end (Brain Imaging Data Structure).
ENDINGS = ("_bold.nii", "_bold.nii.gz")

#: Folders of a data set that hold other data sets.
APART = ("derivatives", "sourcedata")


@dataclass(frozen=True)
class Requests:
    """What to request for each of several files, for one method; a table as text and HTML."""

    rows: tuple[tuple[Image, Prediction], ...]
    #: How many at a time.
    jobs: int

    @property
    def largest(self) -> Prediction:
        """What decides for all of them."""
        return max((row for _, row in self.rows), key=lambda row: row.request_bytes or 0)

    @property
    def gb(self) -> float:
        """What to request for any of them, in units of 2**30 bytes, as nipype counts."""
        return (self.largest.request_bytes or 0) / GIB

    def table(self) -> Table:
        """Return the table: file, raw size, time, what to request, whether it fits."""
        rows = [
            (
                image.name,
                format_bytes(image.raw_bytes),
                format_seconds(row.wall_seconds or 0),
                format_bytes(row.whole_bytes or 0),
                format_bytes(row.request_bytes or 0),
                row.verdict,
            )
            for image, row in self.rows
        ]
        headings = ("file", "raw size", "time, about", "all memory, about", "request", "here")
        return Table(headings, tuple(rows))

    @property
    def caption(self) -> str:
        """The method, and what to request for any of the files."""
        count, name = len(self.rows), self.largest.name
        at_a_time = f", {self.jobs} at a time" if self.jobs > 1 else ""
        request = format_bytes(self.largest.request_bytes or 0)
        return f"{name}, {count} file{'s' * (count > 1)}{at_a_time}: request {request}."

    def __str__(self) -> str:
        return f"{self.table().text()}\n\n{self.caption}"

    def _repr_html_(self) -> str:
        return self.table().html(self.caption)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        rows = [{"file": str(image.path)} | row.as_dict() for image, row in self.rows]
        return {"jobs": self.jobs, "mem_gb": self.gb, "files": rows}


def mem_gb(fmri_paths: Paths, method: str, *, jobs: int = 1) -> float:
    """Return how much memory a job has to request, as ``mem_gb`` of a nipype node means it.

    Only headers are read. Neither nilearn nor anything else that is slow is imported.

    Parameters
    ----------
    fmri_paths : path, or sequence of paths
        NIfTI files, or folders of them, such as that of a BIDS data set: in these, the BOLD runs
        (``*_bold.nii``, ``*_bold.nii.gz``) count, without ``derivatives`` and ``sourcedata``. The
        largest decides.
    method : str
        A way of doing it, as ``task.method``: ``"mean_over_time.mean_isal"``.
    jobs : int
        How many files at a time, each in a process of its own.

    Returns
    -------
    float
        All memory at the peak, interpreter, imports and workers included, with the margin of
        `benchmarks.prediction.request.margin`; in units of 2**30 bytes. nipype calls them GB, and
        counts the memory of the machine in them.

    Raises
    ------
    DataError
        A file is missing, broken, or no 4D image; a folder has no BOLD run.
    MethodError
        There is no such method for such files, or it failed on small ones.
    StoreError
        Results that predictions rest on cannot be read.

    Examples
    --------
    >>> from benchmarks import mem_gb
    >>> node = Node(Function(function=smoothed), name="smooth")  # doctest: +SKIP
    >>> node.mem_gb = mem_gb("my_bold.nii.gz", "smooth.saved_by_volume")  # doctest: +SKIP
    """
    return mem_gb_each(fmri_paths, method, jobs=jobs).gb


def mem_gb_each(fmri_paths: Paths, method: str, *, jobs: int = 1) -> Requests:
    """Return what to request for each of several files, and for any of them.

    Parameters and errors are those of `mem_gb`.

    Returns
    -------
    Requests
        A table, when it is printed.
    """
    known = _basis(files.small_results_folder())
    return of_images(images(fmri_paths), method, known, jobs=jobs)


def of_images(found: Sequence[Image], method: str, known: Basis, *, jobs: int = 1) -> Requests:
    """Predict one method for several files; raises MethodError."""
    rows, here = [], predict.Here(machine.free_bytes(), machine.cores(), jobs)
    for image in found:
        costs = predict.named(method, known.of_kind(small_files.kind(image)), image)
        row = predict.of_costs(costs, image, known, here)
        if row.request_bytes is None:
            raise MethodError(f"{method} was measured on small files, and {row.verdict}.")
        rows.append((image, row))
    return Requests(tuple(rows), jobs)


def of_largest(
    found: Sequence[Image],
    known: Basis,
    tasks: Sequence[str] = (),
    method: str | None = None,
    *,
    jobs: int = 1,
) -> Predictions:
    """Predict for the largest of several files, all or some ways; raises MethodError."""
    largest = max(found, key=lambda image: image.raw_bytes)
    if len(found) > 1:
        remark = f"It is the largest of {len(found)} files. {largest.remark}".rstrip()
        largest = replace(largest, remark=remark)
    predicted = predict.of_image(largest, known, jobs=jobs)
    if tasks:
        predicted = predicted.of_task(*tasks)
    return predicted.of_method(method) if method else predicted


def images(fmri_paths: Paths) -> list[Image]:
    """Read the headers of files, and of the BOLD runs in folders; raises DataError."""
    given = [fmri_paths] if isinstance(fmri_paths, (str, os.PathLike)) else list(fmri_paths)
    if not given:
        raise DataError("There is no file to predict for. Give the path of a BOLD run.")
    found, refused = [], []
    for path in (path for one in given for path in _paths(Path(one).expanduser())):
        try:
            found.append(header.read(path))
        except DataError as error:
            refused.append(f"{error}{_option_meant(path)}")
    if refused:  # all at once, so that they need not be found one by one
        raise DataError("\n".join(refused))
    return found


def _option_meant(path: Path) -> str:
    """Return a hint where the name of a task or of a method stands in the place of a file."""
    task, dot, method = path.name.partition(".")
    is_meant = predict.same_group(task, method) if dot else task in example_paths()
    if not is_meant or path.exists():
        return ""
    option = "--method" if dot else "--task"
    return f" Or is it what to predict: fmri-bench predict FILE {option} {path.name}?"


def _paths(path: Path) -> Sequence[Path]:
    """Return the BOLD runs in a folder; else the path itself."""
    try:
        is_file = not path.is_dir()
    except (OSError, ValueError):  # of a name that cannot be; who reads the header says so
        is_file = True
    if is_file:
        return [path]
    found = sorted(_bold_runs(path))
    if not found:
        raise DataError(
            f"{path} is a folder without a BOLD run: no name of a file in it ends in "
            f"{' or '.join(ENDINGS)}. Give the paths of the files."
        )
    return found


def _bold_runs(folder: Path) -> Iterable[Path]:
    for inside, folders, names in os.walk(folder):
        # Hidden ones are large: git-annex keeps the files of a data set in one.
        folders[:] = [name for name in folders if name not in APART and name[0] != "."]
        yield from (Path(inside, name) for name in names if name.endswith(ENDINGS))


def basis() -> Basis:
    """Look for what predictions rest on here; raises StoreError."""
    return Basis.of(provenance.here(peak.name(), files.PACKAGE))


@functools.cache
def _basis(_results: Path) -> Basis:
    """Look for it once, however many nodes a workflow has."""
    return basis()
