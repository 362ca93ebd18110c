"""Where a figure changed: all runs since the last change differ from all up to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.results.quantities import LEAST_RATIO, SHARED_PEAK_RATIO, differ
from benchmarks.results.statistics import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence


def steps(samples: Sequence[Sample | None], quantity: str, *, shared: bool = False) -> list[int]:
    """Return the indices of the releases that brought a new ``time`` or ``peak``."""
    least = SHARED_PEAK_RATIO if shared and quantity == "peak" else LEAST_RATIO[quantity]
    forward = _one_way(samples, quantity, least)
    # Back from the newest, what is found is the last release with the old figure.
    back = _one_way(samples[::-1], quantity, least)
    backward = {_next(samples, len(samples) - 1 - n) for n in back}
    # One measured at a bad moment is no change: the runs of its neighbours reach across.
    found = sorted(forward & backward)
    # What one of the two ways found alone was a change to the other, and is none any more.
    while wrong := [
        n for n in range(len(found)) if not _parts(samples, found, n, quantity, least)
    ]:
        del found[wrong[0]]
    return found


def _one_way(samples: Sequence[Sample | None], quantity: str, least: float) -> set[int]:
    """Compare each release with all those since the last change."""
    before: tuple[float, ...] = ()
    found = set()
    for index, sample in enumerate(samples):
        if sample is None:
            continue
        if before and differ(Sample(before), sample, quantity, least):
            found.add(index)
            before = ()
        before += sample.values
    return found


def _parts(
    samples: Sequence[Sample | None], found: Sequence[int], n: int, quantity: str, least: float
) -> bool:
    """Tell whether a change parts all runs back to the last change from all on to the next."""
    edges = [0, *found, len(samples)]
    before, after = (
        tuple(v for sample in samples[start:end] if sample for v in sample.values)
        for start, end in (edges[n : n + 2], edges[n + 1 : n + 3])
    )
    return differ(Sample(before), Sample(after), quantity, least)


def _next(samples: Sequence[Sample | None], index: int) -> int:
    """Return the next release with a figure."""
    return next(n for n in range(index + 1, len(samples)) if samples[n] is not None)
