"""What to request for a job: all memory of it, and a margin that was measured."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import files
from benchmarks.errors import MethodError
from benchmarks.images.image import Image
from benchmarks.results import reference_store
from benchmarks.tasks.chapter import MANY_IMAGES
from benchmarks.units import MIB

from . import cost_model, small_files
from .basis import Basis

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from benchmarks.results.result import Result
    from benchmarks.results.store import Store

    from .cost_model import Costs
    from .predict import Prediction

#: Of what was measured, so much needed no more than would have been requested.
COVERED = 0.95


@dataclass(frozen=True)
class Pair:
    """The most memory that a method took on a file, over what was predicted for it."""

    task: str
    method: str
    #: Name of the file, with what tells its form.
    file: str
    ratio: float
    #: How many processes or threads share the work.
    workers: int


def pairs(stores: Iterable[Store[Image]], basis: Basis) -> list[Pair]:
    """Put what was measured of single images, which no fit has seen, beside predictions."""
    found: dict[tuple[str, str, str], Pair] = {}
    for image, result in (one for store in stores for one in _unseen(store)):
        task = result.task.partition("@")[0]
        costs = _costs(basis, small_files.kind(image)).get((task, result.method))
        if costs and costs.whole_bytes and result.memory_runs and not result.failed:
            ratio = cost_model.miss(result, costs.whole_bytes.at(image.voxels, image.volumes))
            # A run that is compressed itself is its own compressed form: it counts once.
            key = image.sha256 or image.name, task, result.method
            found[key] = Pair(task, result.method, image.name, ratio, costs.workers)
    return list(found.values())


def _unseen(store: Store[Image]) -> Iterator[tuple[Image, Result]]:
    """Yield the results of a file; of small files, those that are there to prove predictions."""
    unseen = small_files.unseen(store.data)
    for result in store.all() if store.data.images == 1 else ():
        size = result.task.partition("@")[2]
        if not size or size in unseen:
            yield unseen.get(size, store.data), result


def _costs(basis: Basis, kind: str) -> dict[tuple[str, str], Costs]:
    return {(costs.task, costs.method): costs for costs in basis.of_kind(kind)}


def of_reference() -> tuple[Pair, ...]:
    """Return the pairs that come with the project."""
    return _of_reference(files.REFERENCE)


@functools.cache
def _of_reference(folder: Path) -> tuple[Pair, ...]:
    runs = sorted(folder.glob(f"{reference_store.name_of('')}*.json"))
    paths = [*runs, reference_store.path_of(reference_store.SIZES)]
    opened = (reference_store.opened(path, Image) for path in paths)
    return tuple(pairs(opened, Basis.of_reference()))


def covering(ratios: Sequence[float]) -> float:
    """Return the least of some ratios that no more than `COVERED` of all like them exceed.

    The k-th smallest of n, where k is `COVERED` x (n + 1), rounded up: the next ratio then lies
    below it with this probability, whatever their distribution, if it comes from the same one
    (split conformal prediction [1]_). Of less than 19 ratios it is the largest.

    References
    ----------
    .. [1] Vovk, V., Gammerman, A. and Shafer, G. (2005). *Algorithmic Learning in a Random World*.
       Springer. https://doi.org/10.1007/b106715
    """
    rank = min(len(ratios), math.ceil(COVERED * (len(ratios) + 1)))
    return sorted(ratios)[rank - 1] if ratios else 1.0


@functools.lru_cache(maxsize=16)
def margin(basis: Basis, workers: int) -> float:
    """Return what a prediction of all memory is multiplied by in a request.

    It is the larger of two, each of which covers 95 of 100 ratios of the most that was measured
    over what was predicted: of the small files, what the fit leaves over; and of the larger files
    that come with the project, which no fit has seen. Methods that share their work among workers
    have a margin of their own, since it is chance whether workers reach their peaks together.

    Parameters
    ----------
    basis : Basis
        What small files took.
    workers : int
        How many processes or threads share the work of the method.

    Returns
    -------
    float
        At least 1.
    """
    shared = workers > 1
    left_over = [
        miss
        for kind in small_files.KINDS
        for costs in basis.of_kind(kind)
        if (costs.workers > 1) == shared
        for miss in costs.misses
    ]
    unseen = [pair.ratio for pair in of_reference() if (pair.workers > 1) == shared]
    return max(1.0, covering(left_over), covering(unseen))


def words(basis: Basis) -> str:
    """Say by how much requests are more than predictions."""
    alone, shared = (f"{margin(basis, count) - 1:.1%}" for count in (1, small_files.WORKERS))
    return (
        f"A request is all memory and {alone} more, or {shared} where workers share the work. "
        f"That covers {COVERED:.0%} of results like those measured; the others need more."
    )


@dataclass(frozen=True)
class HandingOut:
    """What it takes to hand work to others, bytes."""

    #: What the process that hands it out needs besides an interpreter, and what joblib starts.
    once_bytes: float = 0.0
    #: What each worker needs besides an interpreter and its share.
    each_bytes: float = 0.0


def handing_out() -> HandingOut:
    """Return what it takes to hand work to others; nothing where that was not measured.

    Measured on many images, by the reference machine. Half of what two workers more need is what
    each needs; above what one process needs that does the work alone, that is `each_bytes`. What
    two take without themselves is an interpreter, and `once_bytes`.
    """
    return _handing_out(reference_store.path_of(reference_store.name_of(MANY_IMAGES.form)))


@functools.cache
def _handing_out(path: Path) -> HandingOut:
    many = MANY_IMAGES
    if not path.exists():
        return HandingOut()
    store = reference_store.opened(path, Image)
    names = many.one_process, many.two_processes, many.four_processes
    found = [result for name in names if (result := store.get(many.task, name))]
    if len(found) < len(names) or not all(result.memory_runs for result in found):
        return HandingOut()
    one, two, four = (result.whole_bytes.median for result in found)
    interpreter = one - found[0].peak_bytes.median
    return HandingOut(
        once_bytes=max(0.0, 2 * two - four - interpreter),
        each_bytes=max(0.0, (four - two) / 2 - one),
    )


@dataclass(frozen=True)
class Share:
    """What jobs of one method on one file hold, of which several may run at a time."""

    #: All memory of one of them.
    whole_bytes: float
    #: One interpreter, with what the method imports.
    interpreter_bytes: float
    #: How many processes or threads share the work of one.
    workers: int
    margin: float

    @classmethod
    def of(cls, costs: Costs, whole_bytes: float, peak_bytes: float, basis: Basis) -> Share:
        """Tell an interpreter from the rest; each worker has one, besides that of the method."""
        processes = 1 if costs.workers == 1 else costs.workers + 1
        interpreter = max(0.0, whole_bytes - peak_bytes) / processes
        return cls(whole_bytes, interpreter, costs.workers, margin(basis, costs.workers))

    def request_bytes(self, jobs: int) -> float:
        """Return what to request for so many at a time.

        That is n x (interpreter + share + what each worker needs besides), and what hands out.
        """
        if jobs == 1:
            return self.margin * self.whole_bytes
        return self.margin * (jobs * self._each_bytes + self._once_bytes)

    @property
    def _each_bytes(self) -> float:
        return self.whole_bytes + handing_out().each_bytes

    @property
    def _once_bytes(self) -> float:
        return self.interpreter_bytes + handing_out().once_bytes

    def most(self, usable_bytes: float, processors: float) -> int:
        """Return how many fit into memory, and have a processor for each process."""
        if self.request_bytes(1) > usable_bytes:
            return 0
        left = usable_bytes / self.margin - self._once_bytes
        by_memory = max(1, math.floor(left / self._each_bytes))
        return min(by_memory, max(1, math.floor(processors / self.workers)))


def slurm(row: Prediction) -> str:
    """Return the lines that a script for SLURM needs; raises MethodError without figures.

    Numerical libraries would start a thread for each processor of the node in every process.
    ``OMP_NUM_THREADS`` makes it one, so that processes and processors are as many.
    """
    if row.request_bytes is None:
        raise MethodError(f"{row.name}: {row.verdict}. So nothing can be requested for it.")
    return "\n".join(
        (
            f"#SBATCH --cpus-per-task={row.processors}",
            f"#SBATCH --mem={math.ceil(row.request_bytes / MIB)}M",
            "export OMP_NUM_THREADS=1",
        )
    )
