"""What predictions rest on: small files measured here, or those that come with the project."""

from __future__ import annotations

import functools
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import files, recipes
from benchmarks.images.image import Image
from benchmarks.report.captions import machine
from benchmarks.results import reference_store
from benchmarks.results.store import Store, read
from benchmarks.tasks.task import example_paths
from benchmarks.units import format_ratio

from . import cost_model, roofline, small_files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.results.provenance import Provenance

    from .cost_model import Costs

#: A results file with fewer rates of a machine says too little of it.
LEAST_RATES = 4


@dataclass(frozen=True)
class Basis:
    """What small files took, and how much slower this machine is than the one they were on."""

    store: Store[Image]
    #: Times are multiplied by it; None where the rates of this machine are not measured.
    slowness: float | None = 1.0
    #: What predictions for files of a kind rest on that is not in the store.
    others: Basis | None = None

    @classmethod
    def of(cls, here: Provenance) -> Basis:
        """Return what predictions rest on: this machine's own small files, if they are up to date.

        For files of a kind that was not measured here, it is the reference results.

        Parameters
        ----------
        here : Provenance
            The machine and the versions. The file system may be another one.

        Raises
        ------
        StoreError
            Results cannot be read.
        """
        return _own(here) or _scaled(here)

    @classmethod
    def of_reference(cls) -> Basis:
        """Return what predictions for the reference machine itself rest on."""
        return cls(_of_reference())

    @property
    def words(self) -> str:
        """Where the figures come from, in sentences."""
        provenance = self.store.provenance
        if self.others:
            own = [kind for kind in small_files.KINDS if _fitted(self.store, kind)]
            kinds = ", ".join(kind.replace("_", " ") for kind in own)
            where = (
                f"For files of the kind {kinds}, the figures rest on this machine's small files."
            )
            return f"{where} For the others: {self.others.words}"
        if self.slowness == 1:
            where = provenance.cpu if self.store.is_reference else "this machine"
            return f"The figures rest on what small files took on {where}."
        said = f"Peaks are those of small files on another machine: {machine(provenance)}"
        if self.slowness is None:
            return f"{said} So are times: the rates of this machine are not measured yet."
        factor = format_ratio(self.slowness)
        return f"{said} So are times, multiplied by {factor}, the ratio of the machines' rates."

    def for_kind(self, kind: str) -> Basis:
        """Return what predictions for files of a kind rest on (from `small_files.kind_of`)."""
        if self.others and not _fitted(self.store, kind):
            return self.others
        return replace(self, others=None)

    def of_kind(self, kind: str) -> list[Costs]:
        """Return what each method needs for files of a kind."""
        return _of_kind(self.for_kind(kind), kind)


@functools.lru_cache(maxsize=4 * len(small_files.KINDS))
def _of_kind(basis: Basis, kind: str) -> list[Costs]:
    factor = 1.0 if basis.slowness is None else basis.slowness
    return [
        replace(costs, wall_seconds=costs.wall_seconds and costs.wall_seconds.scaled(factor))
        for costs in _fitted(basis.store, kind)
    ]


@functools.lru_cache(maxsize=4 * len(small_files.KINDS))
def _fitted(store: Store[Image], kind: str) -> list[Costs]:
    # The margin asks for the same of the reference itself, whose times are not scaled.
    return cost_model.of_kind(store, kind)


def _of_reference() -> Store[Image]:
    path = reference_store.path_of(reference_store.SIZES)
    return reference_store.opened(path, Image)


def _own(here: Provenance) -> Basis | None:
    """Return what was last measured with these versions, unless an example has changed since."""
    paths = [Path(recipes.__file__), *example_paths().values()]
    edited = max(map(_changed, paths))
    for path in _newest(files.small_results_folder()):
        found, image, _ = read(path, Image)
        if _is_here(found, here):
            store = Store(path.parent, image, found, path)
            return _with_others(store, here) if _changed(path) >= edited else None
    return None


def _with_others(store: Store[Image], here: Provenance) -> Basis:
    has_all = all(_fitted(store, kind) for kind in small_files.KINDS)
    return Basis(store, others=None if has_all else _scaled(here))


def _scaled(here: Provenance) -> Basis:
    return Basis(_of_reference(), _slowness(here))


def _slowness(here: Provenance) -> float | None:
    """Return how many times longer the kernels take here than on the reference machine."""
    for path in _newest(files.results_folder()):
        found, image, results = read(path, Image)
        ours = roofline.rates(results, image) if _is_here(found, here) else {}
        theirs = _reference_rates() if len(ours) >= LEAST_RATES else {}
        if both := ours.keys() & theirs:
            return statistics.median(ours[rate] / theirs[rate] for rate in both)
    return None


def _reference_rates() -> dict[str, float]:
    path = reference_store.path_of(reference_store.name_of("nii_gz"))
    store = reference_store.opened(path, Image)
    return roofline.rates(store.all(), store.data)


def _is_here(found: Provenance, here: Provenance) -> bool:
    return replace(found, file_system=here.file_system).digest == here.digest


def _newest(folder: Path) -> Iterable[Path]:
    return sorted(folder.glob("*.json"), key=_changed, reverse=True)


def _changed(path: Path) -> float:
    return path.stat().st_mtime
