"""How good predictions of all memory are: what was measured of larger files, beside them."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.report.result_tables import NONE
from benchmarks.report.table import Table
from benchmarks.units import significant

from . import request

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.images.image import Image
    from benchmarks.results.store import Store

    from .basis import Basis
    from .request import Pair

#: What is off by more than this fraction is named.
NAMED_FROM = 0.15

#: So many are named at most.
MOST_NAMED = 8

#: Of fewer results, the one below which 95 of 100 lie is the largest or not among them.
LEAST_RESULTS = 20

_GROUPS = {"one process": False, "workers": True}


@dataclass(frozen=True)
class Proof:
    """The ratios of the most memory that was measured over what was predicted."""

    pairs: tuple[Pair, ...]
    basis: Basis

    @classmethod
    def of(cls, stores: Iterable[Store[Image]], basis: Basis) -> Proof:
        """Put results beside predictions, those of single images alone."""
        return cls(tuple(request.pairs(stores, basis)), basis)

    @property
    def _above(self) -> list[Pair]:
        return [p for p in self.pairs if p.ratio > request.margin(self.basis, p.workers)]

    def table(self) -> Table:
        """Return the distribution: methods in one process, and those with workers."""
        rows: list[tuple[str, ...]] = []
        for words, shared in _GROUPS.items():
            pairs = [pair for pair in self.pairs if (pair.workers > 1) == shared]
            ratios = sorted(pair.ratio for pair in pairs)
            if not ratios:
                rows.append((words, "0", *(NONE,) * 7))
                continue
            figures = ratios[0], statistics.median(ratios), _covering(ratios), ratios[-1]
            within = sum(abs(ratio - 1) <= NAMED_FROM for ratio in ratios) / len(ratios)
            asked = request.margin(self.basis, pairs[0].workers)
            over = sum(ratio > asked for ratio in ratios)
            written = (NONE if f is None else significant(f) for f in (*figures, asked))
            rows.append((words, str(len(ratios)), *written, f"{within:.0%}", str(over)))
        near = f"within {NAMED_FROM:.0%}"
        headings = ("least", "median", f"{request.COVERED:.0%} below", "most", "requested", near)
        return Table(("measured over predicted", "results", *headings, "above it"), tuple(rows))

    def __str__(self) -> str:
        return "\n".join([self.table().text(), "", *self.remarks]).rstrip()

    @property
    def remarks(self) -> list[str]:
        """Name what was off by much, and what needed more than would have been requested."""
        far = [pair for pair in self.pairs if abs(pair.ratio - 1) > NAMED_FROM]
        said = {"Off by more": far, "More than would have been requested": self._above}
        return [f"{words}: {_listed(found)}." for words, found in said.items() if found]


def _covering(ratios: Sequence[float]) -> float | None:
    return request.covering(ratios) if len(ratios) >= LEAST_RESULTS else None


def _listed(pairs: Sequence[Pair]) -> str:
    """Name those that are off most."""
    ordered = sorted(pairs, key=lambda pair: abs(math.log(pair.ratio)), reverse=True)
    named = [_named(pair) for pair in ordered[:MOST_NAMED]]
    if others := ordered[MOST_NAMED:]:
        named.append(f"{len(others)} others are less far off")
    return "; ".join(named)


def _named(pair: Pair) -> str:
    return f"{pair.task}.{pair.method} on {pair.file}, {significant(pair.ratio)} times"
